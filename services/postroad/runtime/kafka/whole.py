"""A topic from its beginning to where it ends now, for commands."""

from aiokafka.errors import KafkaError

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings, topics
from postroad.runtime.worker import Unavailable

POLL_MS = 500


async def read_whole(kafka: Kafka, topic: str) -> list[tuple[bytes, bytes | None]]:
    """Keys and values, in order of a partition. Raises Unavailable."""
    consumer = settings.reader(kafka, f"{kafka.prefix}.command")
    try:
        await consumer.start()
        partitions = await topics.partitions(kafka, (topic,))
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[tuple[bytes, bytes | None]] = []
        left = {at for at in partitions if ends[at] > 0}
        while left:
            for messages in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                found += [(message.key or b"", message.value) for message in messages]
            left = {at for at in left if await consumer.position(at) < ends[at]}
        return found
    except (KafkaError, OSError, LookupError) as error:
        raise Unavailable(f"{topic} cannot be read from {kafka.bootstrap}: {error}") from error
    finally:
        await consumer.stop()
