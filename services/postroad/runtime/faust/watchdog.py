"""Ends the process when Faust stands still with work before it: what no exception tells of."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings

log = structlog.get_logger("postroad.faust")


class Watchdog:
    """Looks from outside: end offsets and committed offsets by clients of its own.

    Work is before it, nothing is committed and nothing was worked on for `patience` seconds: then `end` is called. A
    broker that does not answer is not counted: that is others' to notice.
    """

    def __init__(
        self,
        kafka: Kafka,
        group: str,
        assigned: Callable[[], Iterable[TopicPartition]],
        progress: Callable[[], int],
        *,
        patience: float = 60.0,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._assigned = assigned
        self._progress = progress
        self._patience = patience
        self._end = end

    async def run(self) -> None:
        admin = settings.admin(self._kafka)
        reader = settings.reader(self._kafka, f"{self._group}-watchdog")
        try:
            await admin.start()
            await reader.start()
            await self._watch(admin, reader)
        finally:
            await admin.close()
            await settings.close(reader)

    async def _watch(self, admin: AIOKafkaAdminClient, reader: object) -> None:
        seen, since = None, time.monotonic()
        while True:
            await asyncio.sleep(self._patience / 6)
            try:
                behind, standing = await self._look(admin, reader)
            except (KafkaError, OSError):
                seen, since = None, time.monotonic()
                continue
            now = time.monotonic()
            if not behind or standing != seen:
                seen, since = standing, now
            elif now - since >= self._patience:
                log.error("stands still", group=self._group, behind=behind, seconds=round(now - since))
                self._end(os.EX_SOFTWARE)
                return

    async def _look(self, admin: AIOKafkaAdminClient, reader: object) -> tuple[int, object]:
        """How many records are before it, and what changes whenever anything moves."""
        mine = sorted(self._assigned())
        if not mine:
            return 0, None
        ends = await reader.end_offsets(mine)  # type: ignore[attr-defined]
        starts = await reader.beginning_offsets(mine)  # type: ignore[attr-defined]
        offsets = await admin.list_consumer_group_offsets(self._group)
        done = {at: max(starts[at], offsets[at].offset if at in offsets else 0) for at in mine}
        behind = sum(max(0, ends[at] - done[at]) for at in mine)
        return behind, (tuple(done.items()), self._progress())
