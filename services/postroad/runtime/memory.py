"""All stages and senders in memory, one step after another: for simulations, demonstrations and laws.

Nothing here is left to chance, unless a source of chance is given; time stands still until it is told to move.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from postroad.runtime.reading import Core, key_bytes, key_text, tick, waits_until
from postroad.runtime.step import Poison, Step, Stepper, poison_of
from postroad.stage import Call, Emission, Sender, Stage
from postroad.views import Views
from postroad_schemas import TOPICS, Event, Record, Tombstone, read, record

LOOK_AGAIN = timedelta(minutes=1)  # after a sweep that left its key due


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a core could not work on. `reason` is that of the dead letters' headers."""

    reason: str
    error: str
    core: str  # the stage's or the sender's name
    topic: str
    event: Event


Listener: TypeAlias = Callable[[str, str, "Emission | DeadLetter", "Event | None"], None]
Pair: TypeAlias = tuple[Sender[Any, Any, Any], Callable[[Any], Any]]


class _Delivery(NamedTuple):
    number: int  # among all
    event: Any


class _Reader:
    """A core, its states as bytes by key, and when keys want to be swept."""

    def __init__(self, core: Core, views: Views, call: Callable[[Any], Any] | None = None) -> None:
        self.core = core
        self.call = call
        self.steps = Stepper(core, views)
        self.rows: dict[bytes, bytes] = {}
        self.due: dict[bytes, datetime] = {}


_Queue: TypeAlias = tuple[int, str, bytes]  # reader, topic, key


class MemoryLog:
    """The log, its readers and its clock.

    Without `shuffle` events are read in the one order in which they were appended. With it the next one is any that may
    come next: a topic's events of one key in their order, everything else in any.
    """

    def __init__(
        self,
        stages: Sequence[Stage[Any]],
        senders: Sequence[Pair] = (),
        views: Views | None = None,
        *,
        start: datetime,
        shuffle: random.Random | None = None,
    ) -> None:
        self.now = start
        self.views = views or Views()
        self._shuffle = shuffle
        self._readers = [
            *(_Reader(stage, self.views) for stage in stages),
            *(_Reader(sender, self.views, call) for sender, call in senders),
        ]
        self._reads: dict[str, list[int]] = {}
        for index, reader in enumerate(self._readers):
            for topic in reader.core.reads:
                self._reads.setdefault(topic, []).append(index)
        self._listeners: list[Listener] = []
        self._tables: dict[str, dict[str, Any]] = {}
        self._queues: dict[_Queue, deque[_Delivery]] = {}
        self._ready: list[tuple[int, _Queue]] = []  # a heap by number without shuffle
        self._waiting: list[tuple[datetime, int, _Queue]] = []  # a heap by time
        self._falling_due: list[tuple[datetime, int, bytes]] = []  # a heap by time
        self._count = 0

    def listen(self, callback: Listener) -> None:
        """`callback(topic, key, emission, cause)` is called with every record, in the order of appending.

        The cause is the event that was decided on, a Ticked for sweeps, None for what was published. Dead letters come
        with the topic "<worker>.dead".
        """
        self._listeners.append(callback)

    def publish(self, emissions: Iterable[Emission]) -> None:
        """Appends.

        Raises KeyError for what is no event of the catalogue, Unreadable for one with a field of a wrong type;
        appends nothing then.
        """
        self._append(_through_the_wire(map(record, emissions)), None)

    def rest(self) -> None:
        """Works until nothing is left to do at the present time."""
        while True:
            while self._ready or self._wake():
                self._deliver(self._choose())
            if not self._sweep_next():
                return

    def advance(self, to: datetime) -> None:
        """Moves the clock, and does on the way, in order, all that falls due."""
        self.rest()
        while (at := self._next_time()) is not None and at <= to:
            self.now = max(self.now, at)
            self.rest()
        self.now = max(self.now, to)
        self.rest()

    def state(self, name: str, key: str) -> Any:
        """The state of a stage's or sender's key; the empty one where there is none."""
        reader = next(reader for reader in self._readers if reader.core.name == name)
        return reader.steps.state(reader.rows.get(key_bytes(key)))

    def states(self, name: str) -> dict[str, Any]:
        """All states of a stage or sender that are not empty, by key."""
        reader = next(reader for reader in self._readers if reader.core.name == name)
        return {key_text(key): reader.steps.state(row) for key, row in reader.rows.items()}

    def rows(self, table: str) -> dict[str, Any]:
        """A table as of now."""
        return dict(self._tables.get(table, {}))

    def _append(self, emissions: Iterable[tuple[Record, Emission]], cause: Event | None) -> None:
        for made, emission in emissions:
            key = key_text(made.key)
            if TOPICS[made.topic].table:
                self._enter(made.topic, key, None if made.value is None else emission)
            if made.value is not None:
                self._spread(made.topic, made.key, emission)
            for listener in self._listeners:
                listener(made.topic, key, emission, cause)

    def _enter(self, table: str, key: str, row: Any) -> None:
        if row is None:
            self._tables.get(table, {}).pop(key, None)
        else:
            self._tables.setdefault(table, {})[key] = row
        self.views.apply(table, key, row)

    def _spread(self, topic: str, key: bytes, event: Any) -> None:
        for index in self._reads.get(topic, ()):
            self._count += 1
            queue = self._queues.setdefault((index, topic, key), deque())
            queue.append(_Delivery(self._count, event))
            if len(queue) == 1:
                self._line_up((index, topic, key))

    def _line_up(self, which: _Queue) -> None:
        """The queue's head may be read now, or waits for its time."""
        head = self._queues[which][0]
        until = waits_until(head.event)
        if until is not None and until > self.now:
            heapq.heappush(self._waiting, (until, head.number, which))
        elif self._shuffle:
            self._ready.append((head.number, which))
        else:
            heapq.heappush(self._ready, (head.number, which))

    def _wake(self) -> bool:
        """Lines up what has waited long enough; whether there was any."""
        woken = False
        while self._waiting and self._waiting[0][0] <= self.now:
            self._line_up(heapq.heappop(self._waiting)[2])
            woken = True
        return woken

    def _choose(self) -> _Queue:
        if self._shuffle is None:
            return heapq.heappop(self._ready)[1]
        index = self._shuffle.randrange(len(self._ready))
        self._ready[index], self._ready[-1] = self._ready[-1], self._ready[index]
        return self._ready.pop()[1]

    def _deliver(self, which: _Queue) -> None:
        index, topic, key = which
        queue = self._queues[which]
        event = queue[0].event  # stays the head meanwhile: what it leads to may queue up behind it
        reader = self._readers[index]
        try:
            step = self._step(reader, event, key)
            emissions = _read_again(step)
        except Poison as poison:
            self._bury(reader, topic, key, event, poison)
        else:
            self._keep(index, key, step)
            self._append(emissions, event)
        queue.popleft()
        if queue:
            self._line_up(which)
        else:
            del self._queues[which]

    def _step(self, reader: _Reader, event: Any, key: bytes) -> Step:
        """What the world raises is not for the dead letters: it goes up."""
        row, core = reader.rows.get(key), reader.core
        if isinstance(core, Stage) or reader.call is None:
            return reader.steps.decide(event, row)
        state = reader.steps.state(row)
        try:
            begun = core.begin(event, state, self.views, self.now)
        except Exception as error:
            raise poison_of(error) from error
        answer = reader.call(begun.request) if isinstance(begun, Call) else None
        try:
            if isinstance(begun, Call):
                begun = core.conclude(event, begun.request, answer, state, self.views, self.now)
            return reader.steps.step(begun)
        except Exception as error:
            raise poison_of(error) from error

    def _bury(self, reader: _Reader, topic: str, key: bytes, event: Any, poison: Poison) -> None:
        letter = DeadLetter(poison.reason, str(poison), reader.core.name, topic, event)
        for listener in self._listeners:
            listener(f"{reader.core.worker}.dead", key_text(key), letter, event)

    def _sweep_next(self) -> bool:
        """Sweeps the key that has been due longest; whether there was one."""
        at = self._next_due()
        if at is None or at > self.now:
            return False
        _, index, key = heapq.heappop(self._falling_due)
        reader = self._readers[index]
        del reader.due[key]
        ticked = tick(reader.core, self.now)
        try:
            step = reader.steps.sweep(ticked, reader.rows.get(key))
            emissions = _read_again(step)
        except Poison as poison:
            self._bury(reader, reader.core.reads[0], key, ticked, poison)
        else:
            self._keep(index, key, step, swept=True)
            self._append(emissions, ticked)
        return True

    def _keep(self, index: int, key: bytes, step: Step, *, swept: bool = False) -> None:
        reader = self._readers[index]
        if step.row is None:
            reader.rows.pop(key, None)
        else:
            reader.rows[key] = step.row
        reader.due.pop(key, None)
        if step.due is None or reader.core.sweep is None:
            return
        at = datetime.fromtimestamp(step.due, UTC)
        if swept and at <= self.now:
            at = self.now + LOOK_AGAIN
        reader.due[key] = at
        heapq.heappush(self._falling_due, (at, index, key))

    def _next_due(self) -> datetime | None:
        while self._falling_due:
            at, index, key = self._falling_due[0]
            if self._readers[index].due.get(key) == at:
                return at
            heapq.heappop(self._falling_due)  # it was put off, or is gone
        return None

    def _next_time(self) -> datetime | None:
        waiting = [self._waiting[0][0]] if self._waiting else []
        due = self._next_due()
        return min([*waiting, due] if due else waiting, default=None)


def _through_the_wire(records: Iterable[Record]) -> list[tuple[Record, Emission]]:
    """Each record with what its readers will see. Raises Unreadable."""
    return [
        (made, Tombstone(made.topic, key_text(made.key)) if made.value is None else read(made.topic, made.value))
        for made in records
    ]


def _read_again(step: Step) -> list[tuple[Record, Emission]]:
    """A core that emits what nobody can read has a fault. Raises Poison."""
    try:
        return _through_the_wire(step.records)
    except ValueError as error:
        raise poison_of(error) from error
