"""What follows from a provider's notice: the same events as from an SMTP reply or a report (B1)."""

from datetime import datetime

from postroad.ingest.webhooks.notice import Kind, Notice
from postroad.mail.address import normalise
from postroad.mail.message_id import Keyring
from postroad.mail.return_path import notification_of
from postroad.mail.status import judge, parse_status, reply_code
from postroad.stage import Descent
from postroad_schemas import event_id, notification_id
from postroad_schemas.outbound import Action, DeliveryReported, FeedbackReported, LeaveAsked, Source
from postroad_schemas.values import FailureType

Reported = DeliveryReported | FeedbackReported | LeaveAsked

_ACTIONS = {Kind.FAILED: Action.FAILED, Kind.DELAYED: Action.DELAYED, Kind.DELIVERED: Action.DELIVERED}


def reported(provider: str, notice: Notice, keys: Keyring, now: datetime) -> Reported | None:
    """The event; None for a leave of which nobody can say what is left.

    Every notice is proven: what is not has no notices. The same notice gives the same event id.
    """
    recipient = normalise(notice.recipient)
    notification, named, known = _home(provider, notice, recipient, keys)
    new_id = event_id("webhook", provider, notice.kind, notice.event, recipient)
    at = min(notice.at or now, now)  # nobody's clock puts a failure into the future
    first: Descent = {"event_id": new_id, "occurred_at": at, "trace_id": new_id, "cause_id": ""}
    if notice.kind is Kind.LEFT:
        return LeaveAsked(**first, notification_id=notification, how=provider) if known else None
    if notice.kind is Kind.COMPLAINED:
        return FeedbackReported(
            **first,
            notification_id=notification,
            recipient=named,
            feedback_type=notice.feedback_type or "abuse",
            source=Source.WEBHOOK,
            proven=True,
            message_id=notice.message_id,
            reporting_mta=notice.mta or provider,
        )
    failed = notice.kind is Kind.FAILED
    permanent, hard, status = _verdict(notice) if failed else (False, False, _status(notice))
    return DeliveryReported(
        **first,
        notification_id=notification,
        recipient=named,
        action=_ACTIONS[notice.kind],
        status=status,
        diagnostic=notice.diagnostic,
        source=Source.WEBHOOK,
        proven=True,
        permanent=permanent,
        hard=hard,
        failure=notice.meaning.failure if failed else None,
        message_id=notice.message_id,
        reporting_mta=notice.mta or provider,
    )


def _home(provider: str, notice: Notice, recipient: str, keys: Keyring) -> tuple[str, str, bool]:
    """The notification, whom the event may name, and whether the message is one that we know by ourselves.

    The token that we had the provider told says which notification, or our return path; else our Message-ID and the
    recipient do. Without any it is the address alone (B2), once for each of the provider's messages.
    """
    returned = notice.return_path.strip("<>").rpartition("@")[0].rpartition("+")[2]
    proven = notification_of(keys, notice.token) or notification_of(keys, returned)
    if proven:
        other = notice.message_id and notification_id(notice.message_id, recipient) != proven
        return proven, "" if other else recipient, True
    if notice.message_id:
        return notification_id(notice.message_id, recipient), recipient, True
    stands_for = f"{provider} {notice.provider_message or notice.event}"
    return notification_id(stands_for, recipient), recipient, False


def _status(notice: Notice) -> str:
    return str(parse_status(notice.status) or parse_status(notice.diagnostic) or "")


def _verdict(notice: Notice) -> tuple[bool, bool, str]:
    """P6: a status decides, then a reply code, then the provider's class, then the words. Permanent, hard, status."""
    meaning, status = notice.meaning, _status(notice)
    if meaning.failure is not FailureType.REFUSED:  # nobody was asked, or nobody answered
        return meaning.permanent, meaning.hard, status or meaning.status
    said = judge(notice.status, None, Action.FAILED.value, notice.diagnostic)
    if not meaning.unclear and not status and reply_code(notice.diagnostic) is None:
        return meaning.permanent, meaning.hard, meaning.status
    permanent = said.permanence == "permanent"
    # Which class of failure it is the status says; that the address is dead the provider may know better.
    return permanent, permanent and (said.hard or meaning.hard), status or (meaning.status if permanent else "")
