"""Two versions of a worker in one group on a real broker: in, beside each other, and back again.

The next version adds a field to each event and each state, and knows a type of event that this one does not know.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from postroad.bounces.addresses import ADDRESSES
from postroad.bounces.worker import WORKER
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Kafka
from postroad.runtime.kafka.engine import Engine
from postroad.runtime.step import Step, Stepper
from postroad.stage import Decision
from postroad.views import Views
from postroad_schemas import Record, Ticked, event_id, read
from postroad_schemas.address import AddressBlacklisted, AddressFailed
from postroad_schemas.values import Stream
from tests.support.kafka import caught_up, cluster_settings, fresh_topics, publish, put, records, states, until
from tests.upgrade.test_states import newer

START = datetime(2026, 11, 1, tzinfo=UTC)
PEOPLE = [f"person{number}@example.org" for number in range(40)]
TOPIC = "address.observed"
# Neither Kafka nor Faust shall matter here, only the two versions: both run on the engine.
RUNNERS = {stage.name: "kafka" for stage in WORKER.stages}


class NextStepper(Stepper):
    """As the next version reads and writes."""

    def __init__(self) -> None:
        super().__init__(ADDRESSES, Views())
        self.understood: set[str] = set()

    def event(self, topic: str, value: bytes | None) -> Any:
        document = json.loads(value or b"{}")
        if document.get("type") != "address.weighed":
            return super().event(topic, value)
        self.understood.add(document["event_id"])
        return Ticked(event_id="", occurred_at=START, trace_id="", stage="of no stage")

    def step(self, decision: Decision[Any]) -> Step:
        made = super().step(decision)
        rows = tuple(it._replace(value=it.value and added(it.value)) for it in made.records)
        return made._replace(row=made.row and newer(made.row), records=rows)


def added(value: bytes) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(value), "weight": 1})


def failed(number: int) -> list[AddressFailed]:
    """Everybody's failure of this number, two days after the one before: the fifth blacklists (B4)."""
    at = START + timedelta(days=2 * number)
    ids = [event_id("failed", str(number), person) for person in PEOPLE]
    usual: dict[str, Any] = {"status": "5.1.1", "hard": True, "proven": True, "stream": Stream.BULK}
    return [
        AddressFailed(event_id=it, occurred_at=at, trace_id=it, address=person, notification_id=it, **usual)
        for it, person in zip(ids, PEOPLE, strict=True)
    ]


def weighed(person: str) -> Record:
    """Of a type that only the next version knows."""
    document = {"type": "address.weighed", "event_id": event_id("weighed", person), "address": person}
    return Record(TOPIC, person.encode(), json.dumps(document).encode())


@asynccontextmanager
async def running(*engines: Engine) -> AsyncIterator[None]:
    """None of them may end before it is told."""
    tasks = [asyncio.create_task(engine.run()) for engine in engines]
    try:
        async with asyncio.timeout(60):
            while not all(engine.ready for engine in engines):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield
        assert [task for task in tasks if task.done()] == []
    finally:
        for engine in engines:
            engine.stop()
        await asyncio.gather(*tasks)


def this_version(kafka: Kafka) -> Engine:
    return Engine(ADDRESSES, kafka, Views())


def next_version(kafka: Kafka) -> tuple[Engine, NextStepper]:
    engine = Engine(ADDRESSES, kafka, Views())
    engine.stepper = stepper = NextStepper()
    return engine, stepper


async def buried(kafka: Kafka) -> dict[str, bytes]:
    """The events in the dead letters by id, with the reason."""
    found = await records(kafka, "bounces.dead")
    return {json.loads(it.value or b"{}")["event_id"]: it.headers["reason"] for it in found}


async def fail(kafka: Kafka, numbers: Sequence[int]) -> None:
    await publish(kafka, [event for number in numbers for event in failed(number)])
    await caught_up(kafka, ADDRESSES)


async def _ready(engine: Engine) -> bool:
    return engine.ready


@pytest.mark.broker
@pytest.mark.timeout(240)
async def test_upgrade_side_by_side_and_rollback(broker: Cluster) -> None:
    kafka = cluster_settings(broker.bootstrap, runner=RUNNERS)
    await fresh_topics(kafka, WORKER)
    async with running(this_version(kafka)):
        await fail(kafka, [0, 1])

    old, (new, stepper) = this_version(kafka), next_version(kafka)
    async with running(old, new):
        await until(lambda: _ready(new))
        await fail(kafka, [2, 3])
        await put(kafka, *map(weighed, PEOPLE))
        await caught_up(kafka, ADDRESSES)
    assert min(old.counts.events, new.counts.events) > 0
    dead = await buried(kafka)
    assert set(dead.values()) == {b"unknown_type"}
    assert dead.keys() | stepper.understood == {event_id("weighed", person) for person in PEOPLE}
    assert stepper.understood

    # Back to this version alone, which finds what the next one left.
    kept = await records(kafka, "addresses.changelog")
    assert any(isinstance(row, list) and row[-1] == "new" for row in map(told, kept))
    async with running(this_version(kafka)):
        await fail(kafka, [4])
    rows = [read("suppressions", it.value or b"") for it in await records(kafka, "suppressions")]
    listed = {row.address: row for row in rows if isinstance(row, AddressBlacklisted)}
    assert listed.keys() == set(PEOPLE)
    assert {len(row.evidence) for row in listed.values()} == {5}
    assert await states(kafka, ADDRESSES) == computed()

    # Forward again, for good: what was buried meanwhile is sent back.
    new, stepper = next_version(kafka)
    async with running(new):
        await put(kafka, *(Record(TOPIC, it.key or b"", it.value) for it in await records(kafka, "bounces.dead")))
        await caught_up(kafka, ADDRESSES)
    assert stepper.understood >= dead.keys()
    assert (await buried(kafka)).keys() == dead.keys()


def told(record: Any) -> Any:
    is_state = record.value and not (record.key or b"").startswith(b"\x00")
    return msgspec.msgpack.decode(record.value) if is_state else None


def computed() -> dict[tuple[str, str], Any]:
    """What one version alone makes of it."""
    found: dict[tuple[str, str], Any] = {}
    for number in range(5):
        for event in failed(number):
            at = (ADDRESSES.name, event.address)
            found[at] = ADDRESSES.decide(event, found.get(at, ADDRESSES.state()), Views()).state
    return found
