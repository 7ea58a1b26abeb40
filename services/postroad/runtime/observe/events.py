"""What each event adds to which counter: one table, applied to what was acknowledged."""

from collections import Counter as Kinds
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from postroad.runtime import tracing
from postroad.runtime.observe import metrics
from postroad.runtime.observe.figures import Counter, Values
from postroad.stage import Emission
from postroad_schemas.address import AddressBlacklisted
from postroad_schemas.chatter import NotificationFailed
from postroad_schemas.event import Tombstone, tag_of
from postroad_schemas.mail import HeldMail, MailReceived, MailRefused
from postroad_schemas.message import MessageSettled
from postroad_schemas.outbound import (
    DeliveryReported,
    FeedbackReported,
    OutboundDeferred,
    OutboundSubmitted,
    Source,
)

Increment: TypeAlias = tuple[Counter, Values]


def _received(event: MailReceived) -> Iterable[Increment]:
    return () if event.release else ((metrics.ACCEPTED, (event.door,)),)  # a release is no new mail


def _settled(event: MessageSettled) -> Iterable[Increment]:
    return ((metrics.SETTLED, (event.outcome, event.rule)),) if event.mail_id else ()  # else a message of our own


def _refused(event: MailRefused) -> Iterable[Increment]:
    told = "yes" if event.notice.addressee else "no"
    return [(metrics.REFUSALS, (reason, told)) for reason in dict.fromkeys(it.reason for it in event.refusals)]


def _held(event: HeldMail) -> Iterable[Increment]:
    return ((metrics.HELD, (event.rule,)),)


def _submitted(event: OutboundSubmitted) -> Iterable[Increment]:
    return ((metrics.SUBMITTED, (event.stream,)),)


def _deferred(event: OutboundDeferred) -> Iterable[Increment]:
    return ((metrics.RETRIES, (event.step,)),)


def _reported(event: DeliveryReported) -> Iterable[Increment]:
    if event.source is not Source.SMTP:
        return ((metrics.BOUNCES, (event.source, event.action, reason_in(event), family_of(event.status))),)
    tried = [(metrics.DELIVERIES, (event.server, event.action))] if event.attempt else []
    return tried if event.failure is None else [*tried, (metrics.DELIVERY_FAILURES, (event.failure,))]


def _complained(_: FeedbackReported) -> Iterable[Increment]:
    return ((metrics.COMPLAINTS, ()),)


def _failed(event: NotificationFailed) -> Iterable[Increment]:
    return ((metrics.RED_ENVELOPES, (event.failure,)),)


def _blacklisted(event: AddressBlacklisted) -> Iterable[Increment]:
    return ((metrics.BLACKLISTED, (event.rule,)),) if event.active else ()


TABLE: dict[type, Callable[[Any], Iterable[Increment]]] = {
    MailReceived: _received,
    MessageSettled: _settled,
    MailRefused: _refused,
    HeldMail: _held,
    OutboundSubmitted: _submitted,
    OutboundDeferred: _deferred,
    DeliveryReported: _reported,
    FeedbackReported: _complained,
    NotificationFailed: _failed,
    AddressBlacklisted: _blacklisted,
}


def increments(emission: Emission) -> Iterable[Increment]:
    """What one event adds, beside that it was published."""
    add = TABLE.get(type(emission))
    return () if add is None else add(emission)


def count(emissions: Sequence[Emission]) -> None:
    """Adds what was acknowledged. Summed up by kind first: a batch has many events of few kinds."""
    if tracing.spans is not None:
        tracing.spans.published(emissions)
    for kind, number in Kinds(map(type, emissions)).items():
        if kind is not Tombstone:
            metrics.PUBLISHED.inc(tag_of(kind), by=number)
    for emission in emissions:
        for counter, labels in increments(emission):
            counter.inc(*labels)


def reason_in(event: DeliveryReported) -> str:
    """P6: why, in a word of the fixed list."""
    from postroad.mail.bounce.classify import reason_of  # compiles a lot of words: only where bounces come in

    numbers = [int(part) if part.isascii() and part.isdigit() else -1 for part in event.status.split(".")]
    return reason_of(event.diagnostic, (numbers[1], numbers[2]) if len(numbers) == 3 else None)


def family_of(status: str) -> str:
    """Class and subject of a status (RFC 3463): "5.1" of "5.1.1"; "" where it says none."""
    kind, _, rest = status.partition(".")
    subject = rest.partition(".")[0]
    return f"{kind}.{subject}" if kind in ("2", "4", "5") and subject in tuple("01234567") else ""
