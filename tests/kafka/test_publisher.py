"""Publishing: acknowledged, or Unavailable."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka.partitioner import murmur2

from postroad.runtime.broker import Cluster
from postroad.runtime.config import Kafka
from postroad.runtime.kafka.publisher import Publisher
from postroad.runtime.worker import Unavailable
from postroad_schemas import Row, Tombstone, encode
from postroad_schemas.address import AddressHeardFrom
from postroad_schemas.directory import Contact
from tests.conformance.stages import trial
from tests.support.kafka import PARTITIONS, cluster_settings, fresh_topics, records

AT = datetime(2026, 11, 1, tzinfo=UTC)


def heard(number: int) -> AddressHeardFrom:
    return AddressHeardFrom(event_id=f"{number}", occurred_at=AT, trace_id=f"{number}", address=f"a{number}@b.example")


@pytest.mark.broker
async def test_what_was_acknowledged_is_there_partitioned_by_murmur2(broker: Cluster, tmp_path: Path) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, trial(tmp_path / "calls"))
    publisher = Publisher(kafka)
    await publisher.start()
    events = [heard(number) for number in range(200)]

    await publisher([*events, Tombstone("contacts", "7")])
    await publisher.stop()

    found = await records(kafka, "address.observed")
    assert sorted(one.value or b"" for one in found) == sorted(map(encode, events))
    assert all(one.partition == (murmur2(one.key) & 0x7FFFFFFF) % PARTITIONS for one in found)
    assert found[0].headers.keys() == {"type", "event_id", "traceparent"}
    assert [(one.key, one.value) for one in await records(kafka, "contacts")] == [(b"7", None)]


@pytest.mark.broker
async def test_a_broker_that_went_away_is_unavailable_and_comes_back(broker: Cluster, tmp_path: Path) -> None:
    kafka = cluster_settings(broker.bootstrap, request=2.0)
    await fresh_topics(kafka, trial(tmp_path / "calls"))
    publisher = Publisher(kafka)
    await publisher.start()
    await publisher([heard(1)])
    broker.kill(1)
    try:
        assert not await publisher.alive()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(publisher([heard(2)]), 20)
    finally:
        await asyncio.to_thread(broker.start_node, 1)
    async with asyncio.timeout(30):
        while True:
            try:
                await publisher([heard(3)])
            except Unavailable:
                continue
            break
    await publisher.stop()

    found = {one.headers["event_id"] for one in await records(kafka, "address.observed")}
    assert {b"1", b"3"} <= found


async def test_without_a_broker_it_does_not_start() -> None:
    publisher = Publisher(Kafka(bootstrap="127.0.0.1:9"))
    with pytest.raises(Unavailable, match=r"no Kafka at 127\.0\.0\.1:9"):
        await publisher.start()
    with pytest.raises(Unavailable, match="not connected"):
        await publisher([heard(1)])
    assert not await publisher.alive()


@pytest.mark.parametrize(
    ("emission", "error"),
    [
        pytest.param(Contact(contact_id="x" * 2_000_000, addresses=()), ValueError, id="an event no broker takes"),
        pytest.param(Row(), KeyError, id="what is on no topic"),
    ],
)
async def test_what_is_no_event_is_the_callers_fault(emission: Row, error: type[Exception]) -> None:
    with pytest.raises(error):
        await Publisher(Kafka(bootstrap="127.0.0.1:9"))([emission])
