"""A stage's changelog: the rows of its states, and beside them how far its topics were read.

A record batch is appended whole or not at all, so rows and positions written in one batch cannot run apart.
"""

import heapq
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings

_NUL = b"\x00"
_POSITION = b"\x00position "


class Agenda:
    """Which key wants to be looked at when."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, bytes]] = []
        self._noted: dict[bytes, float] = {}  # key -> its earliest entry

    def note(self, key: bytes, due: float) -> None:
        """Later entries are not made: when the earlier one comes up, the key is asked again."""
        if due < self._noted.get(key, float("inf")):
            self._noted[key] = due
            heapq.heappush(self._entries, (due, key))

    def fallen_due(self, now: float, due: Callable[[bytes], float | None]) -> Iterator[bytes]:
        """The keys whose time has come, the earliest first; each is out of the agenda once it was given."""
        while self._entries and self._entries[0][0] <= now:
            noted, key = heapq.heappop(self._entries)
            if self._noted.get(key) != noted:
                continue
            del self._noted[key]
            moment = due(key)
            if moment is None:
                continue
            if moment <= now:
                yield key
            else:
                self.note(key, moment)


class Part:
    """One partition of a stage: rows by key, the next offset of each topic, and which key is due when."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.positions: dict[str, int] = {}
        self.ready = False
        self.agenda = Agenda()

    def put(self, key: bytes, row: bytes | None, due: float | None = None) -> None:
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row
        if due is not None:
            self.agenda.note(key, due)

    def fallen_due(self, now: float, due: Callable[[bytes | None], float | None]) -> Iterator[bytes]:
        return self.agenda.fallen_due(now, lambda key: due(self.rows.get(key)))

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the changelog."""
        if key.startswith(_POSITION):
            if value is not None:
                self.positions[key[len(_POSITION) :].decode()] = int(value)
        else:
            self.put(_plain(key), value)


def state_key(key: bytes) -> bytes:
    """Keys come from mails: one that begins with NUL must not pass for a position."""
    return _NUL + key if key.startswith(_NUL) else key


def _plain(key: bytes) -> bytes:
    return key[1:] if key.startswith(_NUL) else key


async def append(
    producer: AIOKafkaProducer,
    changelog: str,
    partition: int,
    rows: Mapping[bytes, bytes | None],
    positions: Mapping[str, int],
) -> Any:
    """Hands one batch of rows and positions to the producer; its acknowledgement is what is returned."""
    batch, now = producer.create_batch(), int(time.time() * 1000)
    entries = [(state_key(key), row) for key, row in rows.items()]
    entries += [(_POSITION + topic.encode(), b"%d" % position) for topic, position in positions.items()]
    for key, value in entries:
        if batch.append(timestamp=now, key=key, value=value) is None:
            raise KafkaError(f"a batch for {changelog} is larger than {settings.CHANGELOG_BYTES} bytes")
    batch.close()
    return await producer.send_batch(batch, changelog, partition=partition)


async def restore(
    kafka: Kafka, name: str, changelog: str, parts: Mapping[int, Part], wanted: Callable[[], bool]
) -> int | None:
    """Reads the changelog's partitions to where they end now; how many records that were, None once not `wanted`."""
    reader = settings.reader(kafka, f"{name}-restore")
    await reader.start()
    try:
        partitions = {TopicPartition(changelog, number): part for number, part in parts.items()}
        ends = await reader.end_offsets(list(partitions))
        reader.assign(list(partitions))
        await reader.seek_to_beginning(*partitions)
        count, left = 0, {at for at in partitions if ends[at] > 0}
        while left:
            if not wanted():
                return None
            for at, messages in (await reader.getmany(timeout_ms=200)).items():
                count += len(messages)
                for message in messages:
                    partitions[at].take(message.key, message.value)
            left = {at for at in left if await reader.position(at) < ends[at]}
        return count
    finally:
        await reader.stop()
