"""Reads submissions, keeps what was done per recipient, tries each at a server and tells what became of it.

`begin` decides whether there is anything to try; the call is one SMTP transaction; `conclude` judges its answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from msgspec.structs import replace

from postroad.dispatch.attempt import Answer, Attempt
from postroad.dispatch.bulk import as_list_mail
from postroad.dispatch.judge import judge, policy
from postroad.dispatch.orders import CANCELLED, Order, obey, tried_now
from postroad.dispatch.plan import Unsendable, notification_of, plan
from postroad.dispatch.reports import deferred, metered, reported, skipped, unsent, waiting
from postroad.dispatch.settled import booked, due, entry_of, forget, serve, with_entry
from postroad.stage import Call, Decision, Sender
from postroad.views import Views
from postroad_schemas.directory import Smarthost
from postroad_schemas.event import Ticked
from postroad_schemas.outbound import (
    OutboundCancelled,
    OutboundDeferred,
    OutboundGranted,
    OutboundHeld,
    OutboundReleased,
    OutboundRetried,
    OutboundSubmitted,
    RecipientSettled,
    SettledState,
    SettledSubmission,
)
from postroad_schemas.topics import SETTLED, TIERS
from postroad_schemas.values import FailureType, Stream

Submission: TypeAlias = OutboundSubmitted | OutboundGranted | OutboundDeferred
Outbound: TypeAlias = Submission | Order | OutboundRetried
Begun: TypeAlias = Decision[RecipientSettled] | Call[Attempt]

_DEFERRED = tuple(f"outbound.deferred.{step}" for step in TIERS)
_SKIPPED = (FailureType.BLACKLISTED, FailureType.OPTED_OUT, FailureType.DUPLICATE)
_SKIPPED_IN_BULK = (*_SKIPPED, FailureType.ADDRESS_MISSING, FailureType.ADDRESS_INVALID)
_DUPLICATE = Unsendable(FailureType.DUPLICATE, "this address was served in this mailing already")


@dataclass(frozen=True, slots=True)
class Try:
    """A submission that it is time to try, whichever event says so."""

    submission: OutboundSubmitted
    cause: str  # the event's id
    made: int = 0  # attempts so far
    first_attempt_at: datetime | None = None
    granted_by: str = ""  # the server whose daily limit has counted it; "*": retries are free (O5)
    retried: str = ""  # the order to try it now


def sender(relay: Smarthost) -> Sender[RecipientSettled, Attempt, Answer]:
    """The sender of dispatch, with `relay` as the built-in server (O5)."""

    def begin(event: Outbound, state: RecipientSettled, views: Views, now: datetime) -> Begun:
        return begun(event, state, views, now, relay)

    return Sender(
        name="dispatch",
        worker="dispatch",
        reads=("outbound.submitted", "outbound.granted", *_DEFERRED),
        writes=(*_DEFERRED, "outbound.metered", "delivery.reported", "notification.updated"),
        state=RecipientSettled,
        begin=begin,
        conclude=conclude,
        tables=("directory", "suppressions"),
        due=due,
        sweep=sweep,
        changelog=SETTLED,
    )


def begun(
    event: Outbound,
    state: RecipientSettled,
    views: Views,
    now: datetime,
    relay: Smarthost,
) -> Begun:
    match event:
        case OutboundHeld() | OutboundCancelled():
            return obey(event, state, now)
        case OutboundReleased():
            entry = entry_of(state, event.submission_id)
            if entry is None or entry.state is not SettledState.HELD or entry.kept is None:
                return obey(event, state, now)
            free = "*" if entry.attempt else ""
            return go(Try(entry.kept, event.event_id, entry.attempt, None, free), state, views, now, relay)
        case OutboundRetried():
            waits = tried_now(event, state)
            if waits is None:
                return Decision(state)
            free = "*" if waits.attempt else ""
            since, new_id = waits.first_attempt_at, event.event_id
            return go(Try(event.submission, new_id, waits.attempt, since, free, new_id), state, views, now, relay)
        case _:
            submission = event if isinstance(event, OutboundSubmitted) else event.submission
            if stopped := stop(event, submission, state, now):
                return stopped
            return go(_try_of(event, submission), state, views, now, relay)


def stop(
    event: Submission,
    submission: OutboundSubmitted,
    state: RecipientSettled,
    now: datetime,
) -> Decision[RecipientSettled] | None:
    """Why this event leads to no attempt now; None if it does (O10: the same submission is recognised)."""
    entry = entry_of(state, submission.event_id)
    made = entry.attempt if entry else 0
    match entry.state if entry else None:
        case SettledState.DONE:
            return Decision(state)
        case SettledState.HELD:
            return Decision(booked(state, submission.event_id, SettledState.HELD, now, submission))
        case SettledState.CANCELLED:
            done = booked(state, submission.event_id, SettledState.DONE, now)
            return Decision(done, (unsent(submission, CANCELLED, now),))
    match event:
        case OutboundSubmitted() if entry is not None:
            return Decision(state)
        case OutboundDeferred() if entry is not None and event.attempt != made:
            return Decision(state)
        case OutboundGranted() if made:
            return Decision(state)
        case OutboundGranted(not_before=datetime()):
            waits = _waits(state, submission, now, not_before=event.not_before, server=event.server)
            return Decision(waits, waiting(event, now))
        case _:
            return None


def _try_of(event: Submission, submission: OutboundSubmitted) -> Try:
    match event:
        case OutboundGranted():
            return Try(submission, event.event_id, granted_by=event.server)
        case OutboundDeferred() if event.attempt:
            return Try(submission, event.event_id, event.attempt, event.first_attempt_at, "*")
        case _:
            return Try(submission, event.event_id)


def go(attempt: Try, state: RecipientSettled, views: Views, now: datetime, relay: Smarthost) -> Begun:
    """Plans anew each time, so that a change of the directory or the blacklist counts at once."""
    submission, bulk = attempt.submission, attempt.submission.stream == Stream.BULK
    planned = plan(submission, views, relay)
    if bulk and not attempt.made and submission.mailing in state.mailings:
        planned = _DUPLICATE
    if isinstance(planned, Unsendable):
        done = booked(state, submission.event_id, SettledState.DONE, now)
        tell = skipped if planned.failure in (_SKIPPED_IN_BULK if bulk else _SKIPPED) else unsent
        return Decision(done, (tell(submission, planned, now),))
    if planned.server.daily_limit and attempt.granted_by not in ("*", planned.server.name):
        asked = _waits(state, submission, now, server=planned.server.name, retried=attempt.retried)
        return Decision(asked, (metered(submission, attempt.cause, planned.server, now),))
    message = as_list_mail(submission, notification_of(submission), views)
    return Call(Attempt(message, planned, attempt.made + 1, attempt.first_attempt_at))


def _waits(
    state: RecipientSettled,
    submission: OutboundSubmitted,
    now: datetime,
    server: str,
    not_before: datetime | None = None,
    retried: str = "",
) -> RecipientSettled:
    """For its place in a daily limit: without an attempt yet (O5)."""
    waits = SettledSubmission(
        submission_id=submission.event_id,
        state=SettledState.DEFERRED,
        at=now,
        not_before=not_before,
        server=server,
        retried=retried or _retried(state, submission),
    )
    return with_entry(state, waits)


def conclude(
    event: Outbound,
    attempt: Attempt,
    answer: Answer,
    state: RecipientSettled,
    views: Views,
    _now: datetime,
) -> Decision[RecipientSettled]:
    """Books what the server answered; what it put off goes to a tier."""
    submission = attempt.submission
    first = attempt.first_attempt_at or answer.at
    outcome = judge(answer, submission.event_id, attempt.number, first, policy(views.directory))
    new = SettledSubmission(
        submission_id=submission.event_id, state=SettledState.DONE, attempt=attempt.number, at=answer.at
    )
    again = outcome.not_before is not None
    if again:
        new = replace(
            new,
            state=SettledState.DEFERRED,
            not_before=outcome.not_before,
            server=attempt.plan.server.name,
            reply=answer.reply,
            first_attempt_at=first,
            retried=event.event_id if isinstance(event, OutboundRetried) else _retried(state, submission),
        )
    settled = with_entry(state, new)
    if submission.stream == Stream.BULK:
        settled = serve(settled, submission.mailing)
    report = reported(attempt, answer, outcome)
    return Decision(settled, (report, deferred(attempt, answer, outcome)) if again else (report,))


def _retried(state: RecipientSettled, submission: OutboundSubmitted) -> str:
    entry = entry_of(state, submission.event_id)
    return entry.retried if entry else ""


def sweep(tick: Ticked, state: RecipientSettled, _: Views) -> Decision[RecipientSettled]:
    return Decision(forget(state, tick.occurred_at))
