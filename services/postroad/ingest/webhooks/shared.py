"""A secret that a provider bears with each request, for those that sign nothing (RFC 7617, RFC 6750, or the path)."""

import base64
import hmac
from collections.abc import Iterator

from postroad.ingest.webhooks.notice import Posted, Trust


def bears_secret(posted: Posted, trust: Trust) -> bool:
    """By `Authorization: Basic` (user and password, or the password alone), `Bearer`, or the path."""
    return bool(trust.secret) and any(hmac.compare_digest(given, trust.secret) for given in _given(posted))


def _given(posted: Posted) -> Iterator[bytes]:
    scheme, _, rest = posted.headers.get("authorization", "").partition(" ")
    octets = rest.strip().encode("utf-8", "surrogateescape")
    match scheme.lower():
        case "bearer":
            yield octets
        case "basic":
            both = _decoded(octets)
            yield both
            yield both.partition(b":")[2]
    yield posted.path_secret.encode("utf-8", "surrogateescape")


def _decoded(octets: bytes) -> bytes:
    try:
        return base64.b64decode(octets, validate=True)
    except ValueError:
        return b""
