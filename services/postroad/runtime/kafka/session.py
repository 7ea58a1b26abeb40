"""One membership in a consumer group, from joining to the first trouble, with state restored from a changelog.

Any trouble throws the whole session away; the next one begins from the changelog. So nothing is ever repaired.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings
from postroad.runtime.kafka.changelog import Part, append, restore
from postroad.runtime.observe import metrics
from postroad.runtime.observe.watch import Standing, Watch
from postroad.stage import Sender, Stage
from postroad_schemas import TOPICS, Record, Ticked, event_id
from postroad_schemas.wire import encode, headers

log = structlog.get_logger("postroad.kafka")
CLOCK_SECONDS = 0.2
POLL_MS = 200


class Fenced(Exception):  # noqa: N818
    """This process is, or may be, no longer the owner of its partitions: it must join again."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What a session joins and where its state is."""

    kafka: Kafka
    name: str
    topics: tuple[str, ...]
    changelog: str
    tick: float | None = None  # seconds between ticks; None: nothing is swept
    ticked: str = ""  # the topic they come on

    @property
    def group(self) -> str:
        return settings.group_of(self.kafka, self.name)


class Session(ConsumerRebalanceListener):  # type: ignore[misc]
    """Joins, restores, fences. What is done with the records is `work`, in the engine and in the senders."""

    def __init__(self, membership: Membership, stopping: asyncio.Event, watch: Watch) -> None:
        self.membership = membership
        self.stopping = stopping
        self.parts: dict[int, Part] = {}
        self.epoch = 0  # grows with every change of the assignment
        self.fenced = False
        self.lock = asyncio.Lock()
        self.uncommitted: set[TopicPartition] = set()
        kafka, name = membership.kafka, membership.group
        self.consumer = settings.member(kafka, name, membership.group)
        self.outputs = settings.producer(kafka, name)
        self.states = settings.producer(kafka, f"{name}-states", settings.CHANGELOG_BYTES)
        self.watch = watch
        self.passed: dict[TopicPartition, float] = {}  # up to when all is done, UTC seconds
        self.held = False  # whether any partition was ever restored: the broker is there and lets us work
        self._beat = time.monotonic()
        self._next_tick = 0.0

    async def run(self) -> None:
        """Works until it is to stop. Raises whatever went wrong."""
        self._beat = time.monotonic()
        clock = asyncio.create_task(self._watch_clock())
        try:
            for producer in (self.outputs, self.states):
                await producer.start()
            settings.guard(self.states, self._stale)
            self.consumer.subscribe(list(self.membership.topics), listener=self)
            await self.consumer.start()
            while not self.stopping.is_set():
                if any(not part.ready for part in self.parts.values()):
                    await self._restore()
                await self.work()
                await self._tick()
            await self.finish()
        finally:
            clock.cancel()
            self.epoch += 1
            await self.abandon()
            await asyncio.gather(*map(settings.close, (self.consumer, self.outputs, self.states)))

    # -- what the kinds of sessions do differently ---------------------------------------------------------------------

    async def work(self) -> None:
        """Reads once and works on what came."""
        raise NotImplementedError

    async def finish(self) -> None:
        """The last commit before leaving."""

    async def settle(self) -> None:
        """Returns when nothing is half done."""
        async with self.lock:
            pass

    async def abandon(self) -> None:
        """Lets go of what is half done."""

    def restored(self, number: int, part: Part) -> None:
        """Called, without waiting, once a partition's state is back: says where reading goes on."""

    # -- assignment; aiokafka swallows the exceptions of these two, so both are trivial --------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        try:
            async with asyncio.timeout(self.membership.kafka.rebalance * 0.7):
                await self.settle()
        except Exception as error:
            self.fenced = True
            log.warning("not settled", stage=self.membership.name, error=f"{type(error).__name__}: {error}")
        self.epoch += 1
        self.parts, self.uncommitted = {}, set()
        self.passed.clear()
        self.watch.forget()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.epoch += 1
        self.parts = {at.partition: Part() for at in assigned}
        self.uncommitted = set()
        if assigned:
            self.consumer.pause(*assigned)
        else:
            self.held = True  # more members than partitions: that is no trouble
        metrics.REBALANCES.inc(self.membership.name)
        log.info("assigned", stage=self.membership.name, partitions=sorted(self.parts))

    # -- for who looks at it -------------------------------------------------------------------------------------------

    def standing(self, now: float) -> Iterator[Standing]:
        """What waits in each topic: between what is done and what the broker has."""
        for topic in self.membership.topics:
            behind = {
                at: max(0, (self.consumer.highwater(at) or 0) - self.done(at))
                for number, part in self.parts.items()
                if part.ready and (at := TopicPartition(topic, number)) in self.consumer.assignment()
            }
            self.passed.update((at, now) for at, count in behind.items() if not count)
            since = min((self.passed.get(at, now) for at, count in behind.items() if count), default=None)
            yield Standing(topic, sum(behind.values()), since)

    def done(self, at: TopicPartition) -> int:
        """The offset up to which a partition is done with."""
        return self.parts[at.partition].positions.get(at.topic, 0)

    async def _restore(self) -> None:
        epoch, begun = self.epoch, time.monotonic()
        fresh = {number: part for number, part in self.parts.items() if not part.ready}
        member = self.membership
        for number in fresh:
            self.partitions_of(number)

        def wanted() -> bool:
            return epoch == self.epoch and not self.stopping.is_set()

        count = await restore(member.kafka, member.group, member.changelog, fresh, wanted)
        async with self.lock:
            if count is None or epoch != self.epoch:
                return
            for number, part in fresh.items():
                self.restored(number, part)
                part.ready = self.held = True
                self.consumer.resume(*self.partitions_of(number))
        took = round(time.monotonic() - begun, 3)
        metrics.RECOVERY.set(took, member.name)
        log.info("recovered", stage=member.name, partitions=sorted(fresh), records=count, seconds=took)

    def partitions_of(self, number: int) -> list[TopicPartition]:
        """One partition number of every topic; a member must have them all, for their keys share a state."""
        wanted = [TopicPartition(topic, number) for topic in self.membership.topics]
        if missing := set(wanted) - set(self.consumer.assignment()):
            raise Fenced(f"partition {number} of {min(missing).topic} went to another member: unequal partition counts")
        return wanted

    # -- fencing -------------------------------------------------------------------------------------------------------

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commits; the broker refuses it from a member that is none any more. Raises then."""
        self.check()
        if positions:
            await self.consumer.commit(dict(positions))
        self.check()

    def check(self) -> None:
        """Raises Fenced in a process that was frozen or was late with what it had to finish."""
        if self._stale():
            raise Fenced("frozen, or too late for a rebalance")

    def _stale(self) -> bool:
        return self.fenced or self._silent()

    async def _watch_clock(self) -> None:
        """A process that was frozen for most of a session must not write before it has joined again."""
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            self.fenced = self.fenced or self._silent()
            self._beat = time.monotonic()

    def _silent(self) -> bool:
        return time.monotonic() - self._beat > self.membership.kafka.session * 0.6

    # -- writing -------------------------------------------------------------------------------------------------------

    async def publish(self, records: Iterable[Record]) -> None:
        """All acknowledged on return; an idempotent producer by itself would try for ever."""
        async with asyncio.timeout(self.membership.kafka.request):
            await acknowledged([await send(self.outputs, made) for made in records])

    async def keep(self, number: int, rows: Mapping[bytes, bytes | None], positions: Mapping[str, int]) -> None:
        """Rows and positions of one partition in its changelog, acknowledged on return."""
        async with asyncio.timeout(self.membership.kafka.request):
            sent = await append(self.states, self.membership.changelog, number, rows, positions)
            await acknowledged([sent])

    async def _tick(self) -> None:
        """Time passes on every partition, as an event of its own, so that a sweep has its place in the order."""
        every, now = self.membership.tick, time.monotonic()
        if every is None or now < self._next_tick:
            return
        ready = [number for number, part in self.parts.items() if part.ready]
        if ready:
            self._next_tick = now + every
            topic = self.membership.ticked
            ticks = [tick_of(self.membership.name, number) for number in ready]
            sends = [
                await self.outputs.send(
                    topic, encode(tick), key=b"", partition=tick.partition, headers=[*headers(tick)]
                )
                for tick in ticks
            ]
            await acknowledged(sends)


def membership_of(kafka: Kafka, core: Stage[Any] | Sender[Any, Any, Any], changelog: str, tick: float) -> Membership:
    """Raises ValueError for a core that sweeps and reads nothing that ticks come on."""
    if core.sweep is None:
        return Membership(kafka, core.name, core.reads, changelog)
    ticked = [topic for topic in core.reads if TOPICS[topic].ticks]
    if not ticked:
        raise ValueError(f"{core.name} sweeps, but none of {', '.join(core.reads)} takes ticks (Topic.ticks)")
    return Membership(kafka, core.name, core.reads, changelog, tick, ticked[0])


def tick_of(stage: str, partition: int) -> Ticked:
    """A tick of now."""
    moment = datetime.now(UTC)
    identity = event_id("tick", stage, str(partition), moment.isoformat())
    return Ticked(event_id=identity, occurred_at=moment, trace_id=identity, stage=stage, partition=partition)


async def send(producer: AIOKafkaProducer, made: Record) -> Any:
    """Hands a record to the producer; its acknowledgement is what is returned."""
    return await producer.send(made.topic, made.value, key=made.key, headers=list(made.headers))


async def acknowledged(sends: Iterable[Any]) -> None:
    """Waits for all, then raises the first error: none is left behind unobserved."""
    for outcome in await asyncio.gather(*sends, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
