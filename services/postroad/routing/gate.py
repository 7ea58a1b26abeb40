"""The gate of the directory (D10): cleans and checks every proposed row, in one order, and is its only writer."""

from typing import TypeAlias

import msgspec

from postroad.routing.changes import Changes, Refused, changes
from postroad.routing.rows import Rows
from postroad.stage import Decision, Emission, Stage
from postroad.views import Views
from postroad.views.directory import Directory
from postroad_schemas import Tombstone
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
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

REMEMBERED = 32
"""Proposals whose answer is repeated when they come again, even once every view has seen it."""

replace = msgspec.structs.replace

KeptRow: TypeAlias = (
    AliasDomain
    | Alias
    | AliasState
    | Smarthost
    | IncomingMailbox
    | Parameter
    | FormerAddress
    | SigningKey
    | DkimKey
    | RowRefused
)


class Written(msgspec.Struct, frozen=True, array_like=True):
    key: str
    version: int
    row: KeptRow | None = None  # None: ended

    def emission(self) -> Emission:
        return Tombstone("directory", self.key) if self.row is None else self.row

    def seen_by(self, view: Directory) -> bool:
        """Whether the view has this, or what came after it. The end of a row is seen by its absence."""
        row = view.row(self.key)
        if row is not None:
            return row.version >= self.version
        return self.row is None and view.version >= self.version


class Answer(msgspec.Struct, frozen=True, array_like=True):
    proposal: str  # its event id
    written: tuple[Written, ...] = ()


class GateState(msgspec.Struct, frozen=True, array_like=True):
    """The directory's version, and the last answers: what they wrote counts though the view has not seen it yet."""

    version: int = 0
    answers: tuple[Answer, ...] = ()

    def unseen(self, view: Directory) -> dict[str, Written]:
        """By key, what was written last and the view has not seen: what came before it counts no more."""
        newest = {one.key: one for answer in self.answers for one in answer.written}
        return {key: one for key, one in newest.items() if not one.seen_by(view)}

    def rows(self, view: Directory) -> Rows:
        return Rows(view, {key: one.row for key, one in self.unseen(view).items()})


def decide(event: RowProposed, state: GateState, views: Views) -> Decision[GateState]:
    """Writes the row and what changes with it, or RowRefused; nothing when nothing changes."""
    view = views.directory
    known = next((answer for answer in state.answers if answer.proposal == event.event_id), None)
    if known is not None:
        return Decision(state, tuple(one.emission() for one in known.written))
    version = max(state.version, view.version)
    try:
        made = changes(event, state.rows(view))
    except Refused as refused:
        written: tuple[Written, ...] = (_refusal(event, str(refused), version),)
    else:
        written = _stamped(event, made, version)
        version += len(written)
    if not written:
        return Decision(state)
    answers = (*_still_needed(state, view), Answer(event.event_id, written))
    return Decision(GateState(version, answers), tuple(one.emission() for one in written))


def _still_needed(state: GateState, view: Directory) -> tuple[Answer, ...]:
    """The recent ones, and all since the oldest that the view has not seen: none without those that came after it."""
    unseen = state.unseen(view)
    recent = max(0, len(state.answers) - REMEMBERED + 1)
    for place, answer in enumerate(state.answers[:recent]):
        if any(unseen.get(one.key) is one for one in answer.written):
            return state.answers[place:]
    return state.answers[recent:]


def _stamped(event: RowProposed, made: Changes, version: int) -> tuple[Written, ...]:
    written = list[Written]()
    for key, row in made.made():
        version += 1
        if row is not None:
            first = made.before.get(made.moved_from.get(key, key))
            row = replace(
                row,
                version=version,
                created_at=(first.created_at if first else None) or event.occurred_at,
                changed_at=event.occurred_at,
                changed_by=event.by,
            )
        written.append(Written(key, version, row))  # type: ignore[arg-type]  # rows of the directory, all of them
    return tuple(written)


def _refusal(event: RowProposed, reason: str, version: int) -> Written:
    row = RowRefused(
        version=version,
        created_at=event.occurred_at,
        changed_at=event.occurred_at,
        changed_by=event.by,
        proposal=event.event_id,
        row_key=row_key(event.row) if event.row else event.remove,
        reason=reason,
    )
    return Written(row_key(row), version, row)


GATE = Stage(
    name="gate",
    worker="routing",
    reads=("directory.proposed",),
    writes=("directory",),
    state=GateState,
    decide=decide,
    tables=("directory",),
)
