"""A door with every provider declared, and a log that keeps what it is told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from postroad.ingest.doors.http import HttpDoor
from postroad.runtime.config import Config
from postroad.runtime.observe import metrics
from postroad.runtime.worker import Unavailable
from tests.ingest.acceptance import HTTP, World
from tests.ingest.test_http import Answer, ask
from tests.ingest.webhooks.posting import DECLARED, SECRET, Post, certificate, verification_key


@dataclass
class Hooks:
    port: int = 0
    world: World = field(default_factory=World)
    fetched: list[str] = field(default_factory=list)
    answers: Callable[[], bytes] = certificate  # what is found at the address that was fetched

    @property
    def counts(self) -> dict[str, float]:
        """Of one provider: what was made of its events since the door opened."""
        return {outcome: number for (_, outcome), number in metrics.WEBHOOKS.read().items()}

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return self.answers()

    async def post(self, provider: str, post: Post, path: str = "") -> Answer:
        return await ask(self.port, body=post.body, headers=post.headers, path=path or f"/webhooks/{provider}")


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    monkeypatch.setenv("HOOK_KEY", verification_key())


@asynccontextmanager
async def opened(**declared: Any) -> AsyncIterator[Hooks]:
    hooks = Hooks()
    metrics.WEBHOOKS.reset()
    settings = msgspec.structs.replace(HTTP, webhooks=declared or DECLARED)
    door = HttpDoor(hooks.world.tools(Config(http=settings)), hooks.fetch)
    await door.start()
    hooks.port = door.port
    try:
        yield hooks
    finally:
        await door.stop()


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    async with opened() as made:
        yield made


def down() -> bytes:
    raise Unavailable("nobody answers")
