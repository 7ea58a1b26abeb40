"""Stages with state per key on plain aiokafka.

For every batch: outputs acknowledged, then the *old* position committed (the broker fences a process that is no longer
the owner), then rows and position appended to the changelog in one batch. A crash before that append repeats the batch
on the old state with the same ids; a crash after it repeats nothing. The position in the changelog decides where
reading goes on; the group's is for lag and fencing.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from postroad.runtime.config import Kafka
from postroad.runtime.dead import PoisonRun, letter
from postroad.runtime.kafka.changelog import Part
from postroad.runtime.kafka.runner import Runner, utcnow
from postroad.runtime.kafka.session import POLL_MS, Session, acknowledged, membership_of
from postroad.runtime.observe.events import count
from postroad.runtime.step import Poison, Step, Stepper
from postroad.stage import Clock, Stage
from postroad.views import Views
from postroad_schemas import Ticked

BATCH = 500  # records
DELTA_BYTES = 700_000  # of rows in one changelog batch; one row more must still fit
SLICE_RECORDS = 50  # between two of them the event loop gets its turn


@dataclass(slots=True)
class Work:
    """What a batch writes for one partition. The rows are in the part already: a batch that fails ends the session."""

    part: Part
    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    passed: dict[str, float] = field(default_factory=dict)  # when the last record of each topic came, UTC seconds


class Engine(Runner):
    """Runs one stage."""

    def __init__(
        self,
        stage: Stage[Any],
        kafka: Kafka,
        views: Views,
        *,
        clock: Clock = utcnow,
        tick: float = 60.0,
        patience: float = 120.0,
        batch: int = BATCH,
        after_batch: Callable[[Mapping[TopicPartition, int]], None] | None = None,
    ) -> None:
        super().__init__(membership_of(kafka, stage, f"{stage.name}.changelog", tick), patience)
        self.stage = stage
        self.stepper = Stepper(stage, views)
        self.clock = clock
        self.batch = batch
        self.after_batch = after_batch

    def session(self) -> "_EngineSession":
        return _EngineSession(self)


class _EngineSession(Session):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.membership, engine.stopping, engine.watch)
        self.engine = engine
        self.stepper = engine.stepper
        self.poison = PoisonRun()

    def restored(self, number: int, part: Part) -> None:
        if self.engine.stage.due is not None:
            for key, row in part.rows.items():
                if (due := self._due(row)) is not None:
                    part.agenda.note(key, due)
        for at in self.partitions_of(number):
            # Without a position the start of the log, never the group's: that may be ahead of the changelog.
            self.consumer.seek(at, part.positions.setdefault(at.topic, 0))
            self.uncommitted.add(at)

    async def work(self) -> None:
        epoch = self.epoch
        got = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=self.engine.batch)
        async with self.lock:  # a revocation waits here until the batch is durable
            if epoch != self.epoch:
                return  # others own these records now, or we read them again
            if got:
                await self._take(got)
            elif self.uncommitted:
                await self._commit(self.uncommitted)

    async def finish(self) -> None:
        async with self.lock:
            if self.uncommitted:
                await self._commit(self.uncommitted)

    async def _take(self, got: Mapping[TopicPartition, Sequence[Any]]) -> None:
        works: dict[int, Work] = {}
        outputs: list[Step] = []
        size = handled = 0
        for at, messages in got.items():
            part = self.parts.get(at.partition)
            if part is None or not part.ready:
                continue
            self.passed.setdefault(at, messages[0].timestamp / 1000)
            for message in messages:
                work = works.setdefault(at.partition, Work(part))
                if message.offset < work.positions.get(at.topic, part.positions[at.topic]):
                    continue  # fetched before the seek took effect
                for step, key in self._steps(message, work):
                    outputs.append(step)
                    if key is not None:
                        part.put(key, step.row, step.due)
                        work.rows[key] = step.row
                        size += len(key) + len(step.row or b"") + 64
                    if size > DELTA_BYTES:
                        await self._write(works, outputs)
                        outputs, size = [], 0
                        works.clear()
                        work = works.setdefault(at.partition, Work(part))
                work.positions[at.topic] = message.offset + 1
                work.passed[at.topic] = message.timestamp / 1000
                handled += 1
                if handled % SLICE_RECORDS == 0:
                    await asyncio.sleep(0)
        await self._write(works, outputs)
        self.engine.counts.events += handled

    def _steps(self, message: Any, work: Work) -> Iterator[tuple[Step, bytes | None]]:
        """What follows from one record: a step for its key, or one for each key that a tick finds due."""
        key = message.key or b""
        try:
            event = self.stepper.event(message.topic, message.value)
            if not isinstance(event, Ticked):
                row, began = work.part.rows.get(key), time.time_ns()
                step = self.stepper.decide(event, row)
                yield step, key
                self.watch.taken(event, step.decision, self.engine.clock(), changed=step.row != row, began=began)
        except Poison as poison:
            yield self._buried(message, poison), None
            return
        self.poison.good()
        if isinstance(event, Ticked) and self.stepper.sweeps(event):
            for due in work.part.fallen_due(event.occurred_at.timestamp(), self._due):
                try:
                    step = self.stepper.sweep(event, work.part.rows.get(due))
                    yield step, due
                    self.watch.swept(event, step.decision, self.engine.clock())
                except Poison as poison:
                    yield self._buried(message, poison), None

    def _buried(self, message: Any, poison: Poison) -> Step:
        engine = self.engine
        self.poison.bad(message, poison)
        engine.counts.buried += 1
        return Step(None, (letter(engine.stage.worker, self.membership.group, message, poison, engine.clock()),))

    def _due(self, row: bytes | None) -> float | None:
        """A row that cannot be read is never due: its next event tells why."""
        try:
            return self.stepper.due(row)
        except Poison:
            return None

    async def _write(self, works: Mapping[int, Work], outputs: Sequence[Step]) -> None:
        await self.publish(made for step in outputs for made in step.records)
        count([it for step in outputs for it in step.emitted])
        done = {
            TopicPartition(topic, number): position
            for number, work in works.items()
            for topic, position in work.positions.items()
        }
        await self._commit(done or {at for number in works for at in self.partitions_of(number)})
        await acknowledged(
            self.keep(number, work.rows, work.positions)
            for number, work in works.items()
            if work.rows or work.positions
        )
        for number, work in works.items():
            work.part.positions.update(work.positions)
            self.passed.update((TopicPartition(topic, number), at) for topic, at in work.passed.items())
        self.uncommitted |= done.keys()
        self.engine.counts.batches += 1
        if self.engine.after_batch:
            self.engine.after_batch(done)

    async def _commit(self, which: "set[TopicPartition] | Mapping[TopicPartition, int]") -> None:
        """The positions as they are in the changelog."""
        at_rest = {at: self.parts[at.partition].positions[at.topic] for at in which}
        await self.commit(at_rest)
        self.uncommitted -= at_rest.keys()
