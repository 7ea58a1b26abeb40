"""Which events belong to a story, and in which order they are told."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from postroad_schemas import Event
from postroad_schemas.mail import HeldMail, MailReceived

# Fields by which an event is found; ids of other stories' messages (references, answers) are not among them.
_NAMES = (
    "event_id",
    "trace_id",
    "message_id",
    "settled",
    "thread",
    "notification_id",
    "mail_id",
    "submission_id",
    "asking",
)


class Told(NamedTuple):
    """One event of a story, and how far it is from the story's beginning."""

    topic: str
    event: Event
    depth: int


def names(event: Any) -> Iterator[str]:
    """Everything that an event goes by."""
    for name in _NAMES:
        value = getattr(event, name, "")
        if isinstance(value, str) and value:
            yield value
    if isinstance(event, HeldMail):
        yield from names(event.mail)
    submission = getattr(event, "submission", None)
    if isinstance(submission, msgspec.Struct):
        yield from names(submission)


def story(seen: Iterable[tuple[str, Any]], wanted: str) -> list[Told]:
    """All events of every trace in which something goes by this name, oldest first, causes before what followed.

    A Message-ID may be given without brackets. What lies on the log twice is told once.
    """
    events = {e.event_id: (topic, e) for topic, e in seen if isinstance(e, Event)}
    looked_for = {wanted, f"<{wanted}>"}
    traces = {e.trace_id for _, e in events.values() if looked_for.intersection(names(e))}
    mine = {event_id: found for event_id, found in events.items() if found[1].trace_id in traces}
    told: dict[str, Told] = {}
    for event_id in sorted(mine, key=lambda i: (mine[i][1].occurred_at, not isinstance(mine[i][1], MailReceived))):
        _tell(event_id, mine, told)
    return list(told.values())


def _tell(event_id: str, mine: dict[str, tuple[str, Event]], told: dict[str, Told]) -> None:
    """The chain of causes that is not told yet, then the event."""
    chain: list[str] = []
    while event_id in mine and event_id not in told and event_id not in chain:
        chain.append(event_id)
        event_id = mine[event_id][1].cause_id
    for name in reversed(chain):
        topic, event = mine[name]
        cause = told.get(event.cause_id)
        told[name] = Told(topic, event, cause.depth + 1 if cause else 0)
