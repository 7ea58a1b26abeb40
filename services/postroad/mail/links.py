"""Links that stand for attachments (O14): `<base>/files/<token>`. The token is signed and says all there is to know.

No table of links: whoever holds one has what an attachment would have given. Erasing the object ends every link to it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from postroad.mail.message_id import Keyring, b32, unb32
from postroad_schemas.values import Attachment

PATH = "files"
"""What stands between base and token."""

_PURPOSE = "file"
_REF = re.compile(r"sha256/([0-9a-f]{64})", re.ASCII)
_DIGEST = 32
_SECONDS = 5
_HEAD = _SECONDS + _DIGEST
_NAME = 255  # octets of a file name, the most that usual file systems take
_MEDIA_TYPE = 129  # RFC 6838 4.2: 64 + "/" + 64
_TOKEN = 1000  # letters, more than any token that we mint


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """What a link leads to. Name and media type are as its sender wrote them: nothing to trust a browser with."""

    ref: str  # of the object store
    name: str
    media_type: str
    until: datetime | None = None  # UTC; None: for ever


def file_link(keys: Keyring, base: str, attachment: Attachment, until: datetime | None) -> str:
    """The link to an attachment. Octets of the same input are the same.

    Raises KeyError without a current key, ValueError for a reference that is none.
    """
    named = _REF.fullmatch(attachment.content.ref)
    if named is None:
        raise ValueError(f"{attachment.content.ref!r} is no object reference")
    seconds = int(until.timestamp()) if until else 0
    media_type = attachment.media_type.encode("utf-8", "replace")[:_MEDIA_TYPE].replace(b"\x00", b"")
    payload = seconds.to_bytes(_SECONDS, "big") + bytes.fromhex(named[1]) + media_type + b"\x00"
    payload += _cut(attachment.name, _NAME)
    return f"{base.rstrip('/')}/{PATH}/{b32(payload)}.{keys.sign(_PURPOSE, payload)}"


def read_file_link(keys: Keyring, token: str, now: datetime) -> LinkedFile | None:
    """What a token of ours leads to; None for one that is forged, cut, expired or signed by a retired key."""
    if len(token) > _TOKEN:
        return None
    encoded, _, signature = token.lower().partition(".")
    payload = unb32(encoded)
    if payload is None or len(payload) <= _HEAD or not keys.proves(signature, _PURPOSE, payload):
        return None
    seconds = int.from_bytes(payload[:_SECONDS], "big")
    until = datetime.fromtimestamp(seconds, UTC) if seconds else None
    if until is not None and now >= until:
        return None
    media_type, _, name = payload[_HEAD:].partition(b"\x00")
    ref = f"sha256/{payload[_SECONDS:_HEAD].hex()}"
    return LinkedFile(ref, name.decode("utf-8", "replace"), media_type.decode("utf-8", "replace"), until)


def _cut(text: str, octets: int) -> bytes:
    """At most so many octets, no character split."""
    return text.encode("utf-8", "replace")[:octets].decode("utf-8", "ignore").encode()
