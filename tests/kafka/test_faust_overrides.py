"""What is changed in Faust: that it does what it is for, and that Faust is still what was changed.

A new Faust whose code differs in one of these places fails here: read what changed, adapt the override, then the sum.
"""

import asyncio
import hashlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import TopicPartition
from faust.streams import Stream
from faust.tables import TableManager
from faust.tables.base import Collection
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP, ConsumerMessage, Message

from postroad.runtime.broker import Cluster
from postroad.runtime.config import Kafka
from postroad.runtime.dead import TooMuchPoison
from postroad.runtime.faust.app import FaustRunner, partition_of
from postroad.runtime.faust.overrides import GuardedConsumer, GuardedProducer, GuardedRecovery, GuardedTables, KeptTable
from postroad.runtime.faust.settings import app_for
from postroad.runtime.faust.watchdog import Watchdog
from postroad.runtime.worker import Worker
from postroad.views import Views
from postroad_schemas import Record
from tests.conformance.stages import COUNTING
from tests.kafka.test_engine import heard
from tests.support.kafka import PARTITIONS, caught_up, cluster_settings, fresh_topics, publish, put, records, states

KAFKA = Kafka(bootstrap="127.0.0.1:9", replication=1)


@pytest.fixture
def app(tmp_path: Path) -> faust.App:
    return app_for(KAFKA, "trying", PARTITIONS, tmp_path)


@pytest.mark.parametrize(
    ("stock", "digest"),
    [
        pytest.param(consumer.ThreadDelegateConsumer._getmany, "f9d47aa9010b5ff2", id="consumer's fetch"),
        pytest.param(driver.AIOKafkaConsumerThread.getmany, "26fc5fc9f3b667e1", id="thread's fetch"),
        pytest.param(driver.AIOKafkaConsumerThread._fetch_records, "39a2c6c79fc1455a", id="fetcher's filter"),
        pytest.param(consumer.Consumer.ack, "5fcf41cf45153475", id="consumer's acknowledgement"),
        pytest.param(consumer.Consumer.perform_seek, "0e8c130ff4b0afd8", id="seek to what is committed"),
        pytest.param(consumer.Consumer.getmany, "4b168d84882a70d6", id="order of what is fetched"),
        pytest.param(consumer.Consumer._new_offset, "1d2c7ea89a7ad4f1", id="offset to commit"),
        pytest.param(consumer.Consumer._drain_messages, "44a2500309e83c63", id="gaps of what is fetched"),
        pytest.param(Message.ack, "4751b72c4ed84153", id="message's acknowledgement"),
        pytest.param(ConsumerMessage.on_final_ack, "45d670b6a8ac4bd0", id="last acknowledgement"),
        pytest.param(Stream.ack, "32d7171a89b0931d", id="stream's acknowledgement"),
        pytest.param(Stream.take_events, "607d48aead118ba8", id="batches of a stream"),
        pytest.param(driver.Producer._settings_extra, "a4c7bc41b6382223", id="producer's settings"),
        pytest.param(Recovery.on_recovery_completed, "6ef567acf072e46d", id="end of a recovery"),
        pytest.param(TableManager.recovery.fget, "f0bf5de78b4c3d23", id="the recovery of the tables"),
        pytest.param(Collection.send_changelog, "3dd3884e1b5fc0e1", id="changelog of tables"),
        pytest.param(Collection.partition_for_key, "3b2291811b8dd791", id="partition of a row"),
        pytest.param(Table.on_key_set, "a370e35ca55c2c7e", id="a row is set"),
        pytest.param(Table.on_key_del, "4f2900b2f9d24a08", id="a row is deleted"),
        pytest.param(faust.App._on_partitions_revoked, "d5c895bbe57dc73a", id="order of a revocation"),
    ],
)
def test_faust_is_what_was_changed(stock: Callable[..., Any], digest: str) -> None:
    found = hashlib.sha256(inspect.getsource(inspect.unwrap(stock)).encode()).hexdigest()[:16]

    assert found == digest, f"{stock.__qualname__} is not the one that the overrides were written for"


def test_the_app_uses_every_override(app: faust.App) -> None:
    assert isinstance(app.consumer, GuardedConsumer)
    assert isinstance(app.producer, GuardedProducer)
    assert isinstance(app.tables, GuardedTables)
    assert isinstance(app.tables.recovery, GuardedRecovery)
    assert isinstance(app.Table("t", partitions=PARTITIONS), KeptTable)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("broker_commit_interval", 0.5, id="commits twice a second"),
        pytest.param("consumer_auto_offset_reset", "earliest", id="begins at the beginning"),
        pytest.param("stream_buffer_maxsize", 1024, id="a bounded buffer"),
        pytest.param("stream_wait_empty", False, id="does not wait for what was dropped"),
        pytest.param("stream_publish_on_commit", False, id="outputs are not tied to commits"),
        pytest.param("topic_allow_declare", False, id="makes no topics"),
        pytest.param("topic_disable_leader", True, id="no leader topic"),
        pytest.param("web_enabled", False, id="no web server"),
        pytest.param("producer_linger", 0, id="no linger"),
        pytest.param("producer_request_timeout", 60.0, id="a bounded request"),
        pytest.param("broker_session_timeout", 10.0, id="session"),
        pytest.param("broker_rebalance_timeout", 60.0, id="rebalance"),
        pytest.param("producer_threaded", False, id="no second producer thread"),
        pytest.param("table_standby_replicas", 0, id="no standbys on a single node"),
        pytest.param("cython_optimizations", False, id="streams as the overrides know them"),
    ],
)
def test_settings(app: faust.App, name: str, value: object) -> None:
    assert getattr(app.conf, name) == value


def test_production_keeps_tables_warm(tmp_path: Path) -> None:
    assert app_for(Kafka(bootstrap="x:1", replication=3), "s", 4, tmp_path).conf.table_standby_replicas == 1


def test_the_producer_is_idempotent(app: faust.App) -> None:
    extra = app.producer._settings_extra()

    assert (extra["enable_idempotence"], extra["acks"]) == (True, "all")
    assert app.in_transaction is False


async def test_a_fetch_gets_the_partitions_as_they_are_at_the_call(
    app: faust.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, seen = {TopicPartition("t", 0)}, []

    async def stock(_: Any, partitions: Any, timeout: float) -> dict[str, str]:
        live.clear()  # as a pause does in mid-fetch
        seen.append(set(partitions))
        return {"some": "records"}

    monkeypatch.setattr(consumer.ThreadDelegateConsumer, "_getmany", stock)

    assert await app.consumer._getmany(live, 1.0) == {"some": "records"}
    assert seen == [{TopicPartition("t", 0)}]
    assert await app.consumer._getmany(live, 1.0) == {}, "no active partitions is no filter to aiokafka"
    assert len(seen) == 1


def message(offset: int = 5, generation: int = 1) -> ConsumerMessage:
    made = ConsumerMessage("t", 0, offset, 0.0, 0, (), b"k", b"v", None, generation_id=generation)
    made.incref()
    return made


@pytest.mark.parametrize(
    ("finished", "acknowledged"),
    [
        pytest.param([(5, 1)], True, id="what was finished"),
        pytest.param([], False, id="what was not"),
        pytest.param([(4, 1)], False, id="not by its neighbour"),
        pytest.param([(5, 0)], False, id="nor by an earlier generation"),
    ],
)
def test_only_what_was_finished_is_acknowledged(
    app: faust.App, finished: list[tuple[int, int]], acknowledged: bool
) -> None:
    for offset, generation in finished:
        app.consumer.finish(message(offset, generation))
    app.topics.acks_enabled_for = lambda _: True

    message().ack(app.consumer)

    assert (5 in app.consumer._acked[TopicPartition("t", 0)]) is acknowledged


async def test_partitions_resume_after_everything_else(app: faust.App, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    async def stock(self: Any, generation_id: int = 0) -> None:
        self.app.consumer.resume_partitions({TopicPartition("t", 0)})
        order.append("sought and cleared")

    monkeypatch.setattr(Recovery, "on_recovery_completed", stock)
    monkeypatch.setattr(type(app.consumer), "resume_partitions", lambda _, which: order.append(f"resumed {len(which)}"))

    await app.tables.recovery.on_recovery_completed(7)
    app.consumer.resume_partitions(set())

    assert order == ["sought and cleared", "resumed 1", "resumed 0"]


async def test_partitions_resume_after_nothing_when_a_recovery_fails(
    app: faust.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stock(self: Any, generation_id: int = 0) -> None:
        self.app.consumer.resume_partitions({TopicPartition("t", 0)})
        raise RuntimeError("another rebalance")

    resumed: list[object] = []
    monkeypatch.setattr(Recovery, "on_recovery_completed", stock)
    monkeypatch.setattr(type(app.consumer), "resume_partitions", lambda _, which: resumed.append(which))

    with pytest.raises(RuntimeError):
        await app.tables.recovery.on_recovery_completed(7)
    assert resumed == []


@pytest.mark.parametrize("key", [b"", b"a", b"a0@example.org", "ü@example.org".encode()])
@pytest.mark.broker
async def test_keys_are_looked_for_where_producers_put_them(broker: Cluster, key: bytes) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, Worker("trial", (COUNTING,)))
    await put(kafka, Record("address.observed", key, b"x"))

    assert [one.partition for one in await records(kafka, "address.observed")] == [partition_of(key, PARTITIONS)]


# -- the runner in this process ----------------------------------------------------------------------------------------


async def on_faust(broker: Cluster) -> Kafka:
    kafka = cluster_settings(broker.bootstrap, runner={"counting": "faust"})
    await fresh_topics(kafka, Worker("trial", (COUNTING,)))
    return kafka


@pytest.mark.broker
async def test_an_output_that_is_not_acknowledged_leaves_the_offset(
    broker: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = await on_faust(broker)
    await publish(kafka, heard(range(20)))
    runner = FaustRunner(COUNTING, kafka, Views())
    broken = True
    stock = runner._write

    async def write(*arguments: Any) -> None:
        if broken:
            raise OSError("the output topic is away")
        await stock(*arguments)

    monkeypatch.setattr(runner, "_write", write)
    task = asyncio.create_task(runner.run())
    with pytest.raises(Exception, match="the output topic is away"):
        await asyncio.wait_for(task, 30)
    assert not await records(kafka, "suppressions")

    second = FaustRunner(COUNTING, kafka, Views())
    task = asyncio.create_task(second.run())
    await caught_up(kafka, COUNTING)
    second.stop()
    await task

    (state,) = (await states(kafka, COUNTING)).values()
    assert state == COUNTING.state({f"a{n}": n + 1 for n in range(20)})


@pytest.mark.broker
async def test_a_bad_deploy_stops_the_runner(broker: Cluster) -> None:
    kafka = await on_faust(broker)
    await put(kafka, *(Record("address.observed", b"k", b"%d" % n) for n in range(300)))
    runner = FaustRunner(COUNTING, kafka, Views())

    with pytest.raises(TooMuchPoison):
        await asyncio.wait_for(runner.run(), 30)
    assert len(await records(kafka, "trial.dead")) <= 100


@pytest.mark.broker
@pytest.mark.parametrize(
    ("events", "moving", "ends"),
    [
        pytest.param(5, False, True, id="work before it and nothing moves"),
        pytest.param(5, True, False, id="work before it, and it works"),
        pytest.param(0, False, False, id="nothing to do"),
    ],
)
async def test_the_watchdog_ends_what_stands_still(broker: Cluster, events: int, moving: bool, ends: bool) -> None:
    kafka = await on_faust(broker)
    await publish(kafka, heard(range(events)))
    mine = [TopicPartition("address.observed", number) for number in range(PARTITIONS)]
    ended: list[int] = []
    steps = iter(range(10_000))
    dog = Watchdog(kafka, "nobody", lambda: mine, lambda: next(steps) if moving else 0, patience=0.6, end=ended.append)
    task = asyncio.create_task(dog.run())
    await asyncio.wait([task], timeout=60 if ends else 3)
    task.cancel()

    assert ended == ([os.EX_SOFTWARE] if ends else [])


class Fetched:
    """What stock `getmany` would give: one list of offsets a call, then nothing."""

    def __init__(self, *fetches: list[int]) -> None:
        self.fetches = list(fetches)

    async def __call__(self, timeout: float) -> Any:
        for offset in self.fetches.pop(0) if self.fetches else ():
            yield AT, Message("mail.routed", 0, offset, 0.0, 0, None, None, None, None, None, tp=AT)


AT = TP("mail.routed", 0)


@pytest.mark.parametrize(
    ("fetches", "taken", "sought"),
    [
        pytest.param([[5, 6], [7]], [5, 6, 7], [], id="in order"),
        pytest.param([[8, 9], [5, 6]], [5, 6], [5], id="a fetch that a rebalance overtook is fetched again"),
        pytest.param([[5, 8, 9], [6, 7]], [5, 6, 7], [6], id="what is skipped in the middle is fetched again"),
        pytest.param([[5, 6], [5, 6, 7]], [5, 6, 7], [], id="what was taken is passed over"),
    ],
)
async def test_records_are_taken_in_the_order_of_their_offsets(
    app: faust.App, monkeypatch: pytest.MonkeyPatch, fetches: list[list[int]], taken: list[int], sought: list[int]
) -> None:
    guarded = app.consumer
    seeks: list[int] = []
    stock = Fetched(*fetches)
    monkeypatch.setattr(driver.Consumer, "getmany", lambda _, timeout: stock(timeout))
    monkeypatch.setattr(guarded, "earliest_offsets", answering({AT: 0}))
    monkeypatch.setattr(guarded, "_seek", recording(seeks))
    guarded._expected = {AT: 5}
    guarded._next = {AT: 5}

    found = [message.offset for _ in fetches async for _, message in guarded.getmany(1.0)]

    assert (found, seeks) == (taken, sought)


async def test_what_retention_deleted_is_not_waited_for(app: faust.App, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = app.consumer
    seeks: list[int] = []
    stock = Fetched([8, 9], [8, 9])
    monkeypatch.setattr(driver.Consumer, "getmany", lambda _, timeout: stock(timeout))
    monkeypatch.setattr(guarded, "earliest_offsets", answering({AT: 8}))
    monkeypatch.setattr(guarded, "_seek", recording(seeks))
    guarded._expected, guarded._next, guarded._done = {AT: 5}, {AT: 5}, {AT: {8}}

    found = [message.offset for _ in range(2) async for _, message in guarded.getmany(1.0)]

    assert (found, seeks, guarded._new_offset(AT)) == ([8, 9], [8], 9)


@pytest.mark.parametrize(
    ("start", "done", "committed"),
    [
        pytest.param(5, {5, 6, 7}, 8, id="all of them"),
        pytest.param(5, {6, 7}, None, id="the first is not finished"),
        pytest.param(0, {1, 2}, None, id="nothing was committed yet and the first is not finished"),
        pytest.param(5, {5, 7}, 6, id="up to the one that is missing"),
        pytest.param(5, set(), None, id="nothing new"),
        pytest.param(None, {5}, None, id="before the first seek"),
    ],
)
def test_only_what_is_finished_without_a_gap_is_committed(
    app: faust.App, start: int | None, done: set[int], committed: int | None
) -> None:
    guarded = app.consumer
    guarded._next = {} if start is None else {AT: start}
    guarded._done = {AT: done}

    assert guarded._new_offset(AT) == committed
    assert guarded._new_offset(AT) is None


def answering(found: dict[TP, int]) -> Callable[..., Any]:
    async def earliest(*_: TP) -> dict[TP, int]:
        return found

    return earliest


def recording(seeks: list[int]) -> Callable[..., Any]:
    async def seek(_: TP, offset: int) -> None:
        seeks.append(offset)

    return seek
