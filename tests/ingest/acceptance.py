"""What every door is tried with (I2): a store and a log that can be told to fail or to wait, and a death in between."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from postroad.runtime.config import Config, Http, Lmtp
from postroad.runtime.objects import MemoryStore
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas.directory import Parameter
from postroad_schemas.values import ObjectRef
from tests.support.declared import tools

MAIL = b"From: anna@example.org\r\nTo: sales@example.com\r\nMessage-ID: <1@example.org>\r\nSubject: Hi\r\n\r\nHello\r\n"
TOKEN = "a token of the tests"
HTTP = Http(port=0, token="env:POSTROAD_TEST_TOKEN")


class Store(MemoryStore):
    """`raises` at every put; until `open` is set, a put waits."""

    def __init__(self, raises: Exception | None = None) -> None:
        super().__init__()
        self._raises = raises
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        self.asked.set()
        await self.open.wait()
        if self._raises is not None:
            raise self._raises
        return await super().put_all(contents)


@dataclass
class World:
    """Store and log. `order` tells when an event was acknowledged."""

    store: Store = field(default_factory=Store)
    raises: Exception | None = None  # what the log does
    events: list[Any] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    async def publish(self, events: Sequence[Any]) -> None:
        await asyncio.sleep(0.02)
        if self.raises is not None:
            raise self.raises
        self.events += events
        self.order.append("acknowledged")

    def tools(self, config: Config, size: int = 0) -> Tools:
        """`size` is mail.smtp.size, where it is not the default."""
        made = replace(tools(self.publish, config=config), store=self.store)
        if size:
            made.views.apply("directory", "parameter/mail.smtp.size", Parameter(name="mail.smtp.size", value=str(size)))
        return made


NOT_NOW = [
    pytest.param(lambda: World(store=Store(Unavailable("the disk is full"))), id="store unwritable"),
    pytest.param(lambda: World(raises=Unavailable("no broker")), id="broker away"),
    pytest.param(lambda: World(raises=ValueError("a fault of ours")), id="an unforeseen error"),
    pytest.param(lambda: World(store=Store(RuntimeError("a fault of ours"))), id="an unforeseen error of the store"),
]


@asynccontextmanager
async def http_door(world: World, settings: Http = HTTP) -> AsyncIterator[int]:
    """Open; its port."""
    from postroad.ingest.doors.http import HttpDoor

    opened = HttpDoor(world.tools(Config(http=settings)))
    await opened.start()
    try:
        yield opened.port
    finally:
        await opened.stop()


@contextmanager
def hanging(door: str, folder: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A door in a process of its own whose log never acknowledges: its port, and the process, to be killed.

    It says "stored" once the mail lies in its store.
    """
    command = [sys.executable, "-m", "tests.ingest.acceptance", door, str(folder)]
    environment = {"PYTHONPATH": ":".join(sys.path), "POSTROAD_TEST_TOKEN": TOKEN}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def killed_once_stored(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "stored\n"
    process.kill()
    process.wait()


async def _hang(door: str, folder: str) -> None:
    from postroad.ingest.doors.http import HttpDoor
    from postroad.ingest.doors.lmtp import LmtpDoor
    from postroad.runtime.objects import open_store

    async def publish(events: Sequence[Any]) -> None:
        print("stored", flush=True)
        await asyncio.Event().wait()

    config = Config(http=HTTP, lmtp=Lmtp(port=0))
    given = replace(tools(publish, config=config), store=open_store(f"file:{folder}"))
    opened = HttpDoor(given) if door == "http" else LmtpDoor(given)
    await opened.start()
    print(opened.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_hang(*sys.argv[1:3]))
