"""The catalogue: every topic, what is on it, how it is keyed, who writes and who reads."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from postroad_schemas.address import (
    AddressBarred,
    AddressBlacklisted,
    AddressFailed,
    AddressHeardFrom,
    AddressLeft,
    AddressPardoned,
    ListLeft,
    ThreadShut,
)
from postroad_schemas.chatter import (
    ChatterPosted,
    NotificationComplained,
    NotificationDelayed,
    NotificationFailed,
    NotificationPlanned,
    NotificationSent,
    PostChunk,
    RecordRejected,
    RecordRequested,
    ThreadClosed,
    ThreadFollowed,
    ThreadOpened,
    ThreadUnfollowed,
)
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
    Contact,
    DkimKey,
    FormerAddress,
    IncomingMailbox,
    Parameter,
    RowProposed,
    RowRefused,
    SigningKey,
    Smarthost,
    row_key,
)
from postroad_schemas.event import Ticked
from postroad_schemas.mail import BudgetReturned, HeldMail, MailReceived, MailRefused, MailRouted
from postroad_schemas.message import FollowerAnswered, FollowerSought, MessageSettled, OriginSought, ThreadSought
from postroad_schemas.outbound import (
    DeliveryReported,
    FeedbackReported,
    OutboundCancelled,
    OutboundDeferred,
    OutboundGranted,
    OutboundHeld,
    OutboundMetered,
    OutboundReleased,
    OutboundSubmitted,
    RecipientSettled,
)

NotificationUpdate = NotificationSent | NotificationDelayed | NotificationFailed | NotificationComplained

WORKERS = ("ingest", "routing", "loop_guard", "bounces", "fanout", "dispatch")

# O8: one due time per tier, so that the head of a tier is always the next one due.
TIERS: dict[str, timedelta | None] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "8h": timedelta(hours=8),
    "day": None,  # until the next UTC day (O5)
}


def normalise(address: str) -> str:
    """The key form of an address: lower case, domain in IDNA form (behaviour: "Normalised address").

    Writers of events pass addresses that are normalised already; this catches what they forget.
    """
    local, at, domain = address.strip().rpartition("@")
    if at and not domain.isascii():
        with contextlib.suppress(UnicodeError):
            domain = domain.lower().encode("idna").decode("ascii")
    return f"{local}{at}{domain}".lower()


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `group` names the topics that share keys and so must have as many partitions as one another."""

    name: str
    meaning: str
    key: str  # in words
    group: str
    events: dict[type, Callable[[Any], str]]  # each with what makes its key
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    table: bool = False  # compacted: the newest row of a key stands
    ticks: bool = False  # a stateful input: Ticked comes on it
    retention: timedelta = timedelta(days=7)  # of streams


def _notification_home(event: NotificationUpdate) -> str:
    return event.mailing or event.thread or event.notification_id


def _deferred(step: str) -> Topic:
    return Topic(
        f"outbound.deferred.{step}",
        f"Messages to be tried again, tier {step}",
        "normalised recipient",
        "recipient",
        {OutboundDeferred: lambda e: normalise(e.submission.recipient)},
        ("dispatch",),
        ("dispatch",),
        retention=timedelta(days=8),
    )


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(
            "mail.received",
            "Mails and reports as accepted, and what they say",
            "Message-ID",
            "message",
            {MailReceived: lambda e: e.message_id},
            ("ingest", "operators"),
            ("routing",),
            ticks=True,
            retention=timedelta(days=30),
        ),
        Topic(
            "message.sought",
            "Questions on their way from one Message-ID to the next, and answers coming back",
            "what is looked for; at last the asking mail's Message-ID",
            "message",
            {
                ThreadSought: lambda e: e.sought or e.asking,
                OriginSought: lambda e: e.sought or e.asking,
                FollowerAnswered: lambda e: e.asking,
            },
            ("routing", "fanout"),
            ("routing",),
        ),
        Topic(
            "message.settled",
            "What became of each message",
            "Message-ID, or reply handle",
            "message",
            {MessageSettled: lambda e: e.settled},
            ("routing", "loop_guard", "fanout", "apps"),
            ("routing", "operators"),
            retention=timedelta(days=30),
        ),
        Topic(
            "thread.sought",
            "Does this address follow this thread?",
            "thread",
            "thread",
            {FollowerSought: lambda e: e.thread},
            ("routing", "fanout"),
            ("fanout",),
        ),
        Topic(
            "mail.routed",
            "Routed mails on their way past their budgets",
            "the budget's key; without budget the Message-ID",
            "budget",
            {
                MailRouted: lambda e: (
                    e.budgets[e.position].key if e.position < len(e.budgets) else f"none {e.message_id}"
                ),
                BudgetReturned: lambda e: e.budget,
            },
            ("routing", "loop_guard"),
            ("loop_guard",),
            ticks=True,
        ),
        Topic(
            "mail.refused",
            "Mails not taken, for the notice to their sender",
            "the notice's addressee; without one the Message-ID",
            "addressee",
            {MailRefused: lambda e: normalise(e.notice.addressee) or e.message_id},
            ("routing", "loop_guard", "fanout"),
            ("fanout", "operators"),
            ticks=True,
        ),
        Topic(
            "chatter.published",
            "The discussion of records: what apps publish, and what mail did to them",
            "thread",
            "thread",
            {
                RecordRequested: lambda e: e.thread,
                ThreadOpened: lambda e: e.thread,
                ThreadFollowed: lambda e: e.thread,
                ThreadUnfollowed: lambda e: e.thread,
                ThreadClosed: lambda e: e.thread,
                ChatterPosted: lambda e: e.thread,
                RecordRejected: lambda e: e.thread,
            },
            ("apps", "loop_guard"),
            ("fanout", "apps"),
            ticks=True,
            retention=timedelta(days=30),
        ),
        Topic(
            "fanout.continued",
            "The next followers of a large thread",
            "thread",
            "thread",
            {PostChunk: lambda e: e.thread},
            ("fanout",),
            ("fanout",),
        ),
        Topic(
            "notification.updated",
            "Who is told of a post, and what became of each notification",
            "mailing, else thread, else notification",
            "update",
            {
                NotificationPlanned: lambda e: e.thread,
                NotificationSent: _notification_home,
                NotificationDelayed: _notification_home,
                NotificationFailed: _notification_home,
                NotificationComplained: _notification_home,
            },
            ("fanout", "bounces", "dispatch"),
            ("apps",),
            retention=timedelta(days=30),
        ),
        Topic(
            "outbound.submitted",
            "Messages for people",
            "normalised recipient",
            "recipient",
            {
                OutboundSubmitted: lambda e: normalise(e.recipient),
                OutboundHeld: lambda e: normalise(e.recipient),
                OutboundReleased: lambda e: normalise(e.recipient),
                OutboundCancelled: lambda e: normalise(e.recipient),
            },
            ("fanout", "apps", "operators"),
            ("dispatch",),
            ticks=True,
        ),
        Topic(
            "outbound.metered",
            "May this server send one more today?",
            "server",
            "server",
            {OutboundMetered: lambda e: e.server},
            ("dispatch",),
            ("dispatch",),
            ticks=True,
        ),
        Topic(
            "outbound.granted",
            "Yes, or not before tomorrow",
            "normalised recipient",
            "recipient",
            {OutboundGranted: lambda e: normalise(e.submission.recipient)},
            ("dispatch",),
            ("dispatch",),
        ),
        *(_deferred(step) for step in TIERS),
        Topic(
            "delivery.reported",
            "What became of one message for one recipient",
            "notification",
            "notification",
            {DeliveryReported: lambda e: e.notification_id, FeedbackReported: lambda e: e.notification_id},
            ("dispatch", "routing", "ingest"),
            ("bounces",),
            ticks=True,
            retention=timedelta(days=30),
        ),
        Topic(
            "address.observed",
            "Failures, signs of life and orders about an address",
            "normalised address",
            "address",
            {
                AddressFailed: lambda e: normalise(e.address),
                AddressHeardFrom: lambda e: normalise(e.address),
                AddressBarred: lambda e: normalise(e.address),
                AddressPardoned: lambda e: normalise(e.address),
                AddressLeft: lambda e: normalise(e.address),
            },
            ("bounces", "routing", "ingest", "operators", "apps"),
            ("bounces",),
            ticks=True,
        ),
        Topic(
            "directory.proposed",
            "Directory rows as somebody wants them",
            "one constant key",
            "gate",
            {RowProposed: lambda _: "directory"},
            ("operators", "apps", "fanout", "loop_guard"),
            ("routing",),
        ),
        Topic(
            "directory",
            "What operators and apps declared, and what was refused",
            "kind and name",
            "directory",
            dict.fromkeys(
                (
                    AliasDomain,
                    Alias,
                    AliasState,
                    Smarthost,
                    IncomingMailbox,
                    Parameter,
                    FormerAddress,
                    SigningKey,
                    DkimKey,
                    RowRefused,
                ),
                row_key,
            ),
            ("routing",),
            ("ingest", "routing", "loop_guard", "bounces", "fanout", "dispatch", "operators"),
            table=True,
        ),
        Topic(
            "contacts",
            "The people an app knows",
            "the app's contact id",
            "contacts",
            {Contact: lambda e: e.contact_id},
            ("apps", "operators"),
            ("routing", "fanout"),
            table=True,
        ),
        Topic(
            "closed-threads",
            "Threads that take no more posts",
            "thread",
            "thread-table",
            {ThreadShut: lambda e: e.thread},
            ("fanout",),
            ("routing",),
            table=True,
        ),
        Topic(
            "suppressions",
            "Blacklisted addresses with evidence, and lists left",
            "normalised address; with a list's name behind a space for a list left",
            "address-table",
            {
                AddressBlacklisted: lambda e: normalise(e.address),
                ListLeft: lambda e: f"{normalise(e.address)} {e.list_name}",
            },
            ("bounces",),
            ("fanout", "dispatch", "apps"),
            table=True,
        ),
        Topic(
            "held",
            "Mails that wait for a person",
            "event id of the mail",
            "held",
            {HeldMail: lambda e: e.mail.event_id},
            ("routing", "loop_guard", "operators"),
            ("operators",),
            table=True,
        ),
    )
}

# The memory of dispatch is its stage's changelog, so it is listed with those: key, rows and readers as of a table.
SETTLED = "outbound.settled"

GROUPS = tuple(dict.fromkeys(topic.group for topic in TOPICS.values()))
SINGLE = frozenset({"gate"})  # groups of one partition, for one order of all

_TOPIC_OF: dict[type, Topic] = {event: topic for topic in TOPICS.values() for event in topic.events}


def topic_of(event: object) -> str:
    """The topic that an event belongs on. Raises KeyError for what is no event of the catalogue."""
    if isinstance(event, OutboundDeferred):
        return f"outbound.deferred.{event.step}"
    return _TOPIC_OF[type(event)].name


def key_of(event: object) -> str:
    """The key of an event on its topic."""
    return _TOPIC_OF[type(event)].events[type(event)](event)


__all__ = ["GROUPS", "SETTLED", "SINGLE", "TIERS", "TOPICS", "WORKERS", "RecipientSettled", "Ticked", "Topic", "key_of"]
