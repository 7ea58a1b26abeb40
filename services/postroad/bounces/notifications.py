"""Each notification's fate, from three sides: the SMTP reply, a report, a provider's webhook (B1, B2)."""

from datetime import UTC, datetime, timedelta

import msgspec

from postroad.bounces.fate import (
    COMPLAINED,
    PLANNED,
    Known,
    Report,
    address_failed,
    fate_of,
    known_from,
    stated,
    update,
)
from postroad.stage import Decision, Emission, Stage
from postroad.views import Views
from postroad_schemas import Ticked

KEEP = timedelta(days=30)  # after the last that changed something; later reports count for the address alone


class Notification(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One message for one recipient."""

    steps: tuple[tuple[int, str], ...] = ()  # each fate reached, and the report that brought it
    known: Known | None = None
    kept: tuple[Report, ...] = ()  # what came before dispatch's first report
    failed_by: str = ""  # the report that counted on the address
    complained_by: str = ""
    seen: float = 0.0  # UTC seconds of the latest report that changed something

    @property
    def fate(self) -> int:
        return self.steps[-1][0] if self.steps else PLANNED


def decide(report: Report, state: Notification, _: Views) -> Decision[Notification]:
    """A repeat says again what it said; what comes late changes nothing."""
    known = state.known or known_from(report)
    if known is None:
        return _seen(report, state, _early(report, state))
    # Dispatch's first report opens what was kept: it is told as if it had come in order.
    told = sorted((report, *state.kept), key=fate_of) if known.report == report.event_id else [report]
    after = msgspec.structs.replace(state, known=known)
    emit: tuple[Emission, ...] = ()
    for each in told:
        decision = _told(each, after, known)
        after, emit = decision.state, (*emit, *decision.emit)
    return _seen(report, state, Decision(after, emit))


def _seen(report: Report, before: Notification, decision: Decision[Notification]) -> Decision[Notification]:
    if decision.state == before:
        return decision
    seen = max(before.seen, report.occurred_at.timestamp())
    return Decision(msgspec.structs.replace(decision.state, seen=seen), decision.emit)


def _early(report: Report, state: Notification) -> Decision[Notification]:
    """Before dispatch's word: with a recipient it counts at once for the address, and waits for the rest (B1)."""
    decision = _booked(report, state, None) if report.recipient else Decision(state)
    fates = {fate_of(kept) for kept in state.kept}
    if fate_of(report) in fates and decision.state == state:
        return decision
    kept = (*state.kept, report)
    return Decision(msgspec.structs.replace(decision.state, kept=kept), decision.emit)


def _told(report: Report, state: Notification, known: Known) -> Decision[Notification]:
    decision = _booked(report, state, known) if known.recipient else Decision(state)
    step = (fate_of(report), report.event_id)
    if step[0] <= state.fate and step not in state.steps:
        return decision
    steps = state.steps if step in state.steps else (*state.steps, step)
    said = update(report, known)
    emit = decision.emit if said is None else (said, *decision.emit)
    return Decision(msgspec.structs.replace(decision.state, steps=steps), emit)


def _booked(report: Report, state: Notification, known: Known | None) -> Decision[Notification]:
    """Counts on the address, once per message and recipient; a complaint beside it, once too."""
    if not stated(report):
        return Decision(state)
    complaint = fate_of(report) == COMPLAINED
    by = state.complained_by if complaint else state.failed_by
    if by not in ("", report.event_id):
        return Decision(state)
    emit: tuple[Emission, ...] = (address_failed(report, known),)
    if complaint:
        return Decision(msgspec.structs.replace(state, complained_by=report.event_id), emit)
    return Decision(msgspec.structs.replace(state, failed_by=report.event_id), emit)


def due(state: Notification) -> datetime | None:
    return datetime.fromtimestamp(state.seen, UTC) + KEEP if state.seen else None


def sweep(tick: Ticked, state: Notification, _: Views) -> Decision[Notification]:
    old = state.seen <= (tick.occurred_at - KEEP).timestamp()
    return Decision(Notification() if old else state)


NOTIFICATIONS = Stage(
    name="notifications",
    worker="bounces",
    reads=("delivery.reported",),
    writes=("notification.updated", "address.observed"),
    state=Notification,
    decide=decide,
    due=due,
    sweep=sweep,
    windowed=True,
)
