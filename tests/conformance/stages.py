"""Stages that every runner must run right, each for one thing a runner can get wrong.

All ids are derived and all states ignore repeats, so what must come out can be computed from what went in (`audit`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from postroad.runtime.worker import Sending, Tools, Worker
from postroad.stage import Call, Decision, Emission, Sender, Stage
from postroad.views import Views
from postroad.window import Recent
from postroad_schemas import Event, Ticked, event_id
from postroad_schemas.address import AddressBlacklisted, AddressHeardFrom, ThreadShut
from postroad_schemas.chatter import NotificationDelayed, NotificationSent, ThreadClosed
from postroad_schemas.mail import BudgetReturned
from postroad_schemas.message import FollowerSought, MessageSettled, Outcome, ThreadSought
from postroad_schemas.outbound import Action, DeliveryReported, OutboundDeferred, OutboundSubmitted, Source
from postroad_schemas.values import Reply

WINDOW = 60.0  # seconds
SHUT_AFTER = timedelta(seconds=2)
RETRY_AFTER = timedelta(milliseconds=500)
ATTEMPTS = 3
POISON = "poison@example.org"


class Counted(msgspec.Struct, frozen=True):
    """Which events came, each with its place in the order of the key."""

    seen: Mapping[str, int] = {}


class Seen(msgspec.Struct, frozen=True):
    """Which events came, in no order."""

    ids: tuple[str, ...] = ()

    def with_(self, event_id: str) -> "Seen":
        return self if event_id in self.ids else Seen(tuple(sorted((*self.ids, event_id))))


class Waiting(msgspec.Struct, frozen=True):
    """Which events wait, and until when."""

    until: Mapping[str, datetime] = {}


class Sent(msgspec.Struct, frozen=True):
    """The reply's code of each submission's attempts, by "<submission>#<attempt>"."""

    codes: Mapping[str, int] = {}


class Attempt(msgspec.Struct, frozen=True):
    """What the sender asks the world for."""

    submission_id: str
    recipient: str
    number: int


def derived(cause: Event, *step: str) -> dict[str, Any]:
    """What an event takes from its cause."""
    return {
        "event_id": event_id(cause.event_id, *step),
        "occurred_at": cause.occurred_at,
        "trace_id": cause.trace_id,
        "cause_id": cause.event_id,
    }


def count(event: AddressHeardFrom, state: Counted, _: Views) -> Decision[Counted]:
    place = state.seen.get(event.event_id, len(state.seen) + 1)
    row = AddressBlacklisted(**derived(event, "counted"), address=event.address, rule="B4", by=f"{place}")
    return Decision(Counted({**state.seen, event.event_id: place}), (row,))


def hop(event: ThreadSought | MessageSettled, state: Seen, _: Views) -> Decision[Seen]:
    """Sends the question on to the next of `remaining`, at last to the asking key, which settles it."""
    state = state.with_(event.event_id)
    if isinstance(event, MessageSettled):
        return Decision(state)
    if not event.sought:
        settled = MessageSettled(**derived(event, "settled"), settled=event.asking, outcome=Outcome.DELIVERED)
        return Decision(state, (settled,))

    following, rest = (event.remaining[0], event.remaining[1:]) if event.remaining else ("", ())
    onward = derived(event, "hop")
    asked = ThreadSought(
        **onward,
        asking=event.asking,
        mail_id=event.mail_id,
        accepted_at=event.accepted_at,
        sought=following,
        remaining=rest,
    )
    return Decision(state, (asked,))


def watch(event: DeliveryReported, state: Recent, _: Views) -> Decision[Recent]:
    """Keeps the last minute of the newest event; says how many came in the minute before this one."""
    at = event.occurred_at.timestamp()
    state = state.with_(event.event_id, at)
    within = state.count(at, WINDOW)
    told = NotificationDelayed(
        **derived(event, "watched"),
        notification_id=event.notification_id,
        recipient=event.recipient,
        diagnostic=f"{within}",
    )
    return Decision(state.since(max(entry[0] for entry in state.entries) - WINDOW), (told,))


def keep_open(event: ThreadClosed, state: Waiting, _: Views) -> Decision[Waiting]:
    return Decision(Waiting({**state.until, event.event_id: event.occurred_at + SHUT_AFTER}))


def closing(state: Waiting) -> datetime | None:
    return min(state.until.values(), default=None)


def shut(tick: Ticked, state: Waiting, _: Views) -> Decision[Waiting]:
    """One row for each event that has waited long enough, under the event's id."""
    over = {waiter: until for waiter, until in state.until.items() if until <= tick.occurred_at}
    rows = tuple(
        ThreadShut(
            event_id=event_id(waiter, "shut"), occurred_at=until, trace_id=waiter, cause_id=waiter, thread=waiter
        )
        for waiter, until in sorted(over.items())
    )
    return Decision(Waiting({waiter: until for waiter, until in state.until.items() if waiter not in over}), rows)


def trip(event: FollowerSought, state: Seen, _: Views) -> Decision[Seen]:
    """A core with a fault: it raises for one address."""
    if event.address == POISON:
        raise ValueError("a core with a fault")
    returned = BudgetReturned(**derived(event, "tripped"), budget=event.thread, mail_id=event.mail_id)
    return Decision(state.with_(event.event_id), (returned,))


Outgoing = OutboundSubmitted | OutboundDeferred


def attempt_of(event: Outgoing) -> Attempt:
    if isinstance(event, OutboundSubmitted):
        return Attempt(event.event_id, event.recipient, 1)
    return Attempt(event.submission.event_id, event.submission.recipient, event.attempt + 1)


def begin(event: Outgoing, state: Sent, _: Views, now: datetime) -> Decision[Sent] | Call[Attempt]:
    """What was concluded already is said again, without a call."""
    attempt = attempt_of(event)
    code = state.codes.get(f"{attempt.submission_id}#{attempt.number}")
    return Call(attempt) if code is None else Decision(state, (outcome(event, code, now),))


def conclude(event: Outgoing, attempt: Attempt, code: int, state: Sent, _: Views, now: datetime) -> Decision[Sent]:
    codes = {**state.codes, f"{attempt.submission_id}#{attempt.number}": code}
    return Decision(Sent(codes), (outcome(event, code, now),))


def outcome(event: Outgoing, code: int, now: datetime) -> Emission:
    submission = event if isinstance(event, OutboundSubmitted) else event.submission
    attempt = attempt_of(event).number
    if code // 100 == 4 and attempt < ATTEMPTS:
        return OutboundDeferred(
            **derived(submission, "deferred", f"{attempt}"),
            submission=submission,
            step="1m",
            attempt=attempt,
            not_before=now + RETRY_AFTER,
            first_attempt_at=submission.occurred_at,
        )
    return NotificationSent(
        **derived(submission, "sent"),
        notification_id=submission.notification_id,
        recipient=submission.recipient,
        reply=Reply(code=code),
    )


def answer(attempt: Attempt) -> int:
    """The world of the sender: recipients that begin with "later" are refused for now, but for the last attempt."""
    return 451 if attempt.recipient.startswith("later") and attempt.number < ATTEMPTS else 250


class World:
    """`answer` as a caller that writes down, before it answers, what it was asked: a line for each call."""

    def __init__(self, path: Path) -> None:
        self._lines = path.open("a", encoding="ascii", buffering=1)

    async def __call__(self, request: Attempt) -> int:
        self._lines.write(f"{request.submission_id}#{request.number}\n")
        return answer(request)

    async def close(self) -> None:
        self._lines.close()


COUNTING = Stage("counting", "trial", ("address.observed",), ("suppressions",), Counted, count)
CHAIN = Stage(
    "chain",
    "trial",
    ("message.sought", "message.settled"),
    ("message.sought", "message.settled"),
    Seen,
    hop,
)
WATCHING = Stage("watching", "trial", ("delivery.reported",), ("notification.updated",), Recent, watch, windowed=True)
CLOSING = Stage(
    "closing",
    "trial",
    ("chatter.published",),
    ("closed-threads",),
    Waiting,
    keep_open,
    due=closing,
    sweep=shut,
)
FRAGILE = Stage("fragile", "trial", ("thread.sought",), ("mail.routed",), Seen, trip)
SENDER = Sender(
    "sender",
    "trial",
    ("outbound.submitted", "outbound.deferred.1m"),
    ("outbound.deferred.1m", "notification.updated"),
    Sent,
    begin,
    conclude,
)
STAGES: tuple[Stage[Any], ...] = (COUNTING, CHAIN, WATCHING, CLOSING, FRAGILE)


def trial(calls: Path) -> Worker:
    """All of them as one worker; `calls` is where the sender's world writes what it was asked."""

    def open_world(_: Tools) -> World:
        return World(calls)

    return Worker("trial", STAGES, (Sending(SENDER, open_world),))


def _first(kind: str, number: int, at: datetime) -> dict[str, Any]:
    identity = event_id(kind, f"{number}")
    return {"event_id": identity, "occurred_at": at, "trace_id": identity}


def inputs(number: int, at: datetime, keys: int = 10, first: int = 0) -> Sequence[Event]:
    """`number` rounds of one event for each stage, from round `first` on, over `keys` keys; the same ids every time.

    The thirteenth event of `fragile` is poison, and every thirteenth after it; every third submission is deferred.
    """
    return [event for n in range(first, first + number) for event in _round(n, at + timedelta(seconds=n), n % keys)]


def _round(n: int, at: datetime, key: int) -> tuple[Event, ...]:
    asked = _first("chain", n, at)
    seeking: dict[str, Any] = {"sought": f"<{key}@a>", "remaining": (f"<{key + 1}@a>", f"<{key + 2}@a>")}
    sought = ThreadSought(**asked, **seeking, asking=f"<{n}@asking>", mail_id="m", accepted_at=at)
    followed = _first("fragile", n, at)
    address = POISON if n % 13 == 12 else "a@example.org"
    tripped = FollowerSought(**followed, asking="<a@a>", mail_id="m", address=address, thread=f"crm/{key}")
    reported: dict[str, Any] = {"notification_id": f"n{key}", "action": Action.DELAYED, "source": Source.SMTP}
    recipient = f"{'later' if n % 3 == 2 else 'now'}{key}@example.org"
    return (
        AddressHeardFrom(**_first("counting", n, at), address=f"a{key}@example.org"),
        sought,
        DeliveryReported(**_first("watching", n, at), **reported),
        ThreadClosed(**_first("closing", n, at), thread=f"crm/{key}"),
        tripped,
        OutboundSubmitted(**_first("sender", n, at), recipient=recipient, message_id=f"<{n}@out>"),
    )
