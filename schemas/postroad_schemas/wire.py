"""Events as records of Kafka, and back: JSON, keys in UTF-8, ids in headers."""

from functools import cache
from typing import Any, NamedTuple

import msgspec

from postroad_schemas.event import Event, Row, Ticked, Tombstone
from postroad_schemas.topics import TOPICS, key_of, topic_of

_encode = msgspec.json.Encoder().encode


class Record(NamedTuple):
    """What a Kafka client sends. A value of None deletes the row of a table."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Unreadable(ValueError):  # noqa: N818  # it is what the record is, and it goes to the dead letters under this name
    """A record that is no event of its topic. `reason` is "unknown_topic", "unknown_type" or "invalid"."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def record(event: Any) -> Record:
    """An event, a table row or a tombstone as (topic, key, value, headers). Raises KeyError for anything else."""
    if isinstance(event, Tombstone):
        return Record(event.topic, event.key.encode("utf-8", "surrogatepass"), None)
    key = key_of(event).encode("utf-8", "surrogatepass")
    return Record(topic_of(event), key, _encode(event), headers(event))


def headers(event: Any) -> tuple[tuple[str, bytes], ...]:
    """The event's type and id, and its place in the trace (W3C Trace Context). Rows carry none."""
    if not isinstance(event, Event):
        return ()
    parent = f"00-{event.trace_id}-{event.event_id[:16]}-01"
    kind = type(event).__struct_config__.tag
    return (("type", str(kind).encode()), ("event_id", event.event_id.encode()), ("traceparent", parent.encode()))


def read(topic: str, value: bytes) -> Any:
    """The event or row in a record's value. Raises Unreadable with the reason, never anything else."""
    try:
        decode = _decoder(topic).decode
    except KeyError:
        raise Unreadable("unknown_topic", f"{topic} is no topic of the catalogue") from None
    try:
        return decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "unknown_type" if "$.type" in str(error) else "invalid"
        raise Unreadable(reason, f"{topic}: {error}") from error


@cache
def _decoder(topic: str) -> msgspec.json.Decoder[Any]:
    entry = TOPICS[topic]
    union: Any = None
    for event in (*entry.events, *((Ticked,) if entry.ticks else ())):
        union = event if union is None else union | event
    return msgspec.json.Decoder(union)


def encode(value: Any) -> bytes:
    """Any struct of this package as JSON."""
    return _encode(value)


__all__ = ["Record", "Row", "Unreadable", "encode", "headers", "read", "record"]
