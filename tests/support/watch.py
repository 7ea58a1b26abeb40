"""Counts the chatter events that an app can read from Kafka, in a thread of its own."""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer

from postroad_schemas import read


class ChatterWatch:
    """Reads `chatter.published` from its beginning, as an app would; `events` holds them all."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.events: list[Any] = []
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), daemon=True)

    def count(self) -> int:
        return len(self.events)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            "chatter.published",
            bootstrap_servers=self._bootstrap,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        async with consumer:
            self._ready.set()
            while not self._stopping.is_set():
                for messages in (await consumer.getmany(timeout_ms=50)).values():
                    self.events.extend(read(message.topic, message.value) for message in messages if message.value)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(60)
