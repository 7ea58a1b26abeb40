"""Events onto the log from doors and callers: acknowledged by all replicas, or Unavailable."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from postroad.runtime import logs
from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings
from postroad.runtime.kafka.session import acknowledged, send
from postroad.runtime.kafka.trouble import at, words
from postroad.runtime.observe import metrics
from postroad.runtime.observe.events import count
from postroad.runtime.step import Poison, written
from postroad.runtime.worker import Unavailable
from postroad.stage import Emission
from postroad_schemas import Record

log = structlog.get_logger("postroad.kafka")


class Publisher:
    """One idempotent producer for a process. What is published together is in flight together."""

    def __init__(self, kafka: Kafka, name: str = "postroad") -> None:
        self._kafka = kafka
        self._name = f"{kafka.prefix}.{name}"
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Raises Unavailable when no broker answers; it may be called again then."""
        producer = settings.producer(self._kafka, self._name)
        try:
            await producer.start()
            self._producer = producer
        except (KafkaError, OSError) as error:
            await settings.close(producer)
            raise Unavailable(at(error, self._kafka)) from error

    async def stop(self) -> None:
        if self._producer is not None:
            await settings.close(self._producer)

    async def __call__(self, emissions: Sequence[Emission]) -> None:
        """All of them acknowledged on return. Raises Unavailable: then they may be on the log, now or later,
        or not.

        Raises ValueError for an event that no broker would take.
        """
        try:
            records = list(written(emissions))
        except Poison as error:
            raise ValueError(str(error)) from error
        await self.send(records)
        count(emissions)
        if logs.decisions is not None:
            logs.decisions.published(emissions, datetime.now(UTC))

    async def send(self, records: Sequence[Record]) -> None:
        """As above, for records as they lie on the log: dead letters that are sent back. Raises Unavailable."""
        if self._producer is None:
            raise Unavailable("not connected to Kafka yet")
        try:
            async with asyncio.timeout(self._kafka.request):  # an idempotent producer tries for ever by itself
                await acknowledged([await send(self._producer, made) for made in records])
        except (KafkaError, OSError, TimeoutError) as error:
            metrics.LOG_FAILURES.inc("publish")
            log.warning("not published", error=f"{type(error).__name__}: {error}", events=len(records))
            raise Unavailable(f"Kafka does not take events now: {words(error, self._kafka)}") from error

    async def alive(self) -> bool:
        """Whether a broker answers now."""
        try:
            return self._producer is not None and bool(await self._producer.client.force_metadata_update())
        except (KafkaError, OSError):
            return False
