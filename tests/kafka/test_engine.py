"""The engine on a real broker: poison, limits, fencing, large batches, unequal partition counts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewPartitions

from postroad.runtime.broker import Cluster
from postroad.runtime.config import Kafka
from postroad.runtime.dead import TooMuchPoison
from postroad.runtime.kafka import engine as engine_module
from postroad.runtime.kafka.engine import Engine
from postroad.runtime.kafka.session import membership_of
from postroad.runtime.kafka.topics import partitions
from postroad.runtime.step import STATE_LIMIT
from postroad.runtime.worker import Unavailable, Worker
from postroad.stage import Stage
from postroad.views import Views
from postroad_schemas import Record
from postroad_schemas.address import AddressHeardFrom
from postroad_schemas.chatter import ThreadClosed
from tests.conformance.stages import CHAIN, CLOSING, COUNTING
from tests.support.kafka import (
    admin,
    caught_up,
    cluster_settings,
    committed,
    fresh_topics,
    publish,
    put,
    records,
    states,
    until,
)

AT = datetime(2026, 11, 1, tzinfo=UTC)


def heard(numbers: Sequence[int], key: str = "a") -> list[AddressHeardFrom]:
    return [
        AddressHeardFrom(event_id=f"{key}{n}", occurred_at=AT, trace_id=f"{n}", address=f"{key}@example.org")
        for n in numbers
    ]


async def begun(broker: Cluster, *stages: Stage[Any]) -> Kafka:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, Worker("trial", stages))
    return kafka


@contextlib.asynccontextmanager
async def running(*engines: Engine) -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(engine.run()) for engine in engines]
    try:
        yield tasks
    finally:
        for engine in engines:
            engine.stop()
        await asyncio.wait(tasks, timeout=10)
        for task in tasks:
            task.cancel()


@pytest.mark.broker
async def test_poison_is_buried_and_its_neighbours_are_not(broker: Cluster) -> None:
    kafka = await begun(broker, COUNTING)
    await publish(kafka, heard(range(5)))
    await put(kafka, Record("address.observed", b"a@example.org", b"{"), Record("address.observed", b"k", None))
    await publish(kafka, heard(range(5, 10)))
    engine = Engine(COUNTING, kafka, Views())

    async with running(engine):
        await caught_up(kafka, COUNTING)

    dead = await records(kafka, "trial.dead")
    assert sorted((one.value, one.headers["reason"]) for one in dead if one.value) == [(b"{", b"invalid")]
    assert [one.headers["reason"] for one in dead if one.value is None] == [b"no_value"]
    (state,) = (await states(kafka, COUNTING)).values()
    assert state == COUNTING.state({f"a{n}": n + 1 for n in range(10)})


@pytest.mark.broker
async def test_a_bad_deploy_stops_the_worker_and_buries_a_hundred_at_most(broker: Cluster) -> None:
    kafka = await begun(broker, COUNTING)
    await put(kafka, *(Record("address.observed", b"k", b"%d" % n) for n in range(300)))
    engine = Engine(COUNTING, kafka, Views(), batch=40)

    async with running(engine) as (task,):
        with pytest.raises(TooMuchPoison, match="100 records in a row"):
            await asyncio.wait_for(task, 30)

    buried = len(await records(kafka, "trial.dead"))
    assert 0 < buried <= 100
    assert max((await committed(kafka, COUNTING)).values()) <= buried


@pytest.mark.broker
async def test_states_larger_than_a_batch_are_written_in_several(broker: Cluster) -> None:
    def grow(event: AddressHeardFrom, state: Any, _: Views) -> Any:
        decision = COUNTING.decide(event, state, Views())
        return replace(decision, state=COUNTING.state({**decision.state.seen, "x" * 300_000: 1}))

    growing = replace(COUNTING, decide=grow)
    kafka = await begun(broker, growing)
    await publish(kafka, [event for n in range(12) for event in heard([1], f"k{n}-")])
    engine = Engine(growing, kafka, Views())

    async with running(engine):
        await caught_up(kafka, growing)

    assert len(await states(kafka, growing)) == 12
    assert not await records(kafka, "trial.dead")


@pytest.mark.broker
async def test_the_largest_state_is_written_and_restored(broker: Cluster) -> None:
    def grow(event: AddressHeardFrom, state: Any, _: Views) -> Any:
        decision = COUNTING.decide(event, state, Views())
        return replace(decision, state=COUNTING.state({**decision.state.seen, "x" * (STATE_LIMIT - 1000): 1}))

    growing = replace(COUNTING, decide=grow)
    kafka = await begun(broker, growing)
    for number in range(2):
        await publish(kafka, heard([number]))
        async with running(Engine(growing, kafka, Views())):
            await caught_up(kafka, growing)

    (state,) = (await states(kafka, growing)).values()
    assert isinstance(state, COUNTING.state)
    assert {"a0", "a1"} < state.seen.keys()
    assert not await records(kafka, "trial.dead")


@pytest.mark.broker
async def test_a_sweep_larger_than_a_batch_is_written_in_several(
    broker: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "DELTA_BYTES", 1000)
    kafka = await begun(broker, CLOSING)
    events = [ThreadClosed(event_id=f"{n}", occurred_at=AT, trace_id=f"{n}", thread=f"crm/{n}") for n in range(100)]
    await publish(kafka, events)
    engine = Engine(CLOSING, kafka, Views(), tick=0.5)

    async with running(engine):

        async def shut() -> bool:
            return len({one.key for one in await records(kafka, "closed-threads")}) == 100

        await until(shut, 20)

    assert await states(kafka, CLOSING) == {}
    assert engine.counts.batches > 4


@pytest.mark.broker
async def test_what_a_restart_restores_is_due_again(broker: Cluster) -> None:
    kafka = await begun(broker, CLOSING)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    await publish(kafka, [ThreadClosed(event_id="1", occurred_at=soon, trace_id="1", thread="crm/1")])
    async with running(Engine(CLOSING, kafka, Views(), tick=60.0)):
        await caught_up(kafka, CLOSING)
    assert len(await states(kafka, CLOSING)) == 1

    async with running(Engine(CLOSING, kafka, Views(), tick=0.5)):

        async def shut() -> bool:
            return bool(await records(kafka, "closed-threads"))

        await until(shut, 20)


@pytest.mark.broker
async def test_an_engine_that_may_be_a_zombie_writes_no_state(broker: Cluster) -> None:
    kafka = await begun(broker, COUNTING)
    engine = Engine(COUNTING, kafka, Views())
    async with running(engine):
        await publish(kafka, heard(range(3)))
        await caught_up(kafka, COUNTING)
        assert engine._session is not None
        engine._session.fenced = True  # as its clock does after a long silence
        first = engine.counts.sessions
        await publish(kafka, heard(range(3, 6)))
        await caught_up(kafka, COUNTING)

    assert engine.counts.sessions > first
    (state,) = (await states(kafka, COUNTING)).values()
    assert state == COUNTING.state({f"a{n}": n + 1 for n in range(6)})


@pytest.mark.broker
async def test_topics_of_unequal_partition_counts_are_not_worked_on(broker: Cluster) -> None:
    kafka = await begun(broker, CHAIN)
    async with admin(kafka) as client:
        await client.create_partitions({"message.sought": NewPartitions(6)})

    async def grown() -> bool:
        return len(await partitions(kafka, ["message.sought"])) == 6

    await until(grown)
    engine = Engine(CHAIN, kafka, Views(), patience=2.0)

    async with running(engine) as (task,):
        with pytest.raises(Unavailable, match="unequal partition counts"):
            await asyncio.wait_for(task, 30)


async def test_without_a_broker_it_gives_up_after_its_patience(tmp_path: Path) -> None:
    engine = Engine(COUNTING, Kafka(bootstrap="127.0.0.1:9"), Views(), patience=0.5)
    with pytest.raises(Unavailable, match=r"counting: no work for 0\.5 s"):
        await asyncio.wait_for(engine.run(), 20)


def test_a_stage_that_sweeps_must_read_a_topic_with_ticks() -> None:
    with pytest.raises(ValueError, match=r"none of thread\.sought takes ticks"):
        membership_of(Kafka(), replace(CLOSING, reads=("thread.sought",)), "c", 1.0)
