"""Stage `notices`: reads refused mails, keeps who was told of what lately, emits at most one notice for each (L8)."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from postroad.fanout.letter import answer_to, own_message_id, seconds
from postroad.fanout.notice_text import Texts, body
from postroad.mail.address import normalise
from postroad.mail.message_id import Flag, OwnId
from postroad.stage import Decision, Stage, descent
from postroad.views import Views
from postroad_schemas import Ticked, notification_id, short_id
from postroad_schemas.mail import MailRefused, RefusalReason
from postroad_schemas.outbound import Header, OutboundSubmitted
from postroad_schemas.values import Contents, Mailbox, Stream

REPEATS = 8 * 86_400  # seconds: how long after its window an entry still answers repeats
HEADERS = (
    Header(name="Auto-Submitted", value="auto-replied"),  # RFC 3834 3.1.7
    Header(name="X-Auto-Response-Suppress", value="All"),
)


class Notified(msgspec.Struct, frozen=True, array_like=True):
    """One notice that went out: why, at what time of its event, for which event, and until when that matters."""

    reason: RefusalReason
    at: float  # UTC seconds
    cause: str
    until: float  # UTC seconds


class Addressee(msgspec.Struct, frozen=True, array_like=True):
    """The state of `notices`: what one addressee was told lately."""

    notified: tuple[Notified, ...] = ()


def decide(texts: Texts, event: Any, state: Addressee, views: Views) -> Decision[Addressee]:
    """One notice for all refused routes of a mail, if any of its reasons was not told within the window."""
    if not isinstance(event, MailRefused) or not event.refusals:
        return Decision(state)
    addressee = event.notice.addressee
    bounce = views.directory.bounce_address(event.notice.domain)
    if not addressee or not bounce or views.directory.own(normalise(addressee)):
        return Decision(state)
    at = event.occurred_at.timestamp()
    reasons = tuple(sorted({refusal.reason for refusal in event.refusals}))
    told = {entry.reason for entry in state.notified if entry.cause == event.event_id}
    new = tuple(
        Notified(reason, at, event.event_id, at + event.window + REPEATS)
        for reason in reasons
        if not told and not _told(state, reason, at, event.window)
    )
    if not told and not new:
        return Decision(state)
    return Decision(Addressee((*state.notified, *new)), (_notice(texts, event, bounce, views),))


def _told(state: Addressee, reason: RefusalReason, at: float, window: int) -> bool:
    """Whether a notice of this reason lies less than a window away, on either side: events may come out of order."""
    return any(entry.reason == reason and abs(entry.at - at) < window for entry in state.notified)


def _notice(texts: Texts, event: MailRefused, bounce: str, views: Views) -> OutboundSubmitted:
    """Null reverse-path, From MAILER-DAEMON, and the mark of R2: its own id says that it is a notice."""
    addressee = event.notice.addressee
    author = event.author if event.author and normalise(event.author.address) == normalise(addressee) else None
    mark = OwnId("", short_id("notice", event.event_id), Flag.NOTICE, seconds(event.occurred_at))
    message_id = own_message_id(views, mark, event.notice.domain)
    return OutboundSubmitted(
        **descent(event, "notice"),
        recipient=addressee,
        to=(Mailbox(address=addressee, name=author.name if author else ""),),
        from_=Mailbox(name="MAILER-DAEMON", address=bounce),
        subject=answer_to(event.subject) or "Re:",
        message_id=message_id,
        in_reply_to=event.message_id,
        references=(event.message_id, message_id),
        headers=HEADERS,
        contents=Contents(text=body(texts, event, views)),
        stream=Stream.NOTICE,
        notification_id=notification_id(message_id, normalise(addressee)),
        null_reverse_path=True,
        domain=event.notice.domain,
    )


def due(state: Addressee) -> datetime | None:
    """When the oldest entry has served."""
    until = min((entry.until for entry in state.notified), default=None)
    return None if until is None else datetime.fromtimestamp(until, UTC)


def sweep(event: Ticked, state: Addressee, views: Views) -> Decision[Addressee]:  # noqa: ARG001  # the seam's shape
    """Drops what neither a window nor a repeat needs any more."""
    now = event.occurred_at.timestamp()
    return Decision(Addressee(tuple(entry for entry in state.notified if entry.until > now)))


def notices(texts: Texts) -> Stage[Addressee]:
    """The stage, with the words of its notices."""
    return Stage(
        name="notices",
        worker="fanout",
        reads=("mail.refused",),
        writes=("outbound.submitted",),
        state=Addressee,
        decide=partial(decide, texts),
        tables=("directory", "contacts"),
        due=due,
        sweep=sweep,
    )
