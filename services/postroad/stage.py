"""The seam between what is decided and what runs it.

A stage is a pure decision: event, state of the event's key and views in; new state and events out. Three runners run
stages and know nothing about mail. A sender is a stage with one call to the world in its middle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeAlias, TypedDict, TypeVar

import msgspec

from postroad.views import Views
from postroad_schemas import Event, Row, Ticked, Tombstone, event_id

Emission: TypeAlias = Event | Row | Tombstone | msgspec.Struct
S = TypeVar("S", bound=msgspec.Struct)
Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Decision(Generic[S]):
    """What follows from one event: the key's new state, and what is told to others.

    A state equal to the empty one deletes the key. The same event on the same state gives the same decision.
    """

    state: S
    emit: tuple[Emission, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage(Generic[S]):
    """One sentence: reads these topics, keeps this state per key, emits onto those topics.

    `state()` is the empty state. All topics of `reads` share their keys (one group of the catalogue). `due` names the
    time at which a key wants to be looked at again; `sweep` is that look, with the tick's time as now.
    """

    name: str  # also names its changelog: "<name>.changelog"
    worker: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    state: type[S]
    decide: Callable[[Any, S, Views], Decision[S]]
    tables: tuple[str, ...] = ()  # the views it looks at
    due: Callable[[S], datetime | None] | None = None
    sweep: Callable[[Ticked, S, Views], Decision[S]] | None = None
    windowed: bool = False  # a state that is a window over time: on Faust in a cluster


@dataclass(frozen=True, slots=True)
class Call(Generic[Q]):
    """What a sender needs from the world before it can decide."""

    request: Q


@dataclass(frozen=True, slots=True)
class Sender(Generic[S, Q, A]):
    """A stage whose decision needs an answer from the world: `begin`, the call, `conclude`.

    A crash before the conclusion is durable repeats the call: the remote side recognises the repeat by its ids.
    Topics of `reads` whose events have a `not_before` are read when that time has come.
    `now` is the runner's clock: the world has one.
    """

    name: str
    worker: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    state: type[S]
    begin: Callable[[Any, S, Views, datetime], Decision[S] | Call[Q]]
    conclude: Callable[[Any, Q, A, S, Views, datetime], Decision[S]]
    tables: tuple[str, ...] = ()
    due: Callable[[S], datetime | None] | None = None
    sweep: Callable[[Ticked, S, Views], Decision[S]] | None = None
    changelog: str = ""  # empty: "<name>.changelog"


class Descent(TypedDict):
    """Whence an event comes: the first fields of every event that follows from another."""

    event_id: str
    occurred_at: datetime
    trace_id: str
    cause_id: str


def descent(cause: Event, *step: str, root: str = "") -> Descent:
    """Of what follows from `cause` by this step, which tells it from all else that does. A repeat is the same event.

    `root` stands for the cause's id where several causes must give the same event.
    """
    return {
        "event_id": event_id(root or cause.event_id, *step),
        "occurred_at": cause.occurred_at,
        "trace_id": cause.trace_id,
        "cause_id": cause.event_id,
    }


class Clock(Protocol):
    """Where runners and doors get the time; cores never do."""

    def __call__(self) -> datetime: ...
