"""What every event carries, and the ids that tie events together."""

import hashlib
from datetime import datetime

import msgspec

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 6, in lower case
_PAIRS = [one + other for one in _BASE32 for other in _BASE32]  # two letters are ten bits


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A frozen fact.

    Fields are only ever added, with defaults. Readers ignore fields they do not know.
    """

    event_id: str  # 32 hex digits; a repeat of the same fact has the same id
    occurred_at: datetime  # UTC
    trace_id: str  # 32 hex digits: the id of the first event of this story (W3C trace-id)
    cause_id: str = ""  # the event that led to this one; empty for the first


class Row(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A row of the directory: what holds now. The gate alone sets version, changed_at, changed_by and created_at."""

    version: int = 0  # counts every change of the directory; decisions name the version they saw
    created_at: datetime | None = None  # UTC, set at first entry
    changed_at: datetime | None = None  # UTC
    changed_by: str = ""


class Tombstone(msgspec.Struct, frozen=True):
    """The end of a table row: on the wire a record with this key and no value."""

    topic: str
    key: str


class Ticked(Event, frozen=True, kw_only=True, tag="ticked"):
    """Time passed on one partition of a stateful input: its worker looks at what has fallen due there."""

    stage: str
    partition: int = 0


def tag_of(kind: type) -> str:
    """The `type` of an event or row on the wire."""
    config: msgspec.structs.StructConfig = kind.__struct_config__  # type: ignore[attr-defined]
    return str(config.tag)


def event_id(*parts: str) -> str:
    """An id that anybody derives alike from the same parts: 128 bits as 32 hex digits."""
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def short_id(*parts: str) -> str:
    """80 bits as 16 letters and digits (base 32, lower case): survives case folding, fits local parts."""
    digest = hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).digest()
    bits = int.from_bytes(digest[:10], "big")
    return "".join([_PAIRS[bits >> shift & 1023] for shift in (70, 60, 50, 40, 30, 20, 10, 0)])


def notification_id(message_id: str, recipient: str) -> str:
    """Names what one message means for one recipient, everywhere: at dispatch, in return paths, in reports.

    `recipient` is the normalised address.
    """
    return short_id("notification", message_id, recipient)
