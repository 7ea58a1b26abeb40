"""Ids that we mint (RFC 5322 3.6.4), signed so that they prove themselves, and the key ring that signs.

Everything is base 32 in lower case, so that case folding on the way harms nothing. A token is cut to 80 bits of
HMAC-SHA-256. What is forged, cut, foreign or signed by a retired key reads as None and never raises.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag

MAC_OCTETS = 10  # 80 bits
_PREFIX = "pr1."


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by their one-letter ids (base 32). `current` mints; all of them prove. Empty: nothing can be minted."""

    current: str = ""
    keys: Mapping[str, bytes] = field(default_factory=dict)

    def mac(self, key_id: str, purpose: str, payload: bytes) -> bytes | None:
        """80 bits over purpose and payload. None for a key that is not ours."""
        key = self.keys.get(key_id)
        if key is None:
            return None
        return hmac.digest(key, purpose.encode() + b"\x00" + payload, "sha256")[:MAC_OCTETS]

    def sign(self, purpose: str, payload: bytes) -> str:
        """Key id and mac, 17 letters. Raises KeyError without a current key."""
        mac = self.mac(self.current, purpose, payload)
        if mac is None:
            raise KeyError("no current signing key")
        return self.current + b32(mac)

    def proves(self, signature: str, purpose: str, payload: bytes) -> bool:
        mac = self.mac(signature[:1], purpose, payload)
        found = unb32(signature[1:])
        return mac is not None and found is not None and hmac.compare_digest(mac, found)


class Flag(IntFlag):
    """What a Message-ID of ours says about its message."""

    NOTE = 1
    ACKNOWLEDGEMENT = 2  # a reply to it is a comment (R7)
    OPENS_NEW = 4  # answers open a new record (R4)
    NOTICE = 8  # the mark of R2
    BULK = 16


@dataclass(frozen=True, slots=True)
class OwnId:
    """What a Message-ID of ours carries."""

    thread: str  # "type/id"; empty: none
    post: str  # 16 letters
    flags: Flag
    seconds: int  # Unix time of the post


def mint(keys: Keyring, own: OwnId, domain: str) -> str:
    """`<pr1.payload.signature@domain>`: the same input gives the same id (F6). Raises KeyError without a key."""
    post = unb32(own.post) or hashlib.sha256(own.post.encode()).digest()[:10]
    payload = bytes([own.flags]) + own.seconds.to_bytes(5, "big") + post[:10].ljust(10, b"\x00") + own.thread.encode()
    return f"<{_PREFIX}{b32(payload)}.{keys.sign('message-id', payload)}@{domain}>"


def read_own(keys: Keyring, message_id: str) -> OwnId | None:
    """What a validly signed Message-ID of ours carries; None for anything else."""
    local = message_id.strip("<> \t\r\n").lower().rpartition("@")[0]
    if not local.startswith(_PREFIX):
        return None
    encoded, _, signature = local[len(_PREFIX) :].partition(".")
    payload = unb32(encoded)
    if payload is None or len(payload) < 16 or not keys.proves(signature, "message-id", payload):
        return None
    return OwnId(
        thread=payload[16:].decode("utf-8", "replace"),
        post=b32(payload[6:16]),
        flags=Flag(payload[0] & 31),
        seconds=int.from_bytes(payload[1:6], "big"),
    )


def reply_handle(keys: Keyring, thread: str) -> str:
    """The 16 letters (80 bits) behind `+` in a Reply-To that stand for a thread; looked up, never read.

    Keyed with the first key ever accepted, so that handles outlive rotation: the lowest id of the ring.
    """
    key_id = min(keys.keys) if keys.keys else ""
    mac = keys.mac(key_id, "reply-handle", thread.encode())
    if mac is None:
        raise KeyError("no signing key")
    return b32(mac)


def is_handle(token: str) -> bool:
    """Whether a `+token` has the form of a reply handle. Only a look-up tells whether it is one."""
    return len(token) == 16 and unb32(token) is not None


def b32(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()


def unb32(text: str) -> bytes | None:
    """None for what is not base 32."""
    if not text.isascii():
        return None
    padded = text.upper() + "=" * (-len(text) % 8)
    try:
        octets = base64.b32decode(padded)
    except ValueError:
        return None
    return octets if b32(octets) == text.lower() else None
