"""Followers of tables: all that was there before they are ready, then what comes, within a second."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroad.runtime.broker import Cluster
from postroad.runtime.config import Kafka
from postroad.runtime.kafka.tables import TableFollower
from postroad.runtime.worker import Unavailable
from postroad.views import TABLES, Views
from postroad_schemas import Record, Tombstone
from postroad_schemas.address import ThreadShut
from postroad_schemas.directory import Contact
from tests.conformance.stages import trial
from tests.support.kafka import cluster_settings, fresh_topics, no_topics, publish, put, until

AT = datetime(2026, 11, 1, tzinfo=UTC)


def contact(number: int) -> Contact:
    return Contact(contact_id=f"{number}", addresses=(f"a{number}@example.org",))


def shut(thread: str) -> ThreadShut:
    return ThreadShut(event_id=thread, occurred_at=AT, trace_id=thread, thread=thread)


@pytest.mark.broker
async def test_ready_means_all_that_was_there_and_later_rows_follow(broker: Cluster, tmp_path: Path) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, trial(tmp_path / "calls"))
    await publish(kafka, [*map(contact, range(500)), Tombstone("contacts", "3"), shut("crm/1")])
    views = Views()
    follower = TableFollower(kafka, TABLES, views)

    await follower.start()
    assert len(views.contacts) == 499
    assert views.closed == {"crm/1"}

    took = []
    for number in range(1000, 1003):
        await publish(kafka, [contact(number), Tombstone("closed-threads", "crm/1")])
        written = time.monotonic()

        async def seen(key: str = str(number)) -> bool:
            return views.contacts.get(key) is not None and not views.closed

        await until(seen)
        took.append(time.monotonic() - written)
    assert min(took) < 10
    await follower.stop()


@pytest.mark.broker
async def test_a_row_that_cannot_be_read_leaves_the_one_before_it(broker: Cluster, tmp_path: Path) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, trial(tmp_path / "calls"))
    await publish(kafka, [contact(1)])
    await put(kafka, Record("contacts", b"1", b"{"), Record("contacts", b"2", b'{"type":"new.kind"}'))
    await publish(kafka, [contact(3)])
    views = Views()
    follower = TableFollower(kafka, ["contacts"], views)

    await follower.start()
    await follower.stop()

    assert [views.contacts.get(key) is not None for key in "123"] == [True, False, True]


@pytest.mark.broker
async def test_a_missing_table_says_what_to_run(broker: Cluster) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await no_topics(kafka, "suppressions")
    with pytest.raises(LookupError, match="no topic suppressions: run `postroad topics apply`"):
        await TableFollower(kafka, ["suppressions"], Views()).start()


async def test_no_tables_need_no_broker() -> None:
    follower = TableFollower(Kafka(bootstrap="127.0.0.1:9"), ["held"], Views())
    async with asyncio.timeout(60):
        await follower.start()
        await follower.stop()


async def test_without_a_broker_it_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await TableFollower(Kafka(bootstrap="127.0.0.1:9"), ["contacts"], Views()).start()
