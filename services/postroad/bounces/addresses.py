"""Each address's fate: failures since it was last heard from, and the blacklist (B3-B5)."""

from datetime import UTC, datetime, timedelta

import msgspec

from postroad.bounces.blacklist import KEPT, Logged, as_failure, evidence, logged, note, policy
from postroad.mail.address import normalise
from postroad.stage import Decision, Stage, descent
from postroad.views import Views
from postroad_schemas import Ticked
from postroad_schemas.address import (
    AddressBarred,
    AddressBlacklisted,
    AddressFailed,
    AddressHeardFrom,
    AddressLeft,
    AddressPardoned,
    Failure,
    ListLeft,
)

KEEP = timedelta(days=180)
_KEEP = KEEP.total_seconds()

Observed = AddressFailed | AddressHeardFrom | AddressBarred | AddressPardoned | AddressLeft


class AddressLog(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One address. Times are UTC seconds. `row` is what was said of it, while it is blacklisted."""

    failures: tuple[Logged, ...] = ()  # oldest first
    cleared_at: float = 0.0  # heard from, or pardoned: failures up to then count no more
    pardoned_at: float = 0.0  # orders and complaints up to then neither
    row: AddressBlacklisted | None = None
    forgotten: tuple[str, ...] = ()  # what came before `cleared_at` at its very moment: what comes after it counts

    @property
    def listed(self) -> bool:
        return self.row is not None

    def with_(self, failure: Logged) -> "AddressLog":
        """A repeat overwrites itself, and keeps the stream if only the first one knew it, and a proof likewise."""
        if failure.at < self.cleared_at or failure.notification_id in self.forgotten:
            return self
        former = next((f for f in self.failures if f.notification_id == failure.notification_id), None)
        if former and ((former.stream and not failure.stream) or (former.proven and not failure.proven)):
            return self
        log = sorted((*(f for f in self.failures if f is not former), failure))
        oldest = log[-1].at - _KEEP
        return msgspec.structs.replace(self, failures=tuple(f for f in log[-KEPT:] if f.at > oldest))

    def cleared(self, at: float) -> "AddressLog":
        if at < self.cleared_at:
            return self
        failures = tuple(failure for failure in self.failures if failure.at > at)
        before = self.forgotten if at == self.cleared_at else ()
        forgotten = (*before, *(failure.notification_id for failure in self.failures if failure.at == at))
        return msgspec.structs.replace(self, failures=failures, cleared_at=at, forgotten=forgotten)


def decide(event: Observed, state: AddressLog, views: Views) -> Decision[AddressLog]:
    """What is known of the address now; its row when that changes, and again when the event that changed it repeats."""
    match event:
        case AddressFailed(complaint=True):
            return _complained(event, state)
        case AddressFailed():
            return _failed(event, state, views)
        case AddressHeardFrom():
            return Decision(state.cleared(event.occurred_at.timestamp()))
        case AddressBarred():
            return _barred(event, state)
        case AddressPardoned():
            return _pardoned(event, state)
        case AddressLeft():
            return Decision(state, (_left(event),))


def _left(event: AddressLeft) -> ListLeft:
    return ListLeft(
        **descent(event, "left"), address=normalise(event.address), list_name=event.list_name, how=event.how
    )


def _failed(event: AddressFailed, state: AddressLog, views: Views) -> Decision[AddressLog]:
    after = state.with_(logged(event))
    if state.row is not None and state.row.cause_id == event.event_id:
        return Decision(after, (state.row,))
    if after == state or state.listed:
        return Decision(after)
    found = tuple(map(as_failure, evidence(after.failures, policy(views.directory))))
    return _listed(event, after, rule="B4", evidence=found, note=note(found)) if found else Decision(after)


def _complained(event: AddressFailed, state: AddressLog) -> Decision[AddressLog]:
    """At once, and proven or not: to go on mailing somebody who complained is worse than a bulk mail too few."""
    if state.row is not None and state.row.cause_id == event.event_id:
        return Decision(state, (state.row,))
    if state.listed or _forgiven(event, state):
        return Decision(state)
    complaint = Failure(
        at=event.occurred_at,
        notification_id=event.notification_id,
        status=event.status,
        diagnostic=event.diagnostic or "complaint",
    )
    words = f"Bulk mail stopped: a complaint ({complaint.diagnostic}) on {event.occurred_at:%Y-%m-%d}"
    return _listed(event, state, rule="B5", evidence=(complaint,), note=words)


def _barred(event: AddressBarred, state: AddressLog) -> Decision[AddressLog]:
    if state.row is not None and state.row.cause_id == event.event_id:
        return Decision(state, (state.row,))
    if _forgiven(event, state):
        return Decision(state)
    history = tuple(map(as_failure, state.failures))
    words = event.note or f"Bulk mail stopped by {event.by or 'hand'} on {event.occurred_at:%Y-%m-%d}"
    return _listed(event, state, rule="B5", evidence=history, note=words, by=event.by)


def _forgiven(event: AddressFailed | AddressBarred, state: AddressLog) -> bool:
    return event.occurred_at.timestamp() < state.pardoned_at or event.event_id in state.forgotten


def _listed(
    event: AddressFailed | AddressBarred,
    state: AddressLog,
    *,
    rule: str,
    evidence: tuple[Failure, ...],
    note: str,
    by: str = "",
) -> Decision[AddressLog]:
    row = AddressBlacklisted(
        **descent(event, "blacklisted"),
        address=normalise(event.address),
        rule=rule,
        evidence=evidence,
        note=note,
        by=by,
    )
    return Decision(msgspec.structs.replace(state, row=row), (row,))


def _pardoned(event: AddressPardoned, state: AddressLog) -> Decision[AddressLog]:
    """Lifts what came before it, and says so even of a row not known here. A later listing stands."""
    at = event.occurred_at.timestamp()
    after = msgspec.structs.replace(state.cleared(at), pardoned_at=max(state.pardoned_at, at))
    if at < state.pardoned_at or (state.row is not None and state.row.occurred_at > event.occurred_at):
        return Decision(after)
    words = event.note or f"Lifted by {event.by or 'hand'} on {event.occurred_at:%Y-%m-%d}"
    lifted = AddressBlacklisted(
        **descent(event, "lifted"), address=normalise(event.address), rule="B5", note=words, by=event.by, active=False
    )
    forgotten = after.forgotten if state.row is None else (*after.forgotten, state.row.cause_id)
    return Decision(msgspec.structs.replace(after, row=None, forgotten=forgotten), (lifted,))


def due(state: AddressLog) -> datetime | None:
    times = [state.failures[0].at] if state.failures else []
    times += [at for at in (state.cleared_at, state.pardoned_at) if at]
    return datetime.fromtimestamp(min(times), UTC) + KEEP if times else None


def sweep(tick: Ticked, state: AddressLog, _: Views) -> Decision[AddressLog]:
    before = (tick.occurred_at - KEEP).timestamp()
    return Decision(
        msgspec.structs.replace(
            state,
            failures=tuple(failure for failure in state.failures if failure.at > before),
            cleared_at=state.cleared_at if state.cleared_at > before else 0.0,
            forgotten=state.forgotten if state.cleared_at > before else (),
            pardoned_at=state.pardoned_at if state.pardoned_at > before else 0.0,
        )
    )


ADDRESSES = Stage(
    name="addresses",
    worker="bounces",
    reads=("address.observed",),
    writes=("suppressions",),
    state=AddressLog,
    decide=decide,
    tables=("directory",),
    due=due,
    sweep=sweep,
    windowed=True,
)
