"""A stage on a Faust table of bytes, batch by batch.

For every batch: outputs acknowledged by our own idempotent producer, then rows written to the table and their changelog
records acknowledged, then the events finished, which alone lets Faust commit them. A crash in between repeats the
batch; the stage recognises what it has seen. A batch of another generation of the group is dropped: its partitions are
read again by whoever has them.
"""

import asyncio
import contextlib
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import murmur2
from faust.streams import _current_event

from postroad.runtime.config import Kafka
from postroad.runtime.dead import PoisonRun, TooMuchPoison, letter
from postroad.runtime.faust.batch import Decided, Read, read_of
from postroad.runtime.faust.settings import app_for
from postroad.runtime.faust.watchdog import Watchdog
from postroad.runtime.kafka import settings
from postroad.runtime.kafka.changelog import Agenda
from postroad.runtime.kafka.runner import Counts, utcnow
from postroad.runtime.kafka.session import CLOCK_SECONDS, acknowledged, membership_of, send, tick_of
from postroad.runtime.kafka.topics import partitions
from postroad.runtime.observe import metrics
from postroad.runtime.observe.events import count
from postroad.runtime.observe.watch import Standing, Watch
from postroad.runtime.step import Poison, Step, Stepper
from postroad.runtime.worker import Unavailable
from postroad.stage import Clock, Stage
from postroad.views import Views
from postroad_schemas import Ticked
from postroad_schemas.wire import encode, headers

log = structlog.get_logger("postroad.faust")
BATCH = 500
WITHIN_SECONDS = 0.02
TRIES = 3
PAUSE_SECONDS = 1.0
STOP_SECONDS = 4.0
FROZEN = "the process was frozen for most of its session: others may own its partitions"


class Moved(Exception):  # noqa: N818
    """The group's generation changed under a batch."""


class FaustRunner:
    """Runs one stage. `run` returns after `stop`; raises Unavailable, LookupError without topics, or TooMuchPoison."""

    def __init__(
        self,
        stage: Stage[Any],
        kafka: Kafka,
        views: Views,
        *,
        clock: Clock = utcnow,
        tick: float = 60.0,
        patience: float = 120.0,
        watch: float = 60.0,
    ) -> None:
        self.stage = stage
        self.kafka = kafka
        self.stepper = Stepper(stage, views)
        self.membership = membership_of(kafka, stage, f"{stage.name}.faust", tick)
        self.clock = clock
        self.counts = Counts()
        self.stopping = asyncio.Event()
        self._recovered = False
        self.watch = Watch(stage.name)
        self._began = time.monotonic()
        self._passed: dict[TopicPartition, tuple[int, float]] = {}  # done with: next offset, UTC seconds
        self._patience = patience
        self._standstill = watch
        self._poison = PoisonRun()
        self._lock = asyncio.Lock()  # held while a batch is written: a revocation waits for it
        self._trouble: asyncio.Future[None] | None = None
        self._agendas: dict[int, Agenda] = {}
        self._revoked = True  # between a revocation and the next assignment nothing is begun
        self._beat = time.monotonic()
        self._partitions = 0
        self._app: Any = None
        self._table: Any = None
        self._producer: AIOKafkaProducer | None = None

    @property
    def ready(self) -> bool:
        """Assigned and recovered; also when there are more members than partitions."""
        return self._recovered and not self._revoked

    def stop(self) -> None:
        self.stopping.set()

    async def run(self) -> None:
        self._partitions = len(await partitions(self.kafka, self.stage.reads[:1]))
        self._trouble = asyncio.get_running_loop().create_future()
        producer = settings.producer(self.kafka, f"{self.membership.group}-outputs")
        with tempfile.TemporaryDirectory(prefix="postroad-faust-") as folder:
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(settings.close, producer)
                await producer.start()
                self._producer = producer
                self._app = self._build(Path(folder))
                await self._run()

    async def _run(self) -> None:
        app = self._app
        watchdog = Watchdog(
            self.kafka, self.membership.group, self._assigned, lambda: self.counts.batches, patience=self._standstill
        )
        tasks = [
            asyncio.ensure_future(work)
            for work in (
                self.stopping.wait(),
                self._crashed(),
                self._watch_clock(),
                watchdog.run(),
                self._ticks(),
                self._start(),
            )
        ]
        assert self._trouble is not None
        starting = tasks.pop()
        try:
            waiting: set[Any] = {*tasks, self._trouble, starting}
            while True:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                if done != {starting}:
                    return
        finally:
            for task in (*tasks, starting):
                task.cancel()
            await asyncio.gather(*tasks, starting, return_exceptions=True)
            try:
                await asyncio.wait_for(app.stop(), STOP_SECONDS)
            except Exception as error:
                log.warning("faust did not stop", error=f"{type(error).__name__}: {error}")

    async def _start(self) -> None:
        await self._app.start()
        self._recovered = True
        metrics.RECOVERY.set(time.monotonic() - self._began, self.stage.name)
        log.info("recovered", stage=self.stage.name, rows=len(self._table))

    async def _crashed(self) -> None:
        """Faust's own services crash in the background: then the app is to stop without being told to by us."""
        while not (self._app.crashed or self._app.should_stop):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        raise Unavailable(f"{self.stage.name}: Faust ended: {self._app.crash_reason!r}")

    def _build(self, folder: Path) -> Any:
        app = app_for(self.kafka, self.stage.name, self._partitions, folder)
        raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
        changelog = app.topic(f"{self.stage.name}.faust", partitions=self._partitions, compacting=True, **raw)
        self._table = app.Table(
            self.stage.name, partitions=self._partitions, changelog_topic=changelog, key_type=bytes, value_type=bytes
        )
        app.agent(app.topic(*self.stage.reads, partitions=self._partitions, **raw), concurrency=1)(self._work)
        app.on_partitions_revoked.connect(self._settle)
        app.on_partitions_assigned.connect(self._told)
        return app

    async def _settle(self, *_: Any, **__: Any) -> None:
        async with self._lock:
            self._revoked = True
            self._agendas.clear()
            self._passed.clear()
            self.watch.forget()

    async def _told(self, _: Any, assigned: Iterable[TopicPartition], **__: Any) -> None:
        self._agendas.clear()
        self._revoked = False
        own = sorted({at.partition for at in assigned if at.topic in self.stage.reads})
        metrics.REBALANCES.inc(self.stage.name)
        log.info("assigned", stage=self.stage.name, partitions=own)

    def standing(self, now: float) -> Iterator[Standing]:
        """What waits in each topic, as far as it was read since the assignment."""
        for topic in self.stage.reads:
            own = {at: self._passed[at] for at in self._assigned() if at.topic == topic and at in self._passed}
            behind = {at: max(0, (self._app.consumer.highwater(at) or 0) - done) for at, (done, _) in own.items()}
            self._passed.update((at, (own[at][0], now)) for at, count in behind.items() if not count)
            yield Standing(topic, sum(behind.values()), min((own[at][1] for at in behind if behind[at]), default=None))

    def _assigned(self) -> list[TopicPartition]:
        try:
            assigned = self._app.consumer.assignment()
        except Exception:  # not started yet
            return []
        return [TopicPartition(at.topic, at.partition) for at in assigned if at.topic in self.stage.reads]

    # -- the agent: no exception may leave it, for Faust acknowledges the event of which it came -----------------------

    async def _work(self, stream: Any) -> None:
        async for events in stream.take_events(BATCH, within=WITHIN_SECONDS):
            try:
                await self._take(events)
            except Moved:
                self._agendas.clear()
                log.info("batch dropped, read again", stage=self.stage.name, events=len(events))
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self._give_up(error)
                await asyncio.Event().wait()  # nothing more is taken, nothing is acknowledged; the process ends

    def _give_up(self, error: BaseException) -> None:
        log.error("batch given up", stage=self.stage.name, error=f"{type(error).__name__}: {error}")
        if self._trouble is not None and not self._trouble.done():
            world = not isinstance(error, TooMuchPoison)
            self._trouble.set_exception(Unavailable(f"{self.stage.name}: {error}") if world else error)

    async def _take(self, events: Sequence[Any]) -> None:
        generation = self._app.consumer_generation_id
        reads = [read_of(event) for event in events if event.message.generation_id == generation]
        for read in reads:
            self._passed.setdefault(TopicPartition(read.topic, read.partition), (read.offset, read.timestamp / 1000))
        async with self._lock:
            for attempt in range(1, TRIES + 1):
                self._check(generation)
                poison = self._poison.length
                try:
                    await self._write(self._decided(reads), generation)
                except (Moved, TooMuchPoison, Unavailable):
                    raise
                except Exception as error:
                    if attempt == TRIES:
                        raise
                    self._poison.length = poison
                    self._agendas.clear()
                    log.warning("batch again", stage=self.stage.name, error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    break
            for read in reads:
                self._app.consumer.finish(read.event.message)
                self._passed[TopicPartition(read.topic, read.partition)] = (read.offset + 1, read.timestamp / 1000)
        self.counts.events += len(reads)
        self.counts.batches += 1

    def _check(self, generation: Any) -> None:
        if self._revoked or generation != self._app.consumer_generation_id:
            raise Moved
        if self._silent():
            raise Unavailable(FROZEN)

    async def _watch_clock(self) -> None:
        """Nothing fences a Faust process that was frozen past its session: it must not write, so it ends."""
        self._beat = time.monotonic()
        while not self._silent():
            self._beat = time.monotonic()
            await asyncio.sleep(CLOCK_SECONDS)
        raise Unavailable(FROZEN)

    def _silent(self) -> bool:
        return time.monotonic() - self._beat > self.kafka.session * 0.6

    # -- deciding ------------------------------------------------------------------------------------------------------

    def _decided(self, reads: Sequence[Read]) -> Decided:
        outputs: list[Step] = []
        rows: dict[bytes, tuple[bytes | None, Any]] = {}
        for read in reads:
            key = read.key or b""
            try:
                event = self.stepper.event(read.topic, read.value)
                if isinstance(event, Ticked):
                    self._sweep(event, read, rows, outputs)
                else:
                    row, began = self._row(key, rows), time.time_ns()
                    step = self.stepper.decide(event, row)
                    self._keep(key, step, read, rows, outputs)
                    self.watch.taken(event, step.decision, self.clock(), changed=step.row != row, began=began)
                self._poison.good()
            except Poison as poison:
                outputs.append(self._buried(read, poison))
        return Decided(outputs, rows)

    def _keep(
        self,
        key: bytes,
        step: Step,
        read: Read,
        rows: dict[bytes, tuple[bytes | None, Any]],
        outputs: list[Step],
    ) -> None:
        outputs.append(step)
        rows[key] = (step.row, read.event)
        agenda = self._agendas.get(read.partition)
        if agenda is not None and step.due is not None:
            agenda.note(key, step.due)

    def _row(self, key: bytes, rows: Mapping[bytes, tuple[bytes | None, Any]]) -> bytes | None:
        if key in rows:
            return rows[key][0]
        row: bytes | None = self._table.get(key)
        return row

    def _sweep(
        self, tick: Ticked, read: Read, rows: dict[bytes, tuple[bytes | None, Any]], outputs: list[Step]
    ) -> None:
        if not self.stepper.sweeps(tick):
            return
        if (agenda := self._agendas.get(read.partition)) is None:
            agenda = self._agendas[read.partition] = self._agenda(read.partition, rows)
        for key in agenda.fallen_due(tick.occurred_at.timestamp(), lambda key: self._due(self._row(key, rows))):
            try:
                step = self.stepper.sweep(tick, self._row(key, rows))
            except Poison as poison:
                outputs.append(self._buried(read, poison))
            else:
                self._keep(key, step, read, rows, outputs)
                self.watch.swept(tick, step.decision, self.clock())

    def _agenda(self, number: int, rows: Mapping[bytes, Any]) -> Agenda:
        """Of the keys of one partition: the table holds those of all."""
        agenda = Agenda()
        for key in {*self._table.keys(), *rows}:
            if partition_of(key, self._partitions) == number and (due := self._due(self._row(key, rows))) is not None:
                agenda.note(key, due)
        return agenda

    def _due(self, row: bytes | None) -> float | None:
        try:
            return self.stepper.due(row)
        except Poison:
            return None

    def _buried(self, read: Read, poison: Poison) -> Step:
        self._poison.bad(read, poison)
        self.counts.buried += 1
        return Step(None, (letter(self.stage.worker, self.membership.group, read, poison, self.clock()),))

    # -- writing -------------------------------------------------------------------------------------------------------

    async def _write(self, decided: Decided, generation: Any) -> None:
        steps, rows = decided
        assert self._producer is not None
        async with asyncio.timeout(self.kafka.request):  # an idempotent producer tries for ever by itself
            await acknowledged([await send(self._producer, made) for step in steps for made in step.records])
        count([it for step in steps for it in step.emitted])
        self._check(generation)
        self._table.sent()
        for key, (row, event) in rows.items():
            _current_event.set(weakref.ref(event))  # where the table takes the partition from
            if row is not None:
                self._table[key] = row
            elif key in self._table:
                del self._table[key]
        async with asyncio.timeout(self.kafka.request):
            await acknowledged(self._table.sent())

    async def _ticks(self) -> None:
        """Time passes on every partition of ours."""
        every = self.membership.tick
        while every is not None:
            await asyncio.sleep(min(every, 1.0) if not self.ready else every)
            if not self.ready or self._revoked or self._producer is None:
                continue
            for number in sorted({at.partition for at in self._assigned()}):
                tick = tick_of(self.stage.name, number)
                try:
                    await self._producer.send_and_wait(
                        self.membership.ticked, encode(tick), key=b"", partition=number, headers=[*headers(tick)]
                    )
                except Exception as error:
                    log.warning("no tick", stage=self.stage.name, error=f"{type(error).__name__}: {error}")
        await asyncio.Event().wait()


def partition_of(key: bytes, count: int) -> int:
    """Where the default partitioner puts a key."""
    return int((murmur2(key) & 0x7FFFFFFF) % count)
