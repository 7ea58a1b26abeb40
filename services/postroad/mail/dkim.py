"""DKIM signatures without the cryptography (RFC 6376, RFC 8463): what is signed, in which form, and keys in DNS."""

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType

from postroad.mail.compose_header import field

ALGORITHMS: Mapping[str, str] = MappingProxyType({"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"})
"""Algorithms of signatures and the types of their keys in DNS (RFC 6376 3.3, RFC 8463 3)."""

# RFC 6376 5.4.1, with what shows a message's parts and what RFC 8058 4 wants covered.
_SIGNED = (
    *("From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References", "MIME-Version"),
    *("Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"),
    *("List-Id", "List-Help", "List-Owner", "List-Archive", "List-Post", "List-Subscribe", "List-Unsubscribe"),
    *("List-Unsubscribe-Post", "Feedback-ID", "Auto-Submitted", "Precedence"),
)
# Named once more than they stand there, so that none can be added (RFC 6376 8.15).
_OVERSIGNED = frozenset(("From", "To", "Subject", "Reply-To"))

_FOLD = re.compile(rb"\r\n(?=[ \t])")
_BLANKS = re.compile(rb"[ \t]+")
_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*(.*?)\s*\Z", re.DOTALL)
_BASE64_LINE = 72


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A message ready to be signed: by one key or by several, none of them signs another's signature."""

    names: tuple[str, ...]  # h=
    header: bytes  # those fields, canonical
    body_hash: str  # bh=


def unsigned(message: bytes) -> Unsigned:
    """What of a message is signed. Lines end with CRLF. Of several fields of a name the last comes first (5.4.2)."""
    header, _, body = message.partition(b"\r\n\r\n")
    fields: dict[str, list[bytes]] = {}
    for line in _FOLD.sub(b"", header).split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields.setdefault(name.rstrip(b" \t").lower().decode("ascii", "replace"), []).append(value)
    names = signed_names({name: len(values) for name, values in fields.items()})
    chosen = [canonical_field(name, values.pop()) for name in names if (values := fields.get(name.lower()))]
    digest = sha256(canonical_body(body)).digest()
    return Unsigned(names, b"".join(chosen), b64encode(digest).decode())


def signed_names(present: Mapping[str, int]) -> tuple[str, ...]:
    """The fields that a signature names (h=). `present`: names in lower case, and how often each is there."""
    count = Counter(present)
    return tuple(name for name in _SIGNED for _ in range(count[name.lower()] + (name in _OVERSIGNED)))


def canonical_field(name: str, value: bytes) -> bytes:
    """Relaxed (3.4.2): name in lower case, one line, one blank between words."""
    return name.lower().encode() + b":" + _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" \r\n") + b"\r\n"


def canonical_body(body: bytes) -> bytes:
    """Relaxed (3.4.4): no blanks at the end of a line, one for several within, no empty lines at the end."""
    lines = _BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n").removesuffix(b" ")
    end = len(lines)
    while lines.endswith(b"\r\n", 0, end):
        end -= 2
    return lines[:end] + b"\r\n" if end else b""


def signature_field(parts: Unsigned, domain: str, selector: str, algorithm: str, seconds: int) -> bytes:
    """DKIM-Signature with an empty b= at its end: what the signature covers beside the fields (3.5, 3.7)."""
    *more, last = (f"{name}:" for name in parts.names)
    signed = [*more, f"{last.removesuffix(':')};"]
    tags = ["v=1;", f"a={algorithm};", "c=relaxed/relaxed;", f"d={domain};", f"s={selector};", f"t={seconds};"]
    return field("DKIM-Signature", [*tags, f"h={signed[0]}", *signed[1:], f"bh={parts.body_hash};", "b="])


def to_sign(parts: Unsigned, signature: bytes) -> bytes:
    """The octets whose SHA-256 is signed (3.7): the fields, then the signature's own, without line end."""
    return parts.header + canonical_field("DKIM-Signature", signature.partition(b":")[2]).removesuffix(b"\r\n")


def with_value(signature: bytes, value: bytes) -> bytes:
    """The field with its b=, on lines of its own."""
    b = b64encode(value)
    lines = [b[at : at + _BASE64_LINE] for at in range(0, len(b), _BASE64_LINE)]
    return b"\r\n ".join((signature.removesuffix(b"\r\n"), *lines)) + b"\r\n"


def key_name(domain: str, selector: str) -> str:
    """Where a key stands in DNS (3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def key_record(algorithm: str, public: bytes) -> str:
    """The text to publish for a key (3.6.1, RFC 8463 4)."""
    return f"v=DKIM1; k={ALGORITHMS[algorithm]}; p={b64encode(public).decode()}"


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key as DNS has it. `fault`: why verifiers do not use it."""

    type: str = "rsa"
    public: bytes = b""
    testing: bool = False  # t=y: failing means nothing
    fault: str = ""


def read_key_record(text: str) -> PublishedKey:
    """Never raises: what is wrong is the fault."""
    tags = read_tags(text)
    if tags is None:
        return PublishedKey(fault="it is no list of tags")
    type_ = tags.get("k", "rsa")
    try:
        public = b64decode("".join(tags.get("p", "").split()), validate=True)
    except ValueError:
        return PublishedKey(type_, fault="p= is not base 64")
    testing = "y" in _listed(tags.get("t", ""))
    return PublishedKey(type_, public, testing, _key_fault(tags, type_))


def _key_fault(tags: Mapping[str, str], type_: str) -> str:
    if "v" in tags and (tags["v"] != "DKIM1" or next(iter(tags)) != "v"):
        return "v= is not DKIM1 at the beginning"
    if type_ not in ALGORITHMS.values():
        return f"k={type_} is no type of key"
    if "p" not in tags:
        return "it has no p="
    if not tags["p"]:
        return "p= is empty: the key is revoked"
    if "h" in tags and "sha256" not in _listed(tags["h"]):
        return f"h={tags['h']} does not allow sha256"
    if "s" in tags and not {"*", "email"} & _listed(tags["s"]):
        return f"s={tags['s']} does not allow mail"
    return ""


def read_tags(text: str) -> dict[str, str] | None:
    """A list of tags (3.2), in order; None for what is none, or names a tag twice."""
    tags: dict[str, str] = {}
    pieces = text.split(";")
    if len(pieces) > 1 and not pieces[-1].strip():
        pieces.pop()
    for piece in pieces:
        match = _TAG.match(piece)
        if match is None or match[1] in tags:
            return None
        tags[match[1]] = match[2]
    return tags


def _listed(value: str) -> set[str]:
    return {entry.strip() for entry in value.split(":")}
