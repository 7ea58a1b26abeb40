"""What can be known of clocks without asking the world: whether this one is kept right, and who is ahead of it."""

import ctypes
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from aiokafka.errors import KafkaError

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings, topics
from postroad.runtime.kafka.trouble import words
from postroad.runtime.worker import Unavailable
from postroad_schemas import TOPICS

AHEAD = timedelta(seconds=60)  # what no two clocks may differ by
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_STATUS = 40  # where `status` stands in its struct, of 64-bit systems


def kept_right() -> bool | None:
    """Whether something such as NTP disciplines this machine's clock; None where the kernel does not say."""
    room = ctypes.create_string_buffer(512)
    try:
        answer = ctypes.CDLL(None).adjtimex(room)  # modes 0: it only reads
    except (AttributeError, OSError):
        return None
    if answer < 0 or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    return not int.from_bytes(room.raw[_STATUS : _STATUS + 4], "little") & _UNSYNCHRONISED


def newest_of_file(path: Path) -> float | None:
    """When the last record of an embedded log was appended, by its clock of then, UTC seconds. Raises Unavailable."""
    query = 'SELECT at FROM records WHERE topic = ? ORDER BY "offset" DESC LIMIT 1'
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as log:
            found = [log.execute(query, (topic,)).fetchone() for topic in TOPICS]
    except sqlite3.Error as error:
        raise Unavailable(f"{path} cannot be read ({error}): check the path and its rights") from error
    return max((at for (at,) in filter(None, found)), default=None)


async def topics_ahead(kafka: Kafka, now: datetime) -> list[str]:
    """Streams with records from the future: some producer's clock is ahead. Raises Unavailable."""
    consumer = settings.reader(kafka, f"{kafka.prefix}.doctor")
    try:
        await consumer.start()
        partitions = await topics.partitions(kafka, [name for name, topic in TOPICS.items() if not topic.table])
        moment = int((now + AHEAD).timestamp() * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, moment))
        return sorted({at.topic for at, first in found.items() if first is not None})
    except (KafkaError, OSError, LookupError) as error:
        raise Unavailable(
            f"the times of records cannot be read from {kafka.bootstrap}: {words(error, kafka)}"
        ) from error
    finally:
        await settings.close(consumer)
