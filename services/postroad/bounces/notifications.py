"""Each notification's fate, from three sides: the SMTP reply, a report, a provider's webhook (B1, B2). And who left
the list that it came by (O6)."""

from datetime import UTC, datetime, timedelta

import msgspec

from postroad.bounces.fate import (
    COMPLAINED,
    PLANNED,
    Known,
    Report,
    address_failed,
    address_left,
    fate_of,
    known_from,
    stated,
    update,
)
from postroad.stage import Decision, Emission, Stage
from postroad.views import Views
from postroad_schemas import Ticked
from postroad_schemas.outbound import LeaveAsked

KEEP = timedelta(days=30)  # after the last that changed something; later reports count for the address alone
LEAVES = timedelta(days=180)
"""How long the leave links of a bulk mail work: people leave when they clear out, long after the reports have come, and
laws ask for 30 to 60 days. Of a mail older than KEEP only the address and its list are kept."""


class Subscription(msgspec.Struct, frozen=True, array_like=True):
    """Whom a leave link takes off which list."""

    address: str
    list_name: str


class Notification(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One message for one recipient."""

    steps: tuple[tuple[int, str], ...] = ()  # each fate reached, and the report that brought it
    known: Known | None = None
    kept: tuple[Report, ...] = ()  # what came before dispatch's first report
    failed_by: str = ""  # the report that counted on the address
    complained_by: str = ""
    seen: float = 0.0  # UTC seconds of the latest report that changed something
    leaves: tuple[LeaveAsked, ...] = ()  # that came before dispatch's first report, one each way
    subscription: Subscription | None = None  # what is left of a bulk mail after KEEP
    proven_by: str = ""  # the first proven report that counted on the address

    @property
    def fate(self) -> int:
        return self.steps[-1][0] if self.steps else PLANNED


def decide(event: Report | LeaveAsked, state: Notification, _: Views) -> Decision[Notification]:
    """A repeat says again what it said; what comes late changes nothing."""
    return _left(event, state) if isinstance(event, LeaveAsked) else _reported(event, state)


def _left(asked: LeaveAsked, state: Notification) -> Decision[Notification]:
    """O6. Before dispatch's word it waits. Of a message that is of no list nobody can leave."""
    if found := _subscription(state):
        return Decision(state, (address_left(asked, found.address, found.list_name),) if found.list_name else ())
    if any(waits.how == asked.how for waits in state.leaves):
        return Decision(state)
    seen = max(state.seen, asked.occurred_at.timestamp())
    return Decision(msgspec.structs.replace(state, leaves=(*state.leaves, asked), seen=seen))


def _subscription(state: Notification) -> Subscription | None:
    return Subscription(state.known.recipient, state.known.list_name) if state.known else state.subscription


def _reported(report: Report, state: Notification) -> Decision[Notification]:
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
    if known.report == report.event_id and known.list_name:
        emit = (*emit, *(address_left(asked, known.recipient, known.list_name) for asked in state.leaves))
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
    """Counts on the address, once per message and recipient; a complaint beside it, once too.

    A proven failure takes the place of one that was not (B4), so that the order in which they come changes nothing.
    """
    if not stated(report):
        return Decision(state)
    emit: tuple[Emission, ...] = (address_failed(report, known),)
    by = report.event_id
    if fate_of(report) == COMPLAINED:
        counted = state.complained_by in ("", by)
        return Decision(msgspec.structs.replace(state, complained_by=by), emit) if counted else Decision(state)
    if report.proven and state.proven_by in ("", by):
        return Decision(msgspec.structs.replace(state, failed_by=state.failed_by or by, proven_by=by), emit)
    if state.failed_by in ("", by):
        return Decision(msgspec.structs.replace(state, failed_by=by), emit)
    return Decision(state)


def due(state: Notification) -> datetime | None:
    if not state.seen:
        return None
    keep = LEAVES if state == _shrunk(state) else KEEP
    return datetime.fromtimestamp(state.seen, UTC) + keep


def sweep(tick: Ticked, state: Notification, _: Views) -> Decision[Notification]:
    """First all goes that reports were about, then who could leave which list."""
    now = tick.occurred_at
    if state.seen <= (now - LEAVES).timestamp():
        return Decision(Notification())
    return Decision(_shrunk(state) if state.seen <= (now - KEEP).timestamp() else state)


def _shrunk(state: Notification) -> Notification:
    """With nothing but what a leave link needs; the empty state of what is of no list."""
    found = _subscription(state)
    if found is None or not found.list_name:
        return Notification()
    return Notification(seen=state.seen, subscription=found)


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
