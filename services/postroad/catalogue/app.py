import asyncio
import sys
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from postroad_schemas import event_id, read, record
from postroad_schemas.chatter import ChatterPosted, RecordRequested
from postroad_schemas.values import Author, Contents, Post


async def answer_first_record(bootstrap: str) -> str:
    """Waits for a record that a mail opened, and posts on its thread."""
    consumer = AIOKafkaConsumer("chatter.published", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    async with consumer, producer:
        async for message in consumer:
            event = read(message.topic, message.value)
            if isinstance(event, RecordRequested):  # create the record, keep event.thread beside its id
                post = Post(author=Author(address="", contact="42"), contents=Contents(text="We are on it."))
                answer_id = event_id("my app", "answer", event.event_id)  # the same when this runs again
                answer = ChatterPosted(
                    event_id=answer_id,
                    trace_id=answer_id,
                    occurred_at=datetime.now(UTC),
                    thread=event.thread,
                    post=post,
                )
                topic, key, value, headers = record(answer)
                await producer.send_and_wait(topic, value, key=key, headers=list(headers))
                return event.thread
    return ""


if __name__ == "__main__":
    print(asyncio.run(answer_first_record(sys.argv[1])))
