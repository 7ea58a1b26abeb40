"""How each provider posts: its wrapping, its signature, its secret. Certificate and keys are made for the tests."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from postroad.ingest.webhooks import sendgrid, ses
from postroad.ingest.webhooks.reading import one
from postroad.runtime.config import Webhook
from tests.support.declared import AT

SECRET = "user:a secret of the tests"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
DECLARED = {name: Webhook(secret="env:HOOK") for name in ("postmark", "brevo", "mailjet", "sparkpost")} | {
    "ses": Webhook(topics=(TOPIC,)),
    "mailgun": Webhook(secret="env:HOOK"),
    "sendgrid": Webhook(secret="env:HOOK_KEY"),
}


@dataclass
class Post:
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def verification_key() -> str:
    """As SendGrid shows it."""
    encoded = (
        ec_key().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(encoded).decode()


@cache
def certificate(expired: bool = False) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    until = AT - timedelta(days=1) if expired else AT + timedelta(days=30)
    made = (
        x509.CertificateBuilder(name, name, rsa_key().public_key(), x509.random_serial_number())
        .not_valid_before(AT - timedelta(days=30))
        .not_valid_after(until)
        .sign(rsa_key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def sns(payload: Any, version: str = "1", **fields: str) -> dict[str, str]:
    """A message of SNS, signed."""
    said = {
        "Type": "Notification",
        "MessageId": "sns-1",
        "TopicArn": TOPIC,
        "Message": payload if isinstance(payload, str) else json.dumps(payload),
        "Timestamp": "2026-11-24T09:10:01.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **fields,
    }
    signed = ses.signed_part(one(json.dumps(said), ses.Envelope))
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    return {**said, "Signature": base64.b64encode(rsa_key().sign(signed, padding.PKCS1v15(), algorithm)).decode()}


def post_ses(payload: Any) -> Post:
    return Post(json.dumps(sns(payload)).encode(), {"Content-Type": "text/plain; charset=UTF-8"})


def post_mailgun(payload: Any, age: timedelta = timedelta(), key: str = SECRET) -> Post:
    timestamp, token = str(int((AT - age).timestamp())), "t" * 50
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    return Post(json.dumps({"signature": signed, "event-data": payload}).encode())


def post_sendgrid(payload: Any) -> Post:
    body = json.dumps(payload).encode()
    signature = ec_key().sign(b"1795511400" + body, ec.ECDSA(hashes.SHA256()))
    headers = {sendgrid.TIMESTAMP: "1795511400", sendgrid.SIGNATURE: base64.b64encode(signature).decode()}
    return Post(body, headers)


def post_with_secret(payload: Any, secret: str = SECRET) -> Post:
    basic = base64.b64encode(secret.encode()).decode()
    return Post(json.dumps(payload).encode(), {"Authorization": f"Basic {basic}"})


POSTS: dict[str, Callable[[Any], Post]] = {
    "ses": post_ses,
    "mailgun": post_mailgun,
    "sendgrid": post_sendgrid,
    **dict.fromkeys(("postmark", "brevo", "mailjet", "sparkpost"), post_with_secret),
}
