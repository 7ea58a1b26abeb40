"""The example app of `schemas/README.md` on a real broker: it answers the record that a mail opened."""

from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from postroad.catalogue.app import answer_first_record
from postroad.runtime.broker import Cluster
from postroad_schemas import Event, event_id, read, record
from postroad_schemas.chatter import ChatterPosted, RecordRequested
from postroad_schemas.values import Author, Contents, Post
from tests.support.broker import create_topic

TOPIC = "chatter.published"


def requested() -> RecordRequested:
    opened = event_id("tests", "a mail that opens a record")
    return RecordRequested(
        event_id=opened,
        trace_id=opened,
        occurred_at=datetime.now(UTC),
        thread=f"crm.lead/{opened[:16]}",
        record_type="crm.lead",
        post=Post(author=Author(address="anna@example.org"), contents=Contents(text="Hello")),
    )


async def publish(bootstrap: str, event: Event) -> None:
    topic, key, value, headers = record(event)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, key=key, headers=list(headers))


async def published(bootstrap: str) -> list[tuple[bytes, Event]]:
    """All that is on the topic now, with its keys."""
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            message = await consumer.getone()
            found.append((message.key, read(message.topic, message.value)))
    return found


async def exists(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return TOPIC in await admin.list_topics()
    finally:
        await admin.close()


@pytest.mark.broker
async def test_the_example_app_posts_its_answer_and_repeats_it_as_the_same_fact(broker: Cluster) -> None:
    bootstrap = broker.bootstrap
    if not await exists(bootstrap):
        await create_topic(bootstrap, TOPIC)
    await publish(bootstrap, requested())

    thread = await answer_first_record(bootstrap)
    assert await answer_first_record(bootstrap) == thread

    on_topic = await published(bootstrap)
    asked = next(event for _, event in on_topic if isinstance(event, RecordRequested) and event.thread == thread)
    answers = [(key, event) for key, event in on_topic if isinstance(event, ChatterPosted) and event.thread == thread]
    assert len(answers) == 2
    assert {key for key, _ in answers} == {thread.encode()}
    assert {event.event_id for _, event in answers} == {event_id("my app", "answer", asked.event_id)}
    assert {event.post.contents.text for _, event in answers} == {"We are on it."}
