"""One record through a stage, bytes in and bytes out: what the engine and the Faust runner have in common."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from postroad.stage import Decision, Emission, Sender, Stage
from postroad.views import Views
from postroad_schemas import Record, Ticked, Unreadable, read, record

EVENT_LIMIT = 1_000_000  # bytes; the broker's default for a record batch is 1 MiB
STATE_LIMIT = 8_000_000  # bytes of one key's state: 180,000 followers of a thread; the changelogs take batches of 9 MB


class Poison(Exception):  # noqa: N818  # it is what the record is
    """A record that must be passed. `reason`: those of `Unreadable`, "no_value", "raised", "too_large" or "state"."""

    def __init__(self, reason: str, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.reason = reason


class Step(NamedTuple):
    """What one event does to its key. A row of None deletes it."""

    row: bytes | None
    records: tuple[Record, ...]
    due: float | None = None  # seconds since the epoch
    decision: Decision[Any] | None = None  # what it was made of, for who counts; None: a dead letter

    @property
    def emitted(self) -> tuple[Emission, ...]:
        return self.decision.emit if self.decision else ()


class Stepper:
    """A stage or a sender over bytes. Every method raises Poison, and nothing else."""

    def __init__(self, core: Stage[Any] | Sender[Any, Any, Any], views: Views) -> None:
        self.core = core
        self.views = views
        self.empty: Any = core.state()
        self._decode = msgspec.msgpack.Decoder(core.state).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def event(self, topic: str, value: bytes | None) -> Any:
        """The event of a record."""
        if value is None:
            raise Poison("no_value", ValueError(f"a record without value on {topic}"))
        try:
            return read(topic, value)
        except Unreadable as error:
            raise Poison(error.reason, error) from error

    def state(self, row: bytes | None) -> Any:
        """The state that a row holds."""
        if row is None:
            return self.empty
        try:
            return self._decode(row)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Poison("state", error) from error

    def due(self, row: bytes | None) -> float | None:
        """When the key wants to be looked at again, in seconds since the epoch."""
        if row is None or self.core.due is None:
            return None
        return self._due(self.state(row))

    def decide(self, event: Any, row: bytes | None) -> Step:
        """The stage's decision on an event that is no tick."""
        assert isinstance(self.core, Stage)
        state = self.state(row)
        try:
            return self.step(self.core.decide(event, state, self.views))
        except Exception as error:
            raise poison_of(error) from error

    def sweep(self, tick: Ticked, row: bytes | None) -> Step:
        """The stage's second look at a key."""
        assert self.core.sweep is not None
        state = self.state(row)
        try:
            return self.step(self.core.sweep(tick, state, self.views))
        except Exception as error:
            raise poison_of(error) from error

    def step(self, decision: Decision[Any]) -> Step:
        """A decision as bytes."""
        row = None if decision.state == self.empty else self._encode(decision.state)
        if row is not None and len(row) > STATE_LIMIT:
            raise Poison("too_large", ValueError(f"a state of {len(row)} bytes; the limit is {STATE_LIMIT}"))
        due = None if row is None else self._due(decision.state)
        return Step(row, tuple(written(decision.emit)), due, decision)

    def sweeps(self, tick: Ticked) -> bool:
        """Whether it is a tick for this stage; those of others mean nothing to it."""
        return tick.stage == self.core.name and self.core.sweep is not None

    def _due(self, state: Any) -> float | None:
        try:
            due: datetime | None = self.core.due(state) if self.core.due else None
        except Exception as error:
            raise poison_of(error) from error
        return None if due is None else due.timestamp()


def written(emissions: Iterable[Emission]) -> Iterable[Record]:
    """Emissions as records that the broker will take."""
    for emission in emissions:
        made = record(emission)
        if made.value is not None and len(made.value) + len(made.key) > EVENT_LIMIT:
            raise Poison("too_large", ValueError(f"an event of {len(made.value)} bytes for {made.topic}"))
        yield made


def poison_of(error: Exception) -> Poison:
    """What a core raised, with the reason for the dead letters."""
    return error if isinstance(error, Poison) else Poison("raised", error)
