"""Signatures that need a library: RSA by a certificate (RFC 8017 8.2), ECDSA on P-256 (FIPS 186-5). Nothing raises."""

import base64
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

# SHA-1 is what Amazon SNS signs with unless a topic says otherwise.
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303


def proven_by_certificate(pem: bytes, signed: bytes, signature: str, version: str, at: datetime) -> bool:
    """RSA, PKCS #1 v1.5. `version` is Amazon's: "1" with SHA-1, "2" with SHA-256."""
    algorithm = _HASHES.get(version)
    if algorithm is None:
        return False
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or not _valid(certificate, at):
            return False
        key.verify(base64.b64decode(signature, validate=True), signed, padding.PKCS1v15(), algorithm)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def proven_by_key(key: bytes, signed: bytes, signature: str) -> bool:
    """ECDSA with SHA-256; `key` is a SubjectPublicKeyInfo in base 64, bare or as PEM."""
    try:
        pem = key.startswith(b"-----")
        found = (
            serialization.load_pem_public_key(key)
            if pem
            else serialization.load_der_public_key(base64.b64decode(key, validate=True))
        )
        if not isinstance(found, ec.EllipticCurvePublicKey) or not isinstance(found.curve, ec.SECP256R1):
            return False
        found.verify(base64.b64decode(signature, validate=True), signed, ec.ECDSA(hashes.SHA256()))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
