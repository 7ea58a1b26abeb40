"""A sender: calls run side by side, those of one key one after another; each conclusion is one transaction."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from postroad.runtime.embedded.commits import Commits
from postroad.runtime.embedded.log import Changes, Place, SqliteLog, Stored
from postroad.runtime.embedded.stages import Reader
from postroad.runtime.observe.watch import Standing
from postroad.runtime.reading import tick, waits_until
from postroad.runtime.step import Poison, Step, poison_of
from postroad.runtime.worker import Caller, Unavailable
from postroad.stage import Call, Clock, Decision, Sender
from postroad.views import Views
from postroad_schemas import Ticked

CALLS = 50  # at once
LINED_UP = 500  # records that wait for their turn or for the world
LONGEST_SLEEP = 1.0  # seconds until a deferred event is looked at again: clocks may jump
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between calls while the world is down

log = logging.getLogger(__name__)


class Progress:
    """What of one topic is concluded: everything up to `position`, and some above it."""

    def __init__(self, position: int) -> None:
        self.position = position
        self._seen = position  # what lies behind it was not looked at yet
        self._done: set[int] = set()
        self._open: dict[int, None] = {}  # in the order of the topic

    def done_before(self, offset: int) -> None:
        """Found in the file: it was concluded before the last start."""
        self._done.add(offset)

    def take(self, offset: int) -> bool:
        """Looks at the topic's next record; whether it is still to be done."""
        self._seen = offset
        if offset in self._done:
            return False
        self._open[offset] = None
        return True

    def conclude(self, offset: int) -> None:
        del self._open[offset]
        self._done.add(offset)
        first = next(iter(self._open), self._seen + 1)
        over = {it for it in self._done if it < first}
        self.position = max(over, default=self.position)
        self._done -= over


class SenderReader(Reader):
    """A sender, what it has before it, and its lanes: a lane is a key's events in their order."""

    def __init__(
        self, sender: Sender[Any, Any, Any], call: Caller, views: Views, commits: Commits, clock: Clock
    ) -> None:
        super().__init__(sender, views, commits, clock)
        self._sender = sender
        self._call = call
        self._views = views
        self._progress: dict[str, Progress] = {}
        self._lanes: dict[bytes, deque[Stored | Ticked]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lined_up = 0
        self._calls = asyncio.Semaphore(CALLS)
        self._called = asyncio.Event()
        self._tick: datetime | None = None
        self._failed: asyncio.Future[None] | None = None
        self._pumping = True

    async def open(self) -> None:
        await super().open()
        positions = await self._commits.ask(SqliteLog.positions, self.core.name)
        self._progress = {topic: Progress(positions.get(topic, 0)) for topic in self.core.reads}
        for topic, offset in await self._commits.ask(SqliteLog.done, self.core.name):
            if topic in self._progress:
                self._progress[topic].done_before(offset)

    def wake(self) -> None:
        self._called.set()

    def tick(self, at: datetime) -> None:
        self._tick = at
        self._called.set()

    @property
    def quiet(self) -> bool:
        """Nothing is due that was not begun, and nothing begun that was not concluded."""
        settled = all(backlog.empty or self._sleeps(backlog.items) for backlog in self.backlogs.values())
        return settled and not (self._lanes or self._pumping or self._tick)

    def standing(self, now: float) -> Iterator[Standing]:
        """What waits, by topic: in lanes, or before them until it is due."""
        heads: dict[str, float] = {}
        lined_up: Counter[str] = Counter()
        for lane in self._lanes.values():
            for item in lane:
                if isinstance(item, Stored):
                    lined_up[item.topic] += 1
                    since = self._until(item) or item.at
                    heads[item.topic] = min(since, heads.get(item.topic, since))
        for topic, backlog in self.backlogs.items():
            waiting = lined_up[topic] + backlog.length(self._commits.ends.get(topic, 0))
            head, due = heads.get(topic), None
            if backlog.items:
                due = self._until(backlog.items[0])
                since = due or backlog.items[0].at
                head = min(since, head or since) if since <= now else head
            yield Standing(topic, waiting, head, due)

    async def run(self) -> None:
        """Until cancelled; then its calls are given up. Raises what stops a lane."""
        self._failed = asyncio.get_running_loop().create_future()
        pump = asyncio.create_task(self._pump())
        try:
            await asyncio.wait((pump, self._failed), return_when=asyncio.FIRST_COMPLETED)
            (self._failed if self._failed.done() else pump).result()
        finally:
            for task in (pump, *self._tasks):
                task.cancel()
            await asyncio.gather(pump, *self._tasks, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            self._called.clear()
            self._pumping = True
            for topic in self.core.reads:
                await self._line_up(topic)
            if self._tick is not None:
                await self._line_up_sweeps(self._tick)
                self._tick = None
            self.states.trim()
            self._pumping = False
            sleeping = any(backlog.items for backlog in self.backlogs.values())
            try:
                await asyncio.wait_for(self._called.wait(), LONGEST_SLEEP if sleeping else None)
            except TimeoutError:
                continue

    async def _line_up(self, topic: str) -> None:
        """What is due goes to the lanes. In a deferred topic the head is the earliest: all behind it wait with it."""
        backlog = self.backlogs[topic]
        while self._lined_up < LINED_UP and await backlog.fill(self._commits):
            if self._sleeps(backlog.items):
                return
            stored = backlog.items.popleft()
            if self._progress[topic].take(stored.offset):
                self._append(stored.key, stored)

    async def _line_up_sweeps(self, at: datetime) -> None:
        if self.core.sweep is not None:
            ticked = tick(self.core, at)
            for key in await self.due(at):
                self._append(key, ticked)

    def _sleeps(self, items: deque[Stored]) -> bool:
        until = self._until(items[0]) if items else None
        return until is not None and until > self._clock().timestamp()

    def _until(self, stored: Stored) -> float | None:
        """When it may be read, UTC seconds; None: at once."""
        try:
            until = waits_until(self.event(stored))
        except Poison:
            return None  # its lane finds out
        return None if until is None else until.timestamp()

    def _append(self, key: bytes, item: Stored | Ticked) -> None:
        self._lined_up += 1
        if key in self._lanes:
            self._lanes[key].append(item)
            return
        self._lanes[key] = deque((item,))
        task = asyncio.create_task(self._work(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, key: bytes) -> None:
        lane = self._lanes[key]
        try:
            while lane:
                async with self._calls:
                    await self._handle(key, lane[0])
                lane.popleft()
                self._lined_up -= 1
            del self._lanes[key]
            self._called.set()
        except Exception as error:
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    async def _handle(self, key: bytes, item: Stored | Ticked) -> None:
        changes = Changes()
        if isinstance(item, Ticked):
            await self.states.load((key,), self._commits)
            self.sweep(item, key, changes)
            await self._commits.insist(changes)
            return
        began = time.time_ns()
        try:
            step = await self._step(key, item)
            await self.states.load((key,), self._commits)
            changed = step.row != self.states[key]
            self.keep(key, step, changes)
            self.run_of_poison.good()
            self.watch.taken(item.event, step.decision, self._clock(), changed=changed, began=began)
        except Poison as poison:
            self.bury(item, poison, changes)
        progress = self._progress[item.topic]
        place = Place(self.core.name, item.topic, item.offset)
        changes.done.append(place)
        changes.positions[self.core.name, item.topic] = progress.position
        await self._commits.insist(changes)
        progress.conclude(item.offset)

    async def _step(self, key: bytes, stored: Stored) -> Step:
        event = self.event(stored)
        await self.states.load((key,), self._commits)
        state = self.steps.state(self.states[key])
        if isinstance(event, Ticked):
            return self.steps.step(Decision(state))
        try:
            begun = self._sender.begin(event, state, self._views, self._clock())
            if isinstance(begun, Call):
                answer = await self._ask_the_world(begun.request)
                begun = self._sender.conclude(event, begun.request, answer, state, self._views, self._clock())
            return self.steps.step(begun)
        except Exception as error:
            raise poison_of(error) from error

    async def _ask_the_world(self, request: Any) -> Any:
        """Asks again while a store or a log behind the call is down."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._call(request)
            except Unavailable as error:
                log.error("%s waits for %g s: %s", self.core.name, pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
