"""A topic from its beginning to where it ends now, for commands."""

import time

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings, topics
from postroad.runtime.kafka.changelog import state_key
from postroad.runtime.kafka.trouble import words
from postroad.runtime.worker import Unavailable

POLL_MS = 500
SILENCE_SECONDS = 20.0


async def read_whole(kafka: Kafka, topic: str, key: bytes | None = None) -> list[tuple[bytes, bytes | None]]:
    """Keys and values, in order of a partition; of one key only, the partition it is in is read. Raises Unavailable."""
    found = await read_records(kafka, topic, key)
    return [(made.key or b"", made.value) for made in found if key is None or _is_of(made.key, key)]


async def read_records(kafka: Kafka, topic: str, key: bytes | None = None) -> list[ConsumerRecord]:
    """All of a topic, or the partition that a key is in, with offsets and headers. Raises Unavailable."""
    consumer = settings.reader(kafka, f"{kafka.prefix}.command")
    try:
        await consumer.start()
        partitions = await topics.partitions(kafka, (topic,))
        if key is not None:
            partitions = [TopicPartition(topic, (murmur2(key) & 0x7FFFFFFF) % len(partitions))]
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[ConsumerRecord] = []
        left, moved = {at for at in partitions if ends[at] > 0}, time.monotonic()
        while left:
            for messages in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                found += messages
                moved = time.monotonic()
            left = {at for at in left if await consumer.position(at) < ends[at]}
            if left and time.monotonic() - moved > SILENCE_SECONDS:  # no leader: nobody says so
                raise Unavailable(f"{topic} gives nothing for {SILENCE_SECONDS:.0f} s: are enough brokers running?")
        return found
    except (KafkaError, OSError, LookupError) as error:
        raise Unavailable(f"{topic} cannot be read from {kafka.bootstrap}: {words(error, kafka)}") from error
    finally:
        await consumer.stop()


def _is_of(written: bytes | None, key: bytes) -> bool:
    """Changelogs write a key that begins with NUL behind another."""
    return written in (key, state_key(key))
