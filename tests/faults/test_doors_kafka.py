"""I2 at every door before a cluster that lost two of its three nodes: "not now", and when they are back, all is in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroad.ingest.doors.http import HttpDoor
from postroad.ingest.doors.lmtp import LmtpDoor
from postroad.ingest.doors.mailboxes import Mailboxes
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Kafka, load
from postroad.runtime.kafka import whole
from postroad.runtime.kafka.publisher import Publisher
from postroad.runtime.objects import open_store
from postroad.runtime.worker import Door, Unavailable
from postroad_schemas import read
from postroad_schemas.directory import AliasDomain, RowProposed, row_key
from postroad_schemas.mail import MailReceived
from tests.faults.doors import POLLED, SYNCHRONOUS, Doors, id_of, raw_of
from tests.support.broker import leader_of
from tests.support.broker import three_nodes as three_nodes
from tests.support.declared import tools
from tests.support.dovecot import dovecot
from tests.support.kafka import cluster_settings, fresh_topics, publish, records
from tests.support.polling import until

POLLS = 3.0  # seconds in which each mailbox is polled and refused


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    with dovecot() as server:
        yield Doors(tmp_path, server)


@contextlib.asynccontextmanager
async def opened(doors: Doors, kafka: Kafka) -> AsyncIterator[None]:
    """All doors in this process, with the publisher of a cluster's worker."""
    publisher = Publisher(kafka)
    await publisher.start()
    config, _ = load(doors.file)
    given = replace(tools(publisher, config=config), store=open_store(config.store.url))
    for row in doors.boxes.values():
        given.views.apply("directory", row_key(row), row)
    smtp = SmtpDoor(given)
    all_of_them: tuple[Door, ...] = (smtp, LmtpDoor(given), HttpDoor(given), Mailboxes(given))
    try:
        for door in all_of_them:
            await door.start()
        doors.port = smtp.port
        yield
    finally:
        for door in all_of_them:
            await door.stop()
        await publisher.stop()


def proposed() -> RowProposed:
    """Something to read."""
    at = datetime.now(UTC)
    return RowProposed(event_id="p", occurred_at=at, trace_id="p", row=AliasDomain(name="example.com"))


async def answers(doors: Doors) -> dict[str, bool]:
    """Of the doors that give one, all asked at once."""
    given = (asyncio.to_thread(doors.give, door, raw_of(number)) for number, door in enumerate(SYNCHRONOUS))
    return dict(zip(SYNCHRONOUS, await asyncio.gather(*given), strict=True))


@pytest.mark.broker
@pytest.mark.slow
async def test_without_enough_replicas_every_door_says_not_now_and_with_them_each_mail_is_in(
    doors: Doors, three_nodes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROAD_TEST_TOKEN", "a token of the tests")
    monkeypatch.setattr(whole, "SILENCE_SECONDS", 2.0)
    kafka = cluster_settings(three_nodes.bootstrap, replication=3, request=3.0)
    await fresh_topics(kafka)
    await publish(cluster_settings(three_nodes.bootstrap, replication=3), [proposed()])
    lost = sorted(three_nodes.pids, key=(await leader_of(three_nodes.bootstrap, "directory.proposed")).__ne__)[:2]
    with doors.file.open("a") as file:  # for the pipe
        file.write(f'[kafka]\nbootstrap = "{three_nodes.bootstrap}"\nreplication = 3\nrequest = 3.0\n')
    async with opened(doors, kafka):
        for node in lost:
            three_nodes.kill(node)
        try:
            for number, door in enumerate(POLLED, start=len(SYNCHRONOUS)):
                await asyncio.to_thread(doors.put, door, raw_of(number))
            assert await answers(doors) == dict.fromkeys(SYNCHRONOUS, False)
            await asyncio.sleep(POLLS)
            assert {door: await asyncio.to_thread(doors.left, door) for door in POLLED} == dict.fromkeys(POLLED, 1)
            with pytest.raises(Unavailable):  # commands do not wait for ever either
                await whole.read_whole(kafka, "directory.proposed")
        finally:
            for node in lost:
                await asyncio.to_thread(three_nodes.start_node, node)
        said = dict.fromkeys(SYNCHRONOUS, False)
        async with asyncio.timeout(60):
            while not all(said.values()):
                said = {door: yes or said[door] for door, yes in (await answers(doors)).items()}
        await until(lambda: not any(map(doors.left, POLLED)), 30)
    found = [read(it.topic, it.value or b"") for it in await records(kafka, "mail.received")]
    taken = {event.message_id for event in found if isinstance(event, MailReceived)}
    assert taken == {*map(id_of, range(len(SYNCHRONOUS) + len(POLLED)))}
