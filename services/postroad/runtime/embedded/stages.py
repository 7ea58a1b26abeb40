"""All stages in one task: decides in small slices, many steps to a transaction."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from postroad.runtime.dead import PoisonRun, TooMuchPoison, letter
from postroad.runtime.embedded.backlog import Backlog, States
from postroad.runtime.embedded.commits import Commits
from postroad.runtime.embedded.log import Changes, Kept, SqliteLog, Stored
from postroad.runtime.observe.watch import Standing, Watch
from postroad.runtime.reading import Core, tick
from postroad.runtime.step import Poison, Step, Stepper
from postroad.stage import Clock
from postroad.views import Views
from postroad_schemas import Ticked
from postroad_schemas.wire import headers

BATCH = 500  # steps to a transaction
SLICE = 0.01  # seconds that the event loop may be kept from others
SWEPT_AT_ONCE = 100_000  # keys; the others wait for the next tick

log = logging.getLogger(__name__)


class Reader:
    """What stages and senders have in common: backlogs, states, and the way to the dead letters."""

    def __init__(self, core: Core, views: Views, commits: Commits, clock: Clock) -> None:
        self.core = core
        self.steps = Stepper(core, views)
        self.states = States(core.name)
        self.backlogs: dict[str, Backlog] = {}
        self.run_of_poison = PoisonRun()
        self.watch = Watch(core.name)
        self.open_since: float | None = None  # when the oldest came that was taken and is not written
        self._commits = commits
        self._clock = clock

    async def open(self) -> None:
        """Finds the positions."""
        positions = await self._commits.ask(SqliteLog.positions, self.core.name)
        self.backlogs = {topic: Backlog(topic, positions.get(topic, 0)) for topic in self.core.reads}

    def event(self, stored: Stored) -> object:
        """Decoded once for all readers. Raises Poison."""
        if stored.event is None:
            stored.event = self.steps.event(stored.topic, stored.value)
        return stored.event

    def bury(self, stored: Stored, poison: Poison, changes: Changes) -> None:
        """Raises TooMuchPoison instead where that would be one too many."""
        self.run_of_poison.bad(stored, poison)
        stored.headers = stored.headers or headers(stored.event)
        changes.records.append(letter(self.core.worker, self.core.name, stored, poison, self._clock()))

    def keep(self, key: bytes, step: Step, changes: Changes) -> None:
        """Writes the step down, in memory too."""
        changes.records.extend(step.records)
        changes.emitted.extend(step.emitted)
        if step.row != self.states[key]:
            changes.states[self.core.name, key] = Kept(self.core.name, key, step.row, step.due)
            self.states[key] = step.row

    def sweep(self, ticked: Ticked, key: bytes, changes: Changes) -> None:
        """A look that fails is not repeated before the key's next event."""
        row = self.states[key]
        try:
            step = self.steps.sweep(ticked, row)
            self.keep(key, step, changes)
            self.watch.swept(ticked, step.decision, self._clock())
        except Poison as poison:
            log.error("%s: sweep of a key fails: %s", self.core.name, poison)
            changes.states[self.core.name, key] = Kept(self.core.name, key, row, None)

    @property
    def ready(self) -> bool:
        return bool(self.backlogs)

    def standing(self, now: float) -> Iterator[Standing]:  # noqa: ARG002  # of senders it is asked for
        """What waits, by topic."""
        for topic, backlog in self.backlogs.items():
            waiting = backlog.length(self._commits.ends.get(topic, 0))
            head = backlog.items[0].at if backlog.items else None
            yield Standing(topic, waiting, head if self.open_since is None else self.open_since)

    async def due(self, at: datetime) -> list[bytes]:
        """The keys to be swept."""
        until = None if self.core.due is None else at.timestamp()
        return await self._commits.ask(SqliteLog.due, self.core.name, until, SWEPT_AT_ONCE)


class StageReader(Reader):
    """A stage and what it has before it."""

    async def take(self, limit: int) -> list[Stored]:
        """The next records of all its topics, in the order of their arrival, with their states in memory."""
        filled = [backlog for backlog in self.backlogs.values() if await backlog.fill(self._commits)]
        taken: list[Stored] = []
        while filled and len(taken) < limit:
            backlog = filled[0] if len(filled) == 1 else min(filled, key=lambda it: it.items[0].at)
            taken.append(backlog.items.popleft())
            if backlog.empty:
                filled.remove(backlog)
            elif not backlog.items:
                break  # what must be fetched first may have come before what the others have
        self.open_since = taken[0].at if taken else None
        await self.states.load({stored.key for stored in taken}, self._commits)
        return taken

    def step(self, stored: Stored, changes: Changes) -> None:
        """Raises TooMuchPoison."""
        try:
            event = self.event(stored)
            if not isinstance(event, Ticked):  # ticks are for clusters; here the runner sweeps
                row, began = self.states[stored.key], time.time_ns()
                step = self.steps.decide(event, row)
                self.keep(stored.key, step, changes)
                self.run_of_poison.good()
                self.watch.taken(event, step.decision, self._clock(), changed=step.row != row, began=began)
        except Poison as poison:
            self.bury(stored, poison, changes)
        changes.positions[self.core.name, stored.topic] = stored.offset

    @property
    def quiet(self) -> bool:
        return all(backlog.empty for backlog in self.backlogs.values())


class Stages:
    """Runs stage readers until it is cancelled. Raises TooMuchPoison."""

    def __init__(self, readers: Sequence[StageReader], commits: Commits) -> None:
        self._readers = list(readers)
        self._commits = commits
        self._called = asyncio.Event()
        self._tick: datetime | None = None
        self._working = True

    def wake(self) -> None:
        """There may be something to read."""
        self._called.set()

    def tick(self, at: datetime) -> None:
        self._tick = at
        self._called.set()

    @property
    def quiet(self) -> bool:
        return not self._working and self._tick is None and all(reader.quiet for reader in self._readers)

    async def run(self) -> None:
        while True:
            self._called.clear()
            self._working = True
            worked = await self._read()
            if self._tick is not None:
                await self._sweep(self._tick)
                self._tick = None
                worked = True
            self._working = worked
            if not worked:
                await self._called.wait()

    async def _read(self) -> bool:
        """One transaction's worth of steps; whether there were any. The last to be served is the first next time."""
        changes, left, slices = Changes(), BATCH, _Slices()
        try:
            for reader in self._readers:
                for stored in await reader.take(left):
                    reader.step(stored, changes)
                    left -= 1
                    await slices.breathe()
                if left <= 0:
                    break
        except TooMuchPoison:
            await self._commits.insist(changes)  # what came before is done
            raise
        if left == BATCH:
            return False
        await self._commits.insist(changes)
        self._readers.append(self._readers.pop(0))
        for reader in self._readers:
            reader.open_since = None
            reader.states.trim()
        return True

    async def _sweep(self, at: datetime) -> None:
        slices = _Slices()
        for reader in self._readers:
            if reader.core.sweep is None:
                continue
            keys, ticked = await reader.due(at), tick(reader.core, at)
            for first in range(0, len(keys), BATCH):
                page, changes = keys[first : first + BATCH], Changes()
                await reader.states.load(page, self._commits)
                for key in page:
                    reader.sweep(ticked, key, changes)
                    await slices.breathe()
                await self._commits.insist(changes)


class _Slices:
    """Lets others run when a slice of time is used up."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._until = clock() + SLICE

    async def breathe(self) -> None:
        if self._clock() >= self._until:
            await asyncio.sleep(0)
            self._until = self._clock() + SLICE
