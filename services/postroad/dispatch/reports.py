"""What dispatch tells others: what became of each message, what was skipped and why."""

from datetime import datetime

import msgspec

from postroad.dispatch.attempt import Answer, Attempt, Step
from postroad.dispatch.bulk import list_of
from postroad.dispatch.judge import Outcome, last_words
from postroad.dispatch.plan import Unsendable, notification_of
from postroad.mail import status as rfc3463
from postroad.mail.address import normalise
from postroad_schemas.chatter import NotificationFailed
from postroad_schemas.directory import Smarthost
from postroad_schemas.event import Event, event_id
from postroad_schemas.outbound import (
    Action,
    DeliveryReported,
    OutboundDeferred,
    OutboundGranted,
    OutboundMetered,
    OutboundSubmitted,
    Source,
)
from postroad_schemas.values import Mailbox


def reported(attempt: Attempt, answer: Answer, outcome: Outcome) -> DeliveryReported:
    """What a server's answer made of the message (B1: the SMTP reply is one of three sides)."""
    submission, plan, failed = attempt.submission, attempt.plan, outcome.action is Action.FAILED
    verdict = rfc3463.judge(outcome.status, answer.reply.code or None, outcome.action, answer.reply.text)
    report_id = event_id(submission.event_id, "reported", str(attempt.number), outcome.action)
    return msgspec.structs.replace(
        _about(submission, report_id, answer.at, outcome.action),
        status=outcome.status,
        diagnostic=last_words(answer, outcome),
        proven=bool(answer.reply.code),
        permanent=failed and verdict.permanence == "permanent",
        hard=failed and verdict.hard and answer.step is not Step.MAIL,  # an answer to MAIL FROM is about the sender
        failure=outcome.failure,
        expired=outcome.expired,
        server=plan.server.name,
        server_rule=plan.rule,
        from_before=shown(plan.from_before),
        from_after=shown(plan.from_after),
        envelope_from=plan.envelope_from,
        attempt=attempt.number,
        reply=answer.reply,
        next_attempt_at=outcome.not_before,
    )


def unsent(submission: OutboundSubmitted, why: Unsendable, now: datetime) -> DeliveryReported:
    """O9: failed without being tried. Nobody's reply proves it, so it counts on no address."""
    return msgspec.structs.replace(
        _about(submission, event_id(submission.event_id, "reported", "0", Action.FAILED), now, Action.FAILED),
        status=why.status,
        diagnostic=why.why,
        permanent=why.status.startswith("5"),
        failure=why.failure,
        server=submission.server,
    )


def _about(submission: OutboundSubmitted, report_id: str, at: datetime, action: Action) -> DeliveryReported:
    """What dispatch's reports have in common: bounces knows recipient, thread, author and stream from them (B1)."""
    return DeliveryReported(
        event_id=report_id,
        occurred_at=at,
        trace_id=submission.trace_id,
        cause_id=submission.event_id,
        notification_id=notification_of(submission),
        recipient=normalise(submission.recipient),
        action=action,
        source=Source.SMTP,
        message_id=submission.message_id,
        thread=submission.thread,
        mailing=submission.mailing,
        list_name=list_of(submission),
        author=submission.author,
        stream=submission.stream,
    )


def skipped(submission: OutboundSubmitted, why: Unsendable, now: datetime) -> NotificationFailed:
    """O6: a skip names why, and is no delivery: no address is charged with it."""
    return NotificationFailed(
        event_id=event_id(submission.event_id, "skipped"),
        occurred_at=now,
        trace_id=submission.trace_id,
        cause_id=submission.event_id,
        notification_id=notification_of(submission),
        recipient=normalise(submission.recipient),
        message_id=submission.message_id,
        thread=submission.thread,
        mailing=submission.mailing,
        stream=submission.stream,
        author=submission.author,
        failure=why.failure,
        status=why.status,
        diagnostic=why.why,
    )


def deferred(attempt: Attempt, answer: Answer, outcome: Outcome) -> OutboundDeferred:
    """The message again, in the tier of this attempt. Its place in a daily limit is taken already (O5)."""
    submission = attempt.submission
    assert outcome.not_before is not None
    return OutboundDeferred(
        event_id=event_id(submission.event_id, "deferred", str(attempt.number)),
        occurred_at=answer.at,
        trace_id=submission.trace_id,
        cause_id=submission.event_id,
        submission=submission,
        step=outcome.step,
        attempt=attempt.number,
        not_before=outcome.not_before,
        first_attempt_at=attempt.first_attempt_at or answer.at,
        server=attempt.plan.server.name,
        reply=answer.reply,
        granted=True,
    )


def metered(submission: OutboundSubmitted, cause: str, server: Smarthost, now: datetime) -> OutboundMetered:
    """May it go today? The day is that of the question, not of the submission (O5)."""
    return OutboundMetered(
        event_id=event_id(cause, "metered", server.name),
        occurred_at=now,
        trace_id=submission.trace_id,
        cause_id=cause,
        server=server.name,
        limit=server.daily_limit,
        submission=submission,
    )


def waiting(granted: OutboundGranted, now: datetime) -> tuple[Event, ...]:
    """Over the daily limit: asks again on the next day, visibly. None of the retry time is used up (O5)."""
    submission, not_before = granted.submission, granted.not_before
    assert not_before is not None
    waits = OutboundDeferred(
        event_id=event_id(granted.event_id, "deferred", "day"),
        occurred_at=now,
        trace_id=submission.trace_id,
        cause_id=granted.event_id,
        submission=submission,
        step="day",
        attempt=0,
        not_before=not_before,
        first_attempt_at=now,
        server=granted.server,
    )
    if not_before <= now:
        return (waits,)
    report = msgspec.structs.replace(
        _about(submission, event_id(granted.event_id, "reported", "day"), now, Action.DELAYED),
        status="4.7.0",
        diagnostic=f"the daily limit of {granted.server} is reached",
        server=granted.server,
        next_attempt_at=not_before,
    )
    return (report, waits)


def shown(mailbox: Mailbox) -> str:
    """A mailbox for people, undecoded: `"Mary Jones" <mary@example.com>`."""
    if not mailbox.name:
        return mailbox.address
    name = mailbox.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{mailbox.address}>'
