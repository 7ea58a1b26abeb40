"""Bodies of webhooks as typed values: one event, or many, each read on its own, so that a bad one stops no other."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from postroad.ingest.webhooks.notice import Malformed, Passed, Told
from postroad.mail.provider import MESSAGE_ID, NOTIFICATION

T = TypeVar("T")
FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


class Echo(NamedTuple):
    """What a provider says back of that which it was told of a message (`mail.provider`). Empty: it does not."""

    token: str
    message_id: str


def echoed(told: Any) -> Echo:
    """Of an object of names and values, or of its text; some may be an app's own. Whatever else it is says nothing."""
    if isinstance(told, str):
        try:
            told = msgspec.json.decode(told)
        except FAULTS:
            return Echo("", "")
    if not isinstance(told, dict):
        return Echo("", "")
    named = {str(name).lower(): value for name, value in told.items()}
    message_id = _text(named.get(MESSAGE_ID))
    return Echo(_text(named.get(NOTIFICATION)), bracketed(message_id) if "@" in message_id else "")


def _text(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:  # as SES has all values
        value = value[0]
    return value if isinstance(value, str) else ""


def one(body: bytes | str, kind: type[T]) -> T:
    """Raises Malformed."""
    try:
        return msgspec.json.decode(body, type=kind)
    except FAULTS as error:
        raise Malformed(f"this is no event of this provider: {error}") from error


def each(body: bytes, kind: type[T], told: Callable[[T], Iterable[Told]]) -> Iterator[Told]:
    """What is told by a list of events, or by one that stands alone. Raises Malformed if none of them can be read."""
    raws = one(body, list[msgspec.Raw]) if body.lstrip()[:1] == b"[" else [msgspec.Raw(body)]
    faults: list[str] = []
    for raw in raws:
        try:
            event = msgspec.json.decode(raw, type=kind)
        except FAULTS as error:
            faults.append(str(error))
            if len(faults) == len(raws):
                raise Malformed(f"this is no event of this provider: {error}") from error
            yield Passed("unreadable", str(error)[:200])
        else:
            yield from told(event)


def at_seconds(seconds: Any) -> datetime | None:
    """Unix time as a number or as text; None for anything else."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def at_iso(text: str) -> datetime | None:
    """RFC 3339, with whatever fraction; without zone it is UTC."""
    try:
        found = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def bracketed(message_id: str) -> str:
    """A Message-ID as we write it; some providers leave the brackets out."""
    bare = message_id.strip().strip("<>").strip()
    return f"<{bare}>" if bare else ""
