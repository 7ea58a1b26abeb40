"""Tables that others write, kept up to date in the views of this process."""

import asyncio
import contextlib
import time
from collections.abc import Container, Iterable
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings, topics
from postroad.runtime.kafka.trouble import words
from postroad.runtime.worker import Unavailable
from postroad.views import TABLES
from postroad_schemas import Unreadable, read

log = structlog.get_logger("postroad.kafka")
POLL_MS = 500
AGAIN_SECONDS = 2.0


class Rows(Protocol):
    """What rows are put into."""

    def apply(self, table: str, key: str, row: Any) -> None: ...


class TableFollower:
    """Reads tables from their beginning, without a group: first to where they end now, then as they grow."""

    def __init__(self, kafka: Kafka, tables: Iterable[str], views: Rows, *, known: Container[str] = TABLES) -> None:
        self._kafka = kafka
        self._tables = tuple(table for table in dict.fromkeys(tables) if table in known)
        self._views = views
        self._consumer: AIOKafkaConsumer | None = None
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the views hold all that was in the tables at the call.

        Raises Unavailable, and LookupError when there is no such topic.
        """
        if not self._tables:
            return
        self._consumer = settings.reader(self._kafka, f"{self._kafka.prefix}.tables")
        try:
            count = await self._read_all(self._consumer)
        except (KafkaError, OSError) as error:
            raise Unavailable(
                f"tables cannot be read from {self._kafka.bootstrap}: {words(error, self._kafka)}"
            ) from error
        log.info("tables ready", tables=self._tables, records=count)
        self._following = asyncio.create_task(self._follow(self._consumer))

    def age(self) -> float:
        """Seconds since the broker last said what is in the tables, at the table that it said least lately."""
        consumer = self._consumer
        if consumer is None:
            return 0.0
        now = time.time() * 1000
        heard = [consumer.last_poll_timestamp(at) or now for at in consumer.assignment()]
        return max(0.0, now - min(heard, default=now)) / 1000

    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        if self._consumer is not None:
            await settings.close(self._consumer)

    async def _read_all(self, consumer: AIOKafkaConsumer) -> int:
        await consumer.start()
        partitions = await topics.partitions(self._kafka, self._tables)
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        count, left = 0, {at for at in partitions if ends[at] > 0}
        while left:
            count += self._apply(await consumer.getmany(timeout_ms=POLL_MS))
            left = {at for at in left if await consumer.position(at) < ends[at]}
        return count

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                self._apply(await consumer.getmany(timeout_ms=POLL_MS))
            except KafkaError as error:  # a view that stands still beats a worker that stands still
                log.warning("tables do not follow", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(AGAIN_SECONDS)

    def _apply(self, got: dict[TopicPartition, list[Any]]) -> int:
        for at, messages in got.items():
            for message in messages:
                self._row(at.topic, message)
        return sum(map(len, got.values()))

    def _row(self, table: str, message: Any) -> None:
        """A row that cannot be read is passed, aloud: the one before it stands."""
        try:
            key = (message.key or b"").decode("utf-8", "surrogatepass")
            row = None if message.value is None else read(table, message.value)
            self._views.apply(table, key, row)
        except (Unreadable, ValueError, LookupError, TypeError) as error:
            log.error(
                "row passed over",
                table=table,
                partition=message.partition,
                offset=message.offset,
                error=f"{type(error).__name__}: {error}"[:300],
            )
