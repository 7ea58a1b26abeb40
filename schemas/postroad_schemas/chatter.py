"""The discussion of a record: what apps publish and read."""

from datetime import datetime
from enum import StrEnum

import msgspec

from postroad_schemas.event import Event
from postroad_schemas.mail import Notice
from postroad_schemas.values import FailureType, Follower, Post, Reply, Stream


class RecordRequested(Event, frozen=True, kw_only=True, tag="record.requested"):
    """A mail opens a record: the app creates it and adds the post as its first message (R9, R14).

    The thread ref is final: the app keeps it beside its own id. Publish RecordRejected if it cannot be created.
    """

    thread: str  # "type/id"
    record_type: str
    title: str = ""
    alias: str = ""
    defaults: dict[str, str | int | float | bool | None] = {}  # the alias's (D2)
    domain: str = ""  # alias domain: the record's company
    owner_thread: str = ""
    followers: tuple[Follower, ...] = ()  # the author, if a known contact
    post: Post
    notice: Notice = Notice()  # whether the sender is told, and where, should the record be rejected
    mail_id: str = ""
    rule: str = ""
    directory_version: int = 0


class ThreadOpened(Event, frozen=True, kw_only=True, tag="thread.opened"):
    """An app says that a record has a discussion, or how it is called now."""

    thread: str
    record_type: str = ""  # empty: the part of the ref before the slash
    title: str = ""
    alias: str = ""  # an alias bound to this thread
    domain: str = ""  # empty: the default alias domain
    owner_thread: str = ""  # its team
    followers: tuple[Follower, ...] = ()


class ThreadFollowed(Event, frozen=True, kw_only=True, tag="thread.followed"):
    """They are told of the thread's posts from now on (F1)."""

    thread: str
    followers: tuple[Follower, ...]


class ThreadUnfollowed(Event, frozen=True, kw_only=True, tag="thread.unfollowed"):
    """They are told no more."""

    thread: str
    followers: tuple[Follower, ...]


class ThreadClosed(Event, frozen=True, kw_only=True, tag="thread.closed"):
    """The thread takes no more posts: deleted, or archived for good (R4)."""

    thread: str
    reason: str = ""


class ChatterPosted(Event, frozen=True, kw_only=True, tag="chatter.posted"):
    """A post on a thread, by an app or by a mail that answered."""

    thread: str
    post: Post
    follow: bool = False  # the author follows the thread from now on (R15)
    mail_id: str = ""
    rule: str = ""
    directory_version: int = 0


class RecordRejected(Event, frozen=True, kw_only=True, tag="record.rejected"):
    """The app could not create the requested record (R14). `reason` is for operators, not for the sender."""

    thread: str
    reason: str = ""


class PostChunk(Event, frozen=True, kw_only=True, tag="post.chunk"):
    """The next few hundred followers of a large thread are to be told of a post."""

    thread: str
    post: Post
    message_id: str  # shared by all copies
    subject: str = ""
    references: tuple[str, ...] = ()
    after: str  # follower key: those behind it, in order, are still to be told
    chunk: int  # from 1


class Channel(StrEnum):
    MAIL = "mail"
    IN_APP = "in_app"
    NONE = "none"


class PlanReason(StrEnum):
    """F3: why a follower is told this way, or not at all."""

    FOLLOWS = "follows"
    ADDRESSED = "addressed"  # addressed by name
    AUTHOR = "author"
    ALREADY_ADDRESSED = "already_addressed"  # F2
    IN_APP = "in_app"
    ARCHIVED = "archived"
    NOTE = "note"
    OWN_ADDRESS = "own_address"
    SUPPRESSED = "suppressed"
    AUTOMATIC = "automatic"  # L7
    NO_ADDRESS = "no_address"


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    contact: str = ""
    address: str = ""  # normalised
    channel: Channel
    reason: PlanReason
    notification_id: str = ""  # of mail


class NotificationPlanned(Event, frozen=True, kw_only=True, tag="notification.planned"):
    """F3: who is told of a post, how and why. Precedes every copy. A large thread's plan comes in chunks."""

    thread: str
    post_id: str
    message_id: str
    chunk: int = 0
    followers: tuple[Planned, ...] = ()


class NotificationSent(Event, frozen=True, kw_only=True, tag="notification.sent"):
    """The recipient's server, or a smarthost, took the message."""

    notification_id: str
    recipient: str
    message_id: str = ""
    thread: str = ""
    mailing: str = ""
    stream: Stream = Stream.CHATTER
    server: str = ""
    reply: Reply = Reply()


class NotificationDelayed(Event, frozen=True, kw_only=True, tag="notification.delayed"):
    """Not delivered yet, and tried again without anybody's doing: no failure (B2)."""

    notification_id: str
    recipient: str
    message_id: str = ""
    thread: str = ""
    mailing: str = ""
    stream: Stream = Stream.CHATTER
    status: str = ""
    diagnostic: str = ""
    next_attempt_at: datetime | None = None


class NotificationFailed(Event, frozen=True, kw_only=True, tag="notification.failed"):
    """The red envelope (B2): `author` is to be shown that `recipient` did not get the message."""

    notification_id: str
    recipient: str
    message_id: str = ""
    thread: str = ""
    mailing: str = ""
    stream: Stream = Stream.CHATTER
    author: str = ""  # the post's author: contact id, else address
    failure: FailureType = FailureType.UNKNOWN
    expired: bool = False  # O8: tried until the retry time was over
    status: str = ""  # RFC 3463
    diagnostic: str = ""


class NotificationComplained(Event, frozen=True, kw_only=True, tag="notification.complained"):
    """The recipient marked the message as unwanted (RFC 5965)."""

    notification_id: str
    recipient: str
    message_id: str = ""
    thread: str = ""
    mailing: str = ""
    stream: Stream = Stream.CHATTER
    feedback_type: str = ""  # RFC 5965 7.3
