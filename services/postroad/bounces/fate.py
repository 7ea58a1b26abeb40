"""What one report means: for the notification's fate, and for the address (B1-B3)."""

from typing import TypedDict

import msgspec

from postroad.stage import descent
from postroad_schemas.address import AddressFailed, AddressLeft
from postroad_schemas.chatter import (
    NotificationComplained,
    NotificationDelayed,
    NotificationFailed,
    NotificationSent,
)
from postroad_schemas.outbound import Action, DeliveryReported, FeedbackReported, LeaveAsked, Source
from postroad_schemas.values import FailureType, Stream

Report = DeliveryReported | FeedbackReported
Update = NotificationSent | NotificationDelayed | NotificationFailed | NotificationComplained

PLANNED, DELAYED, SENT, FAILED, COMPLAINED = range(5)  # a notification only goes up

_FATE: dict[Action, int] = {
    Action.DELAYED: DELAYED,
    Action.DELIVERED: SENT,
    Action.RELAYED: SENT,
    Action.EXPANDED: SENT,
    Action.FAILED: FAILED,
}

# B3: what the receiving side did not state.
OURS = frozenset(
    {
        FailureType.CONNECTION,
        FailureType.ADDRESS_MISSING,
        FailureType.ADDRESS_INVALID,
        FailureType.SENDER_MISSING,
        FailureType.SENDER_INVALID,
        FailureType.BLACKLISTED,
        FailureType.OPTED_OUT,
        FailureType.DUPLICATE,
        FailureType.SMTPUTF8_NEEDED,
        FailureType.CONFIGURATION,
        FailureType.CANCELLED,
    }
)


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What dispatch's first report tells of a message."""

    report: str  # that report's event id
    recipient: str
    message_id: str
    thread: str
    mailing: str
    author: str
    stream: Stream
    list_name: str = ""  # of bulk mail: what its leave links leave (O6)


class _Home(TypedDict):
    notification_id: str
    recipient: str
    message_id: str
    thread: str
    mailing: str
    stream: Stream


def fate_of(report: Report) -> int:
    return COMPLAINED if isinstance(report, FeedbackReported) else _FATE[report.action]


def known_from(report: Report) -> Known | None:
    """Only dispatch knows what a message was; whatever else reports does not."""
    if isinstance(report, FeedbackReported) or report.source is not Source.SMTP:
        return None
    return Known(
        report=report.event_id,
        recipient=report.recipient,
        message_id=report.message_id,
        thread=report.thread,
        mailing=report.mailing,
        author=report.author,
        stream=report.stream or Stream.CHATTER,
        list_name=report.list_name,
    )


def stated(report: Report) -> bool:
    """B3: whether this is a failure of which the receiving side spoke. A delay is none."""
    if isinstance(report, FeedbackReported):
        return True
    return report.action is Action.FAILED and report.failure not in OURS


def update(report: Report, known: Known) -> Update | None:
    """What the app is told. Nothing of a notice: one that fails marks nothing (L8)."""
    if known.stream is Stream.NOTICE:
        return None
    after = descent(report, "notification")
    home: _Home = {
        "notification_id": report.notification_id,
        "recipient": known.recipient,
        "message_id": known.message_id,
        "thread": known.thread,
        "mailing": known.mailing,
        "stream": known.stream,
    }
    match report:
        case FeedbackReported():
            return NotificationComplained(**after, **home, feedback_type=report.feedback_type)
        case DeliveryReported(action=Action.FAILED):
            return NotificationFailed(
                **after,
                **home,
                author=known.author,
                failure=report.failure or FailureType.UNKNOWN,
                expired=report.expired,
                status=report.status,
                diagnostic=report.diagnostic,
            )
        case DeliveryReported(action=Action.DELAYED):
            return NotificationDelayed(
                **after,
                **home,
                status=report.status,
                diagnostic=report.diagnostic,
                next_attempt_at=report.next_attempt_at,
            )
        case _:
            return NotificationSent(**after, **home, server=report.server, reply=report.reply)


def address_failed(report: Report, known: Known | None) -> AddressFailed:
    """What counts for the address: dispatch's recipient, else the report's own.

    Told again once dispatch has spoken, with the stream: the notification's id makes it one failure.
    """
    address = known.recipient if known else report.recipient
    stream = known.stream if known else None
    after = descent(report, "address", f"{address} {stream}" if known else "")
    if isinstance(report, FeedbackReported):
        return AddressFailed(
            **after,
            address=address,
            notification_id=report.notification_id,
            proven=report.proven,
            diagnostic=report.feedback_type,
            stream=stream,
            complaint=True,
        )
    return AddressFailed(
        **after,
        address=address,
        notification_id=report.notification_id,
        status=report.status,
        permanent=report.permanent,
        hard=report.hard,
        proven=report.proven,
        diagnostic=report.diagnostic,
        failure=report.failure or FailureType.UNKNOWN,
        stream=stream,
    )


def address_left(asked: LeaveAsked, address: str, list_name: str) -> AddressLeft:
    """O6: who got the message leaves its list. That marks nothing failed."""
    return AddressLeft(**descent(asked, "left"), address=address, list_name=list_name, how=asked.how)
