"""What operators say about one submission: kept back, let go, not to be sent, tried now."""

from datetime import datetime
from typing import TypeAlias

from postroad.dispatch.plan import Unsendable
from postroad.dispatch.reports import unsent
from postroad.dispatch.settled import booked, entry_of, without_entry
from postroad.stage import Decision
from postroad_schemas.outbound import (
    OutboundCancelled,
    OutboundHeld,
    OutboundReleased,
    OutboundRetried,
    RecipientSettled,
    SettledState,
    SettledSubmission,
)
from postroad_schemas.values import FailureType

Order: TypeAlias = OutboundHeld | OutboundReleased | OutboundCancelled
CANCELLED = Unsendable(FailureType.CANCELLED, "cancelled by an operator")


def obey(order: Order, state: RecipientSettled, now: datetime) -> Decision[RecipientSettled]:
    """An order may come before its submission, or while it waits for its next attempt: then it holds when that comes.

    What is done stays done. The release of a submission that is here to be sent is not decided here.
    """
    entry = entry_of(state, order.submission_id)
    made = entry.attempt if entry else 0
    match order, entry.state if entry else None:
        case OutboundHeld(), None | SettledState.DEFERRED:
            return Decision(booked(state, order.submission_id, SettledState.HELD, now))
        case OutboundReleased(), SettledState.HELD if made:  # its next attempt is on its way
            return Decision(booked(state, order.submission_id, SettledState.DEFERRED, now))
        case OutboundReleased(), SettledState.HELD:
            return Decision(without_entry(state, order.submission_id))
        case OutboundCancelled(), SettledState.HELD if entry and entry.kept:
            done = booked(state, order.submission_id, SettledState.DONE, now)
            return Decision(done, (unsent(entry.kept, CANCELLED, now),))
        case OutboundCancelled(), None | SettledState.DEFERRED | SettledState.HELD:
            return Decision(booked(state, order.submission_id, SettledState.CANCELLED, now))
        case _:
            return Decision(state)


def tried_now(order: OutboundRetried, state: RecipientSettled) -> SettledSubmission | None:
    """The entry of what this order has tried now; None if there is nothing to try, or the order was obeyed before."""
    entry = entry_of(state, order.submission.event_id)
    if entry is None or entry.state is not SettledState.DEFERRED or entry.retried == order.event_id:
        return None
    return entry
