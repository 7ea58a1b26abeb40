"""Values that several events share."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Mailbox(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 5322 3.4: an address with the name shown beside it."""

    address: str
    name: str = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 5321 2.3.1. None: the door does not know; an empty mail_from is the null reverse-path."""

    mail_from: str | None = None
    rcpt_to: tuple[str, ...] | None = None


class ObjectRef(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes in the object store, found by their digest."""

    ref: str  # "sha256/<64 hex digits>"
    size: int  # octets


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A part kept as an object (M7)."""

    name: str
    media_type: str  # RFC 2045, "image/png"
    content: ObjectRef
    content_id: str = ""  # RFC 2392, without brackets; the HTML's cid: links name it
    inline: bool = False  # RFC 2183


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail or a post says. Mail-born words are objects; an app may put a short text on the event itself."""

    text: str = ""
    html: str = ""
    text_ref: ObjectRef | None = None  # the full plain text
    html_ref: ObjectRef | None = None  # sanitised
    reply_ref: ObjectRef | None = None  # plain text without quotes and signature (M6)
    attachments: tuple[Attachment, ...] = ()


class Degree(StrEnum):
    """L7: the two degrees of automatic mail."""

    ANSWER = "answer"  # an answer by a machine: opens no record
    MADE = "made"  # made by a machine: opens records like any mail


class Automatic(msgspec.Struct, frozen=True, kw_only=True):
    """Why a mail counts as automatic (L7, RFC 3834)."""

    degree: Degree
    reason: str  # the header or envelope sign: "Auto-Submitted: auto-replied"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a trusted edge or our own checks say (I7, RFC 8601). Empty: not checked."""

    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    authserv_id: str = ""


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Under whom a post is shown (R15)."""

    address: str  # normalised; empty: no author
    name: str = ""
    contact: str = ""  # the app's contact id; empty: not a known contact


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of a thread's posts: a known contact, or a bare address."""

    contact: str = ""
    address: str = ""
    name: str = ""
    notes: bool = True  # is told of notes too, if internal (F1)


class PostKind(StrEnum):
    COMMENT = "comment"  # everybody who follows sees it
    NOTE = "note"  # internal followers only


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One contribution to a thread, born of a mail or of an app."""

    post_id: str = ""  # empty: the id of its event
    message_id: str = ""  # RFC 5322 3.6.4, with brackets: the mail's own; empty for an app's post (fan-out mints one)
    kind: PostKind = PostKind.COMMENT
    author: Author
    subject: str = ""
    contents: Contents = Contents()
    posted_at: datetime | None = None  # UTC: the mail's Date; None: the event's time
    in_reply_to: str = ""  # the message it answers
    parent: str = ""  # the thread's first message (R7)
    mailed_to: tuple[str, ...] = ()  # normalised addresses that have the mail already (F2)
    notify: tuple[Follower, ...] = ()  # addressed by name, beside the followers (F1)
    automatic: Automatic | None = None
    acknowledgement: bool = False  # an automatic acknowledgement: a reply to it is a comment (R7)
    opens_new: bool = False  # answers to it open a new record (R4)


class ThreadLink(msgspec.Struct, frozen=True, kw_only=True):
    """A thread that a message belongs to, and the way it came there."""

    thread: str  # "type/id"
    alias: str = ""  # "local@domain"
    record_type: str = ""
    first_message: str = ""
    new: bool = False


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An SMTP reply (RFC 5321 4.2). Code 0: none came."""

    code: int = 0
    text: str = ""


class FailureType(StrEnum):
    """O9: why a message did not reach somebody."""

    CONNECTION = "connection"
    ADDRESS_MISSING = "address_missing"
    ADDRESS_INVALID = "address_invalid"
    SENDER_MISSING = "sender_missing"
    SENDER_INVALID = "sender_invalid"
    REFUSED = "refused"
    EXPIRED = "expired"
    BLACKLISTED = "blacklisted"
    OPTED_OUT = "opted_out"
    DUPLICATE = "duplicate"
    SMTPUTF8_NEEDED = "smtputf8_needed"
    CONFIGURATION = "configuration"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Stream(StrEnum):
    """What kind of mail a message is: servers, blacklists and headers go by it."""

    CHATTER = "chatter"
    NOTICE = "notice"
    BULK = "bulk"
