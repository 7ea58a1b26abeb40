"""The streams of the catalogue, in the order of a mail's way."""

from datetime import timedelta

from postroad_schemas.address import (
    AddressBarred,
    AddressFailed,
    AddressHeardFrom,
    AddressLeft,
    AddressPardoned,
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
    RowProposed,
)
from postroad_schemas.mail import BudgetReturned, MailReceived, MailRefused, MailRouted
from postroad_schemas.message import FollowerAnswered, FollowerSought, MessageSettled, OriginSought, ThreadSought
from postroad_schemas.outbound import (
    DeliveryReported,
    FeedbackReported,
    LeaveAsked,
    OutboundCancelled,
    OutboundDeferred,
    OutboundGranted,
    OutboundHeld,
    OutboundMetered,
    OutboundReleased,
    OutboundRetried,
    OutboundSubmitted,
)
from postroad_schemas.topic import TIERS, Topic, normalise

NotificationUpdate = NotificationSent | NotificationDelayed | NotificationFailed | NotificationComplained


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


STREAMS: tuple[Topic, ...] = (
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
            MailRouted: lambda e: e.budgets[e.position].key if e.position < len(e.budgets) else f"none {e.message_id}",
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
            OutboundRetried: lambda e: normalise(e.recipient),
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
        {
            DeliveryReported: lambda e: e.notification_id,
            FeedbackReported: lambda e: e.notification_id,
            LeaveAsked: lambda e: e.notification_id,
        },
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
        ("bounces", "routing", "operators", "apps"),
        ("bounces",),
        ticks=True,
    ),
    Topic(
        "directory.proposed",
        "Directory rows as somebody wants them",
        "one constant key",
        "gate",
        {RowProposed: lambda _: "directory"},
        ("operators", "apps", "fanout", "routing"),
        ("routing",),
    ),
)
