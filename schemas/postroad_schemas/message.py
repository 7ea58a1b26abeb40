"""Questions that travel from key to key, and what is known of a message in the end."""

from datetime import datetime
from enum import StrEnum

import msgspec

from postroad_schemas.event import Event
from postroad_schemas.mail import Refusal
from postroad_schemas.values import ThreadLink


class Outcome(StrEnum):
    """R16: what every accepted mail ends in, exactly once. `posted` is for messages of our own."""

    DELIVERED = "delivered"
    DUPLICATE = "duplicate"
    REPORT = "report"
    ANSWER_TO_NOTICE = "answer_to_notice"
    REPEATED = "repeated"  # L6
    REFUSED = "refused"
    HELD = "held"
    POSTED = "posted"


class MessageSettled(Event, frozen=True, kw_only=True, tag="message.settled"):
    """What became of a message, kept at its Message-ID; or, for a reply handle, the thread it stands for.

    `occurred_at` is when it was settled: among several known references the newest wins (R3).
    """

    settled: str  # the Message-ID with brackets, or the reply handle
    mail_id: str = ""  # the acceptance it settles; empty for our own posts and handles
    outcome: Outcome
    rule: str = ""
    links: tuple[ThreadLink, ...] = ()
    note: bool = False
    automatic: bool = False  # an automatic acknowledgement (R7)
    opens_new: bool = False  # R4
    author: str = ""  # normalised address
    author_contact: str = ""
    recipient: str = ""  # the one recipient, if there was one only (P4)
    refusals: tuple[Refusal, ...] = ()
    former: str = ""  # R17: the outcome that a release revised, "held L1"
    notification_ids: tuple[str, ...] = ()  # of a report: what it was booked on
    directory_version: int = 0
    why: str = ""  # one sentence for people: the inputs that mattered


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The best answer so far to "which thread is meant?"."""

    message_id: str  # or the handle
    token: bool = False  # found by a reply handle, which beats references (R3)
    settled_at: datetime
    links: tuple[ThreadLink, ...] = ()
    note: bool = False
    automatic: bool = False
    opens_new: bool = False
    author: str = ""
    author_contact: str = ""


class ThreadSought(Event, frozen=True, kw_only=True, tag="thread.sought"):
    """Which thread does this mail answer? Goes from key to key, and at last to the asking mail's own.

    `sought` is what is looked for at this key; empty: the question is back.
    """

    asking: str  # Message-ID of the mail that asks
    mail_id: str  # its acceptance
    accepted_at: datetime  # it waits only for mails accepted earlier
    sought: str = ""
    remaining: tuple[str, ...] = ()  # handles first, then ids
    handle: Found | None = None  # the thread that a reply handle stands for
    best: Found | None = None  # the best reference; on the handle's thread, if one is


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the message that a report is about (P4)."""

    known: bool = False
    ours: bool = False
    recipient: str = ""
    author: str = ""
    thread: str = ""


class OriginSought(Event, frozen=True, kw_only=True, tag="origin.sought"):
    """Who was the one recipient of this message? Asked by a report that does not say. `sought` empty: back."""

    asking: str
    mail_id: str
    accepted_at: datetime
    sought: str = ""
    origin: Origin | None = None


class FollowerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What fan-out knows of one thread and one address."""

    thread: str
    known: bool = False  # the thread was heard of
    closed: bool = False
    contact: str = ""  # the following contact with this address
    follows: bool = False


class FollowerSought(Event, frozen=True, kw_only=True, tag="follower.sought"):
    """Does this address follow this thread (R12, R15)? Goes from thread to thread."""

    asking: str
    mail_id: str
    address: str  # normalised
    contacts: tuple[str, ...] = ()  # contact ids with this address
    thread: str
    remaining: tuple[str, ...] = ()
    answers: tuple[FollowerAnswer, ...] = ()


class FollowerAnswered(Event, frozen=True, kw_only=True, tag="follower.answered"):
    """The answers, back at the asking mail's key."""

    asking: str
    mail_id: str
    answers: tuple[FollowerAnswer, ...] = ()
