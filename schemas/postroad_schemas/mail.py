"""Mail on its way in: received, routed, refused, held."""

from datetime import datetime
from enum import StrEnum

import msgspec

from postroad_schemas.event import Event
from postroad_schemas.values import (
    Author,
    Automatic,
    Contents,
    Envelope,
    Mailbox,
    ObjectRef,
    Post,
    PostKind,
    Verdict,
)


class Door(StrEnum):
    SMTP = "smtp"
    LMTP = "lmtp"
    IMAP = "imap"
    POP3 = "pop3"
    PIPE = "pipe"
    HTTP = "http"


class ReportKind(StrEnum):
    """P2."""

    DELIVERY_STATUS = "delivery-status"  # RFC 3464
    DISPOSITION = "disposition-notification"  # RFC 8098
    FEEDBACK = "feedback-report"  # RFC 5965
    UNKNOWN = "unknown"


class ReportedRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient block of a report (P3, RFC 3464 2.3)."""

    final_recipient: str = ""
    original_recipient: str = ""
    action: str = ""  # RFC 3464 2.3.3, as written
    status: str = ""  # RFC 3463
    diagnostic: str = ""
    remote_mta: str = ""
    witness: str = "fields"  # what said so: "fields" of the report, or its "text"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail about another mail says (P1-P6)."""

    kind: ReportKind
    recipients: tuple[ReportedRecipient, ...] = ()
    original_message_id: str = ""  # P5
    original_to: tuple[str, ...] = ()  # addresses in To of the returned part (P4)
    original_references: tuple[str, ...] = ()
    reporting_mta: str = ""
    feedback_type: str = ""  # RFC 5965 7.3


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """R17: an operator lets a held mail go on."""

    held: str  # the event id of the held mail
    rule: str  # the rule that held it, which does not apply again
    earlier: tuple[str, ...] = ()  # those that earlier releases of this mail overrode: they do not either
    by: str = ""

    def overrides(self, rule: str) -> bool:
        return rule == self.rule or rule in self.earlier


class MailReceived(Event, frozen=True, kw_only=True, tag="mail.received"):
    """One acceptance of one mail (I2, I8): its bytes are durable, and this is what they say.

    `occurred_at` is the time of receipt. Two acceptances of the same bytes are two events.
    """

    door: Door
    mailbox: str = ""  # the incoming mailbox it was fetched from
    record_type: str = ""  # that mailbox's default record type (R10)
    peer: str = ""  # address of the client, as the door saw it
    envelope: Envelope = Envelope()
    message_id: str  # RFC 5322 3.6.4, with brackets
    message_id_derived: bool = False  # I6: the mail had none
    raw: ObjectRef
    author: Mailbox | None = None  # M2: first mailbox of From
    from_: tuple[Mailbox, ...] = msgspec.field(default=(), name="from")
    sender: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    return_path: str | None = None  # topmost Return-Path; None: absent
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    delivered_to: tuple[Mailbox, ...] = ()
    resent_to: tuple[Mailbox, ...] = ()
    resent_cc: tuple[Mailbox, ...] = ()
    subject: str = ""
    date: datetime | None = None  # UTC; None: absent or unreadable
    references: tuple[str, ...] = ()  # M4
    in_reply_to: tuple[str, ...] = ()
    automatic: Automatic | None = None
    suppress_notices: bool = False  # X-Auto-Response-Suppress (L7)
    list_id: str = ""  # RFC 2919
    verdict: Verdict = Verdict()
    contents: Contents = Contents()
    original: ObjectRef | None = None  # M9: the full source, when the mailbox asks to keep it
    fingerprint: str = ""  # L6: author, subject, references and folded body
    report: Report | None = None
    release: Release | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One way of a mail to one thread."""

    rule: str
    thread: str
    new: bool = False  # opens the thread
    alias: str = ""  # "local@domain"
    record_type: str = ""
    kind: PostKind = PostKind.COMMENT
    defaults: dict[str, str | int | float | bool | None] = {}
    domain: str = ""  # the alias domain: the record's company
    owner_thread: str = ""
    parent: str = ""  # the thread's first message
    answers: str = ""  # the message it answers, as found
    author: Author  # R15, for this thread
    follow: bool = False  # the author follows the thread from now on
    tell: str = ""  # contact or address told beside the followers: the note's author (R7)


class RefusalReason(StrEnum):
    POLICY = "policy"  # R12
    MISCONFIGURED = "misconfigured"  # R12
    CATCHALL = "catchall"  # R8, R11
    LOOP_LIMIT = "loop_limit"  # L1-L3
    RECORD_REJECTED = "record_rejected"  # R14


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a mail, or one route of it, was not taken."""

    reason: RefusalReason
    rule: str
    alias: str = ""
    text: str = ""  # the alias's own words


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the sender is told, and where (L8)."""

    addressee: str = ""  # normalised; empty: nobody is told
    why_not: str = ""
    domain: str = ""  # the alias domain in whose name it goes out


class Scope(StrEnum):
    """L2, L3: what a budget counts."""

    AUTHOR = "author"  # one author through one alias
    ALIAS = "alias"  # all authors through one alias
    TYPE = "type"  # one author, all aliases of a record type
    THREAD = "thread"  # one author on one thread
    FINGERPRINT = "fingerprint"  # L6: the same words to catchall


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One count that a mail must pass (L1-L3, L6, L9)."""

    key: str  # "author sales@example.com bob@example.org"
    scope: Scope
    limit: int
    window: int  # seconds
    amount: int = 1
    shadow: bool = False  # counted and reported, not enforced


class MailRouted(Event, frozen=True, kw_only=True, tag="mail.routed"):
    """What routing decided for one mail, on its way past its budgets, one key after another."""

    mail_id: str  # event id of the acceptance or release
    message_id: str
    received_at: datetime
    rule: str
    routes: tuple[Route, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notice: Notice = Notice()
    post: Post
    mail: MailReceived  # held as it was when a budget blocks
    budgets: tuple[Budget, ...] = ()
    position: int = 0  # index of the budget whose key this is
    shadowed: tuple[str, ...] = ()  # keys of shadow budgets that would have blocked
    directory_version: int = 0
    why: str = ""


class BudgetReturned(Event, frozen=True, kw_only=True, tag="budget.returned"):
    """L1: a later budget blocked the mail; what this one had reserved is given back."""

    budget: str
    mail_id: str


class MailRefused(Event, frozen=True, kw_only=True, tag="mail.refused"):
    """A mail was not taken. With an addressee, its sender may be told (L8)."""

    mail_id: str
    message_id: str
    refusals: tuple[Refusal, ...]
    notice: Notice = Notice()
    subject: str = ""
    references: tuple[str, ...] = ()
    author: Mailbox | None = None
    window: int = 7200  # seconds: one notice per addressee and reason within it
    directory_version: int = 0


class HeldMail(Event, frozen=True, kw_only=True, tag="mail.held"):
    """A mail that waits for a person: a row of `held`, gone when released or dropped. `occurred_at`: since when."""

    mail: MailReceived
    rule: str
    reason: str
