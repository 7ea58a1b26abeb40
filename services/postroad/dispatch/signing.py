"""DKIM with real keys (O13): which keys sign for a From, where their secrets are, and the signatures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from postroad.mail.address import normalise
from postroad.mail.dkim import ALGORITHMS, signature_field, to_sign, unsigned, with_value
from postroad.views.directory import Directory
from postroad_schemas.directory import DkimKey

PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey

_HASHED = Prehashed(SHA256())
_MIN_BITS = 1024  # RFC 8301 3.2: signers use no less


class NoKey(Exception):  # noqa: N818  # it is the key that is not there
    """A declared key cannot be used; the message names its reference, never what is in it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    stamp: bytes | int  # what tells that the secret has changed: a file's time, or the value itself
    key: PrivateKey


class Signer:
    """Signs for the domains of the directory. `secret` resolves references; files are read again when they change."""

    def __init__(self, secret: Callable[[str], bytes | None]) -> None:
        self._secret = secret
        self._loaded: dict[tuple[str, str], Loaded] = {}

    def sign(self, message: bytes, keys: Sequence[DkimKey], at: datetime) -> bytes:
        """The message below one signature of each key. Raises NoKey if any of them cannot be had."""
        return self.prepared(message, keys, at).signed()

    def prepared(self, message: bytes, keys: Sequence[DkimKey], at: datetime) -> "Prepared":
        """All but the arithmetic of the keys. Raises NoKey if any of them cannot be had."""
        if not keys:
            return Prepared(message, ())
        parts, seconds = unsigned(message), int(at.timestamp())
        fields = []
        for row in keys:
            field = signature_field(parts, row.domain, row.selector, row.algorithm, seconds)
            fields.append((field, self.key(row), sha256(to_sign(parts, field)).digest()))
        return Prepared(message, tuple(fields))

    def key(self, row: DkimKey) -> PrivateKey:
        """The key of a row. Raises NoKey."""
        reference, place = row.secret, (row.secret, row.algorithm)
        stamp = _changed(reference) if reference.startswith("file:") else self._secret(reference)
        if stamp is not None and (known := self._loaded.get(place)) and known.stamp == stamp:
            return known.key
        value = self._secret(reference)
        if stamp is None or value is None:
            raise NoKey(f"the DKIM key {reference} cannot be read")
        self._loaded[place] = Loaded(stamp, load_key(value, row.algorithm, reference))
        return self._loaded[place].key


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message and its signatures but for their values: field, key, SHA-256 of what is signed."""

    message: bytes
    fields: tuple[tuple[bytes, PrivateKey, bytes], ...]

    @property
    def slow(self) -> bool:
        """RSA is most of a millisecond, outside of the interpreter's lock; Ed25519 is no more than a thread costs."""
        return any(isinstance(key, RSAPrivateKey) for _, key, _ in self.fields)

    def signed(self) -> bytes:
        values = (with_value(field, signature(key, digest)) for field, key, digest in self.fields)
        return b"".join((*values, self.message))


def _changed(reference: str) -> int | None:
    """When the file was changed last, in nanoseconds; None if it is not there."""
    try:
        return Path(reference.partition(":")[2]).stat().st_mtime_ns
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None


def load_key(pem: bytes, algorithm: str, reference: str) -> PrivateKey:
    """A private key (PEM, PKCS #1 or #8) for this algorithm. Raises NoKey."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NoKey(f"{reference} holds no private key without password in PEM") from error
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey) or algorithm_of(key) != algorithm:
        raise NoKey(f"the key in {reference} is not for {algorithm}")
    if isinstance(key, RSAPrivateKey) and key.key_size < _MIN_BITS:
        raise NoKey(f"the key in {reference} has {key.key_size} bits: {_MIN_BITS} is the least (RFC 8301)")
    return key


def algorithm_of(key: PrivateKey) -> str:
    """The algorithm that a key signs with."""
    return "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256"


def public_octets(key: PrivateKey) -> bytes:
    """The public half as DNS has it: SubjectPublicKeyInfo (RFC 6376 3.6.1), or 32 octets of Ed25519 (RFC 8463 4)."""
    if isinstance(key, RSAPrivateKey):
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def signature(key: PrivateKey, digest: bytes) -> bytes:
    """The signature over a SHA-256 (RFC 6376 3.3.1, RFC 8463 3)."""
    return key.sign(digest, PKCS1v15(), _HASHED) if isinstance(key, RSAPrivateKey) else key.sign(digest)


def keys_for(directory: Directory, from_address: str) -> tuple[DkimKey, ...]:
    """The keys that sign for a From after O2: of its domain, else of the nearest domain above it that has any.

    One for each algorithm: of several that are active the one declared last. RSA comes first: everybody reads it.
    """
    signing = directory.policy(_signing)
    domain = normalise(from_address).rpartition("@")[2]
    while domain:
        if found := signing.get(domain):
            return found
        domain = domain.partition(".")[2]
    return ()


def _signing(directory: Directory) -> Mapping[str, tuple[DkimKey, ...]]:
    newest: dict[str, dict[str, DkimKey]] = {}
    rows = (row for row in directory.rows("dkim_key") if isinstance(row, DkimKey) and row.active)
    for row in sorted(rows, key=lambda row: (row.version, row.selector)):
        newest.setdefault(row.domain, {})[row.algorithm] = row
    return {
        domain: tuple(rows[algorithm] for algorithm in ALGORITHMS if algorithm in rows)
        for domain, rows in newest.items()
    }
