"""What the tests of the Kafka runners put into a cluster and look up in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings, topics
from postroad.runtime.kafka.publisher import Publisher
from postroad.runtime.worker import Worker
from postroad.stage import Emission, Sender, Stage
from postroad_schemas import Record, Ticked, Unreadable, read
from tests.conformance.audit import Identity

PARTITIONS = 4
Core = Stage[Any] | Sender[Any, Any, Any]


class Found(NamedTuple):
    """A record as it lies in a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def cluster_settings(bootstrap: str, **more: Any) -> Kafka:
    """Short times, as the tests need them."""
    usual = {"partitions": PARTITIONS, "replication": 1, "session": 3.0, "rebalance": 10.0, "request": 30.0}
    return Kafka(bootstrap=bootstrap, **{**usual, **more})


async def fresh_topics(kafka: Kafka, *workers: Worker) -> None:
    """All topics of the catalogue and of the workers, empty; what was there before is gone."""
    plan = topics.wanted(kafka, workers)
    await no_topics(kafka)
    await topics.apply(kafka, topics.changes(plan, {}))


async def no_topics(kafka: Kafka, *only: str) -> None:
    """Deletes these topics, or all; returns when they are gone."""
    async with admin(kafka) as client:
        old = set(await client.list_topics()) - {"__consumer_offsets"}
        if doomed := sorted(old & set(only) if only else old):
            await client.delete_topics(doomed)
            await until(lambda: _gone(client, doomed))


async def until(true: Callable[[], Awaitable[bool]], within: float = 60.0) -> None:
    """Asks every tenth of a second."""
    async with asyncio.timeout(within):
        while not await true():  # noqa: ASYNC110  # what is asked is in another process
            await asyncio.sleep(0.1)


async def _gone(client: AIOKafkaAdminClient, names: Sequence[str]) -> bool:
    return not set(await client.list_topics()) & set(names)


async def publish(kafka: Kafka, emissions: Sequence[Emission]) -> None:
    publisher = Publisher(kafka, "tests")
    await publisher.start()
    try:
        for first in range(0, len(emissions), 1000):
            await publisher(emissions[first : first + 1000])
    finally:
        await publisher.stop()


async def put(kafka: Kafka, *records: Record, partition: int | None = None) -> None:
    """Records of any bytes."""
    producer: AIOKafkaProducer = settings.producer(kafka, "tests")
    await producer.start()
    try:
        for made in records:
            await producer.send_and_wait(made.topic, made.value, key=made.key, partition=partition)
    finally:
        await producer.stop()


async def records(kafka: Kafka, *names: str) -> list[Found]:
    """All that lies in these topics now, in the order of their partitions."""
    consumer: AIOKafkaConsumer = settings.reader(kafka, "tests")
    await consumer.start()
    try:
        parts = await topics.partitions(kafka, names)
        ends = await consumer.end_offsets(parts)
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        found: list[Found] = []
        while any([await consumer.position(at) < ends[at] for at in parts]):
            for at, messages in (await consumer.getmany(timeout_ms=200)).items():
                found += (Found(at.topic, at.partition, m.offset, m.key, m.value, dict(m.headers)) for m in messages)
        return sorted(found, key=lambda r: (r.topic, r.partition, r.offset))
    finally:
        await consumer.stop()


def identities(found: Iterable[Found]) -> list[Identity]:
    """As the audit counts them: no ticks, nothing unreadable."""
    made = []
    for one in found:
        try:
            event = read(one.topic, one.value or b"")
        except Unreadable:
            continue
        if not isinstance(event, Ticked):
            made.append(Identity(one.topic, (one.key or b"").decode(), getattr(event, "event_id", "")))
    return made


async def states(kafka: Kafka, *cores: Core) -> dict[tuple[str, str], msgspec.Struct]:
    """The states by stage and key, as the changelogs have them; positions are no states."""
    found: dict[tuple[str, str], msgspec.Struct] = {}
    for core in cores:
        for one in await records(kafka, topics.changelog_of(core, kafka)):
            key = one.key or b""
            if key.startswith(b"\x00"):
                continue
            if one.value is None:
                found.pop((core.name, key.decode()), None)
            else:
                found[core.name, key.decode()] = msgspec.msgpack.decode(one.value, type=core.state)
    return found


async def committed(kafka: Kafka, core: Core) -> dict[TopicPartition, int]:
    """The group's offsets; -1 where none is; empty while a young cluster has no coordinators yet."""
    async with admin(kafka) as client:
        try:
            offsets = await client.list_consumer_group_offsets(settings.group_of(kafka, core.name))
        except GroupCoordinatorNotAvailableError:
            return {}
    return {at: entry.offset for at, entry in offsets.items()}


async def caught_up(kafka: Kafka, *cores: Core, within: float = 60.0) -> None:
    """Returns when every record of their topics is done with, and none has come meanwhile."""
    consumer: AIOKafkaConsumer = settings.reader(kafka, "tests")
    await consumer.start()
    try:
        parts = await topics.partitions(kafka, {topic for core in cores for topic in core.reads})
        await until(lambda: _at_the_end(kafka, consumer, cores, parts), within)
    finally:
        await consumer.stop()


async def _at_the_end(
    kafka: Kafka, consumer: AIOKafkaConsumer, cores: Sequence[Core], parts: Sequence[TopicPartition]
) -> bool:
    before = await consumer.end_offsets(parts)
    for core in cores:
        done = await committed(kafka, core)
        if any(done.get(at, -1) < end for at, end in before.items() if at.topic in core.reads and end > 0):
            return False
    return bool(before == await consumer.end_offsets(parts))


@asynccontextmanager
async def admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    client = settings.admin(kafka)
    await client.start()
    try:
        yield client
    finally:
        await client.close()
