"""Messages for people on their way out, and what became of them."""

from datetime import datetime
from enum import StrEnum

import msgspec

from postroad_schemas.event import Event
from postroad_schemas.values import Contents, FailureType, Mailbox, Reply, Stream


class Header(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: str


class OutboundSubmitted(Event, frozen=True, kw_only=True, tag="outbound.submitted"):
    """One message for one recipient, not yet composed. Its event id is the submission: repeated, it is sent once."""

    recipient: str  # envelope recipient, as written
    to: tuple[Mailbox, ...] = ()  # shown; empty: the recipient
    from_: Mailbox | None = msgspec.field(default=None, name="from")  # None: the default From (O1)
    reply_to: Mailbox | None = None
    subject: str = ""
    message_id: str  # with brackets; shared by all copies of a post
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    headers: tuple[Header, ...] = ()  # beyond those of RFC 5322: X-Postroad-Thread, Auto-Submitted, ...
    contents: Contents = Contents()
    stream: Stream = Stream.CHATTER
    notification_id: str = ""
    null_reverse_path: bool = False  # notices (L8)
    thread: str = ""
    author: str = ""  # contact id, else address: who gets the red envelope
    domain: str = ""  # alias domain: the record's company (O3); empty: the default one
    mailing: str = ""  # O6
    list_name: str = ""  # what a leave link leaves (O6); empty: the mailing
    server: str = ""  # a dedicated server, used as given


class OutboundHeld(Event, frozen=True, kw_only=True, tag="outbound.held"):
    """An operator keeps a submission back."""

    recipient: str
    submission_id: str
    by: str = ""


class OutboundReleased(Event, frozen=True, kw_only=True, tag="outbound.released"):
    """An operator lets a held submission go out."""

    recipient: str
    submission_id: str
    by: str = ""


class OutboundCancelled(Event, frozen=True, kw_only=True, tag="outbound.cancelled"):
    """An operator stops a submission that is not sent yet."""

    recipient: str
    submission_id: str
    by: str = ""


class OutboundRetried(Event, frozen=True, kw_only=True, tag="outbound.retried"):
    """An operator has a deferred submission tried now, not at its time."""

    recipient: str
    submission: OutboundSubmitted  # as it was deferred
    by: str = ""


class OutboundDeferred(Event, frozen=True, kw_only=True, tag="outbound.deferred"):
    """To be tried again, not before a time (O8). Its topic is the tier `step`."""

    submission: OutboundSubmitted
    step: str  # "1m", "5m", "15m", "1h", "4h", "8h", "day"
    attempt: int  # attempts made so far
    not_before: datetime  # UTC
    first_attempt_at: datetime  # UTC; the retry time of 5 days runs from here
    server: str = ""
    reply: Reply = Reply()
    granted: bool = False  # its daily limit was counted already: retries are free (O5)


class OutboundMetered(Event, frozen=True, kw_only=True, tag="outbound.metered"):
    """May this server send one more today (O5)? Only for servers with a daily limit."""

    server: str
    limit: int
    submission: OutboundSubmitted


class OutboundGranted(Event, frozen=True, kw_only=True, tag="outbound.granted"):
    """Yes, today; or not before the next UTC day."""

    server: str
    submission: OutboundSubmitted
    not_before: datetime | None = None


class SettledState(StrEnum):
    DONE = "done"  # sent, failed or skipped
    DEFERRED = "deferred"
    HELD = "held"
    CANCELLED = "cancelled"


class SettledSubmission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What dispatch remembers of one submission, for 8 days."""

    submission_id: str
    state: SettledState
    attempt: int = 0
    at: datetime
    kept: OutboundSubmitted | None = None  # of a held one: what to send on release
    not_before: datetime | None = None  # of a deferred one: when it is tried again (UTC)
    server: str = ""  # of a deferred one
    reply: Reply = Reply()  # of a deferred one: what the server said
    first_attempt_at: datetime | None = None  # of a deferred one (UTC): from here its retry time runs
    retried: str = ""  # the order by which it was last tried before its time: it is obeyed once


class RecipientSettled(msgspec.Struct, frozen=True, kw_only=True, tag="recipient.settled", tag_field="type"):
    """A row of `outbound.settled`: what was done for one recipient lately."""

    submissions: tuple[SettledSubmission, ...] = ()
    mailings: tuple[str, ...] = ()  # O6: mailings this recipient was served in, newest last


class Action(StrEnum):
    """RFC 3464 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class Source(StrEnum):
    """B1: the three sides that failures come from."""

    SMTP = "smtp"
    REPORT = "report"
    WEBHOOK = "webhook"


class DeliveryReported(Event, frozen=True, kw_only=True, tag="delivery.reported"):
    """What became of one message for one recipient, whichever way we learned of it."""

    notification_id: str
    recipient: str = ""  # RFC 3464 2.3.2 Final-Recipient, normalised; empty: the report does not say
    original_recipient: str = ""  # RFC 3464 2.3.1
    action: Action
    status: str = ""  # RFC 3463, "5.1.1"
    diagnostic: str = ""
    source: Source
    proven: bool = False  # an SMTP reply, a signed webhook, or a report with our token or signed id (B4)
    permanent: bool = False  # P6
    hard: bool = False  # P6: the address itself is dead
    failure: FailureType | None = None  # O9; None unless failed
    expired: bool = False  # O8: tried until the retry time was over; `failure` is the last attempt's
    message_id: str = ""
    thread: str = ""
    mailing: str = ""
    list_name: str = ""  # O6; known to dispatch only
    author: str = ""
    stream: Stream | None = None  # known to dispatch only
    server: str = ""
    server_rule: str = ""  # the step of O1 that chose it
    from_before: str = ""  # O2
    from_after: str = ""
    envelope_from: str = ""  # O4
    attempt: int = 0
    reply: Reply = Reply()
    next_attempt_at: datetime | None = None
    reporting_mta: str = ""
    mail_id: str = ""  # of the report


class FeedbackReported(Event, frozen=True, kw_only=True, tag="feedback.reported"):
    """A complaint (RFC 5965)."""

    notification_id: str
    recipient: str = ""
    feedback_type: str = ""  # RFC 5965 7.3
    source: Source = Source.REPORT
    proven: bool = False
    message_id: str = ""
    reporting_mta: str = ""
    mail_id: str = ""


class LeaveAsked(Event, frozen=True, kw_only=True, tag="leave.asked"):
    """Somebody followed the leave link of a message (O6, RFC 8058): its recipient leaves its list."""

    notification_id: str
    how: str  # "one-click", "mailto"
