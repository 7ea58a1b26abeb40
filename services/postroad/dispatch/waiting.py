"""What waits to be sent: which submissions, until when, and what the server said last. For operators."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from postroad.dispatch.core import sender
from postroad.mail.address import normalise
from postroad_schemas.directory import Smarthost
from postroad_schemas.outbound import (
    OutboundDeferred,
    OutboundSubmitted,
    RecipientSettled,
    SettledState,
    SettledSubmission,
)

WAITING = (SettledState.DEFERRED, SettledState.HELD, SettledState.CANCELLED)
DISPATCH = sender(Smarthost(name="default", host="localhost"))
"""For the states that it keeps: nothing is begun with it."""

_LAST = datetime.max.replace(tzinfo=UTC)


class Waiting(msgspec.Struct, frozen=True):
    """A submission that is not done."""

    recipient: str  # normalised
    entry: SettledSubmission

    @property
    def id(self) -> str:
        return self.entry.submission_id


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """All of what is given must be so."""

    state: str = ""
    to: str = ""  # an address
    domain: str = ""  # of the recipient
    server: str = ""

    def means(self, one: Waiting) -> bool:
        domain = one.recipient.rpartition("@")[2]
        return (
            (not self.state or one.entry.state == self.state)
            and (not self.to or one.recipient == normalise(self.to))
            and (not self.domain or domain == normalise(f"x@{self.domain}").rpartition("@")[2])
            and (not self.server or one.entry.server == self.server)
        )


def waiting(states: Mapping[str, RecipientSettled]) -> list[Waiting]:
    """All that waits, by dispatch's states: what is tried next comes first, what nobody tries last."""
    found = [
        Waiting(recipient, entry)
        for recipient, state in states.items()
        for entry in state.submissions
        if entry.state in WAITING
    ]
    return sorted(found, key=lambda one: (_next(one.entry) or _LAST, one.entry.at, one.id))


def next_attempt(one: Waiting) -> datetime | None:
    """When it is tried again, in UTC; None for what waits for a person, or is about to be asked for."""
    return _next(one.entry)


def _next(entry: SettledSubmission) -> datetime | None:
    return entry.not_before if entry.state is SettledState.DEFERRED else None


def submissions(events: Iterable[object], wanted: Iterable[Waiting]) -> dict[str, OutboundSubmitted]:
    """The messages themselves, by id: kept with their entries, or as they were submitted or last deferred."""
    ids = {one.id: one for one in wanted}
    found = {one.id: one.entry.kept for one in ids.values() if one.entry.kept}
    for submission in _carried(events):
        if submission.event_id in ids and submission.event_id not in found:
            found[submission.event_id] = submission
    return found


def _carried(events: Iterable[object]) -> Iterator[OutboundSubmitted]:
    """What was deferred comes first, the newest: it is the message as it was tried."""
    deferred: list[OutboundDeferred] = []
    submitted: list[OutboundSubmitted] = []
    for event in events:
        if isinstance(event, OutboundDeferred):
            deferred.append(event)
        elif isinstance(event, OutboundSubmitted):
            submitted.append(event)
    yield from (event.submission for event in sorted(deferred, key=lambda event: event.occurred_at, reverse=True))
    yield from submitted
