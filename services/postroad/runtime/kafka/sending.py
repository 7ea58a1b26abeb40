"""Senders on Kafka: `begin`, the call to the world, `conclude`; many keys at once, one record at a time for each key.

Records are concluded out of order. One is done when its outputs and its key's row are acknowledged; committed is the
lowest offset that is not done. So a crash repeats the calls that were in flight; what was concluded above the
committed offset comes again, and the row of its key says that it was done.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aiokafka import TopicPartition

from postroad.runtime.config import Kafka
from postroad.runtime.dead import PoisonRun, letter
from postroad.runtime.kafka.changelog import Part
from postroad.runtime.kafka.engine import DELTA_BYTES
from postroad.runtime.kafka.jobs import Job, Line, Offsets, Outcome, waits
from postroad.runtime.kafka.runner import Runner, utcnow
from postroad.runtime.kafka.session import POLL_MS, Session, acknowledged, membership_of
from postroad.runtime.observe.events import count
from postroad.runtime.observe.watch import Standing, worth_since
from postroad.runtime.step import Poison, Step, Stepper, poison_of
from postroad.runtime.worker import Caller, Unavailable
from postroad.stage import Call, Clock, Sender
from postroad.views import Views
from postroad_schemas import Ticked

CALLS = 200
LOOK_AGAIN = 30.0  # seconds a delay sleeps at most: clocks are set
PENDING = 2000  # records read and not done; beyond, nothing more is read


class SenderRunner(Runner):
    """Runs one sender. On `stop` there are no new calls; those in flight have `grace` seconds."""

    def __init__(
        self,
        sender: Sender[Any, Any, Any],
        call: Caller,
        kafka: Kafka,
        views: Views,
        *,
        clock: Clock = utcnow,
        tick: float = 60.0,
        patience: float = 120.0,
        grace: float = 2.5,
    ) -> None:
        changelog = sender.changelog or f"{sender.name}.changelog"
        super().__init__(membership_of(kafka, sender, changelog, tick), patience)
        self.sender = sender
        self.call = call
        self.stepper = Stepper(sender, views)
        self.views = views
        self.clock = clock
        self.grace = grace

    def session(self) -> "_SenderSession":
        return _SenderSession(self)


class _SenderSession(Session):
    def __init__(self, runner: SenderRunner) -> None:
        super().__init__(runner.membership, runner.stopping, runner.watch)
        self.runner = runner
        self.stepper = runner.stepper
        self.poison = PoisonRun()
        self._offsets: dict[TopicPartition, Offsets] = {}
        self._lines: dict[tuple[int, bytes], Line] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(CALLS)
        self._outcomes: list[Outcome] = []
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._asleep: dict[TopicPartition, float] = {}  # delays whose head is not due: monotonic time to look again
        self._wakes: dict[TopicPartition, float] = {}  # and when it will be, UTC seconds
        self._full = False
        self._draining = False
        self._pending = 0
        self._trouble: BaseException | None = None  # what ended a job otherwise than by an outcome
        self._parts_of_ticks: dict[tuple[TopicPartition, int], int] = {}

    # -- reading -------------------------------------------------------------------------------------------------------

    def restored(self, number: int, part: Part) -> None:  # noqa: ARG002
        for key, row in part.rows.items():
            if (due := self._due(row)) is not None:
                part.agenda.note(key, due)

    async def work(self) -> None:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_outcomes())
        elif self._writer.done():
            self._writer.result()
        if self._trouble is not None:
            raise self._trouble
        self._wake_delays()
        self._mind_the_limit()
        epoch = self.epoch
        got = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=500)
        if epoch != self.epoch:
            return
        for at, messages in got.items():
            part = self.parts.get(at.partition)
            if part is not None and part.ready:
                self._read(at, part, messages)

    def _read(self, at: TopicPartition, part: Part, messages: list[Any]) -> None:
        offsets = self._offsets.setdefault(at, Offsets(messages[0].offset))
        for message in messages:
            try:
                event = self.stepper.event(at.topic, message.value)
            except Poison as poison:
                offsets.begin(message.offset)
                self._pending += 1
                job = Job(at, message.offset, message.key or b"", None, message)
                self._outcomes.append(self._buried(job, poison))
                self._wake.set()
                continue
            if (seconds := self._early(at, event)) > 0:
                self.consumer.pause(at)
                self.consumer.seek(at, message.offset)
                self._asleep[at] = time.monotonic() + min(seconds, LOOK_AGAIN)
                self._wakes[at] = event.not_before.timestamp()
                return
            offsets.begin(message.offset)
            self._pending += 1
            if isinstance(event, Ticked):
                self._tick_read(at, part, message, event)
            else:
                self._enqueue(Job(at, message.offset, message.key or b"", event, message))

    def _early(self, at: TopicPartition, event: Any) -> float:
        if not waits(at.topic) or isinstance(event, Ticked):
            return 0.0
        early: datetime = event.not_before
        return (early - self.runner.clock()).total_seconds()

    def _tick_read(self, at: TopicPartition, part: Part, message: Any, tick: Ticked) -> None:
        due = list(part.fallen_due(tick.occurred_at.timestamp(), self._due)) if self.stepper.sweeps(tick) else []
        self._parts_of_ticks[at, message.offset] = len(due)
        for key in due:
            self._enqueue(Job(at, message.offset, key, tick, message))
        if not due:
            self._done(Job(at, message.offset, b"", tick, message))

    def _due(self, row: bytes | None) -> float | None:
        try:
            return self.stepper.due(row)
        except Poison:
            return None

    def _wake_delays(self) -> None:
        now = time.monotonic()
        for at in [at for at, when in self._asleep.items() if when <= now]:
            del self._asleep[at]
            self._wakes.pop(at, None)
            if at in self.consumer.assignment() and not self._full:
                self.consumer.resume(at)

    def _mind_the_limit(self) -> None:
        """Reading stops while too much is pending, and goes on at half of that; polling does not."""
        if not self._full and self._pending >= PENDING:
            self._full = True
            self.consumer.pause(*self._ready())
        elif self._full and self._pending <= PENDING // 2:
            self._full = False
            if awake := [at for at in self._ready() if at not in self._asleep]:
                self.consumer.resume(*awake)

    def _ready(self) -> list[TopicPartition]:
        return [at for number, part in self.parts.items() if part.ready for at in self.partitions_of(number)]

    # -- for who looks at it -------------------------------------------------------------------------------------------

    def standing(self, now: float) -> Iterator[Standing]:
        """Only jobs at work are late: what sleeps in a delay has its time, what is not read follows those."""
        jobs = [line.jobs[0] for line in self._lines.values() if line.jobs]
        since: dict[str, float] = {}
        for job in jobs:
            if not isinstance(job.event, Ticked):
                moment = worth_since(job.event) if waits(job.at.topic) else None
                at = moment.timestamp() if moment else job.message.timestamp / 1000
                since[job.at.topic] = min(at, since.get(job.at.topic, at))
        for standing in super().standing(now):
            due = min((when for at, when in self._wakes.items() if at.topic == standing.topic), default=None)
            yield Standing(standing.topic, standing.waiting, since.get(standing.topic), due)

    def done(self, at: TopicPartition) -> int:
        offsets = self._offsets.get(at)
        return offsets.lowest if offsets else self.consumer.highwater(at) or 0

    # -- one job at a time for each key --------------------------------------------------------------------------------

    def _enqueue(self, job: Job) -> None:
        line = self._lines.setdefault((job.at.partition, job.key), Line())
        line.jobs.append(job)
        if len(line.jobs) == 1:
            self._begin(job)

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(self._work_on(job))
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._calls.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._trouble = task.exception()

    async def _work_on(self, job: Job) -> None:
        part = self.parts.get(job.at.partition)
        if part is None or self._draining:
            return
        try:
            outcome = await self._outcome(job, part.rows.get(job.key))
        except Poison as poison:
            outcome = self._buried(job, poison)
        else:
            self.poison.good()
        if outcome is not None:
            self._outcomes.append(outcome)
            self._wake.set()

    async def _outcome(self, job: Job, row: bytes | None) -> Outcome | None:
        """None when it was not begun, because it is to be left to the next owner."""
        runner = self.runner
        if isinstance(job.event, Ticked):
            step = self.stepper.sweep(job.event, row)
            self.watch.swept(job.event, step.decision, runner.clock())
            return Outcome(job, step)
        began = time.time_ns()
        done = await self._step(job, row)
        if done is None:
            return None
        self.watch.taken(job.event, done.decision, runner.clock(), changed=done.row != row, began=began)
        return Outcome(job, done)

    async def _step(self, job: Job, row: bytes | None) -> Step | None:
        runner, sender = self.runner, self.runner.sender
        state = self.stepper.state(row)
        async with self._slots:
            if self._draining or self.stopping.is_set():
                return None
            self.check()
            try:
                begun = sender.begin(job.event, state, runner.views, runner.clock())
                if not isinstance(begun, Call):
                    return self.stepper.step(begun)
            except Exception as error:
                raise poison_of(error) from error
            answer = await self._answer(begun.request)
        try:
            decision = sender.conclude(job.event, begun.request, answer, state, runner.views, runner.clock())
            return self.stepper.step(decision)
        except Exception as error:
            raise poison_of(error) from error

    async def _answer(self, request: Any) -> Any:
        """A world that is down ends the session; a fault of the caller is this record's own."""
        try:
            return await self.runner.call(request)
        except Unavailable:
            raise
        except Exception as error:
            raise poison_of(error) from error

    def _buried(self, job: Job, poison: Poison) -> Outcome:
        runner = self.runner
        self.poison.bad(job.message, poison)
        runner.counts.buried += 1
        made = letter(runner.sender.worker, self.membership.group, job.message, poison, runner.clock())
        return Outcome(job, Step(None, (made,)), keeps_row=False)

    def _done(self, job: Job) -> None:
        left = self._parts_of_ticks.get((job.at, job.offset), 1) - 1
        if left > 0:
            self._parts_of_ticks[job.at, job.offset] = left
            return
        self._parts_of_ticks.pop((job.at, job.offset), None)
        self._offsets[job.at].done(job.offset)
        self.uncommitted.add(job.at)
        self._pending -= 1
        self.runner.counts.events += 1

    # -- writing what was concluded: everything that waits goes together -----------------------------------------------

    async def _write_outcomes(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            async with self.lock:
                while self._outcomes:
                    await self._write(self._portion())
                if self.uncommitted:
                    await self.commit({at: self._offsets[at].lowest for at in self.uncommitted})
                    self.uncommitted.clear()

    def _portion(self) -> list[Outcome]:
        size = count = 0
        while count < len(self._outcomes) and size <= DELTA_BYTES:
            outcome = self._outcomes[count]
            size += len(outcome.job.key) + len(outcome.step.row or b"") + 64
            count += 1
        portion, self._outcomes = self._outcomes[:count], self._outcomes[count:]
        return portion

    async def _write(self, outcomes: list[Outcome]) -> None:
        await self.publish([made for outcome in outcomes for made in outcome.step.records])
        count([it for outcome in outcomes for it in outcome.step.emitted])
        await self.commit({at: offsets.lowest for at, offsets in self._offsets.items()})
        rows: dict[int, dict[bytes, bytes | None]] = {}
        for outcome in outcomes:
            if outcome.keeps_row:
                rows.setdefault(outcome.job.at.partition, {})[outcome.job.key] = outcome.step.row
        await acknowledged(self.keep(number, changed, {}) for number, changed in rows.items())
        for outcome in outcomes:
            self._concluded(outcome)
        self.runner.counts.batches += 1

    def _concluded(self, outcome: Outcome) -> None:
        job = outcome.job
        part = self.parts.get(job.at.partition)
        if part is None:
            return
        if outcome.keeps_row:
            part.put(job.key, outcome.step.row, outcome.step.due)
        self._done(job)
        where = (job.at.partition, job.key)
        line = self._lines.get(where)
        if line is None or not line.jobs or line.jobs[0] is not job:
            return  # unreadable records stand in no line
        line.jobs.popleft()
        if line.jobs:
            self._begin(line.jobs[0])
        else:
            del self._lines[where]

    # -- leaving -------------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """No new calls; those in flight have the grace to end, and what they came to is written."""
        self._draining = True
        try:
            if self._calls:
                await asyncio.wait(self._calls, timeout=self.runner.grace)
            async with self.lock:
                while self._outcomes:
                    await self._write(self._portion())
                if self.uncommitted:
                    await self.commit({at: self._offsets[at].lowest for at in self.uncommitted})
        finally:
            for task in self._calls:
                task.cancel()
            self._forget()

    def _forget(self) -> None:
        self._offsets, self._lines, self._outcomes = {}, {}, []
        self._asleep, self._wakes, self._parts_of_ticks = {}, {}, {}
        self.uncommitted = set()
        self._pending, self._full, self._draining = 0, False, False

    async def finish(self) -> None:
        await self.settle()

    async def abandon(self) -> None:
        self._draining = True
        tasks = [*self._calls, *([self._writer] if self._writer else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
