"""What tests of polled mailboxes share: foreign servers by name, and a log and a store that may be away."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.ingest.checkpoint import Checkpoint, file_name
from postroad.ingest.doors.mailboxes import Mailboxes
from postroad.runtime.config import Config
from postroad.runtime.config import Mailboxes as Settings
from postroad.runtime.worker import Tools
from postroad_schemas.directory import IncomingMailbox, Protocol, row_key
from postroad_schemas.mail import MailReceived
from tests.support.declared import tools
from tests.support.dovecot import dovecot
from tests.support.greenmail import greenmail
from tests.support.mailservers import MailServer

SERVERS: dict[str, Callable[[Path], AbstractContextManager[MailServer]]] = {
    "greenmail": greenmail,
    "dovecot": lambda _: dovecot(),
}
BOTH = pytest.mark.parametrize("protocol", [Protocol.IMAP, Protocol.POP3], ids=["imap", "pop3"])


class World:
    """A log and a store that may be away. What is accepted is in `events`."""

    def __init__(self, folder: Path) -> None:
        self.events: list[MailReceived] = []
        self.trouble: Callable[[MailReceived], Exception | None] = lambda _: None
        self.tools: Tools = tools(self._publish, config=Config(mailboxes=Settings(folder=str(folder))))
        self.folder = folder

    async def _publish(self, events: Sequence[Any]) -> None:
        for event in events:
            if trouble := self.trouble(event):
                raise trouble
            self.events.append(event)

    def declare(self, *rows: Any) -> None:
        for row in rows:
            self.tools.views.apply("directory", row_key(row), row)

    def remove(self, row: IncomingMailbox) -> None:
        self.tools.views.apply("directory", row_key(row), None)

    @property
    def subjects(self) -> list[str]:
        return [event.subject for event in self.events]

    def checkpoint(self, row: IncomingMailbox) -> Checkpoint:
        return msgspec.json.decode((self.folder / file_name(row)).read_bytes(), type=Checkpoint)

    @contextlib.asynccontextmanager
    async def door(self) -> AsyncIterator[Mailboxes]:
        opened = Mailboxes(self.tools)
        await opened.start()
        try:
            yield opened
        finally:
            await opened.stop()


async def until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What it holds at last. Looked at in a thread, as it may ask a server."""
    deadline = time.monotonic() + seconds
    while not (found := await asyncio.to_thread(holds)):
        assert time.monotonic() < deadline, "it does not come"
        await asyncio.sleep(0.05)
    return found


def left(server: MailServer, row: IncomingMailbox) -> list[int]:
    """UIDs of the mails that were not taken: unseen ones, or with POP3 those that are there."""
    return [uid for uid, flags in server.flags(row).items() if row.protocol is Protocol.POP3 or b"\\Seen" not in flags]
