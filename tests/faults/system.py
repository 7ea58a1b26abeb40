"""All six workers in this process on one file, with the real SMTP door."""

import asyncio
import contextlib
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from postroad.cli.up import workers
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Log, Relay, Smtp, Store
from postroad.runtime.embedded import Embedded, Stored
from postroad.runtime.embedded.runner import utcnow
from postroad.runtime.objects import open_store
from postroad.runtime.signing import sign_with_own_key
from postroad.views.declared import declared
from postroad_schemas import WORKERS, Unreadable, event_id, read
from postroad_schemas.directory import RowProposed
from postroad_schemas.message import MessageSettled

R = TypeVar("R")
DOCUMENT: dict[str, Any] = {
    "domain": [{"name": "example.com", "default": True}],
    "alias": [{"address": "sales@example.com", "record_type": "crm.lead"}],
    "parameters": {"mail.gateway.loop.threshold": 100_000},
}


class System(Embedded):
    @property
    def port(self) -> int:
        [door] = [door for door in self.doors if isinstance(door, SmtpDoor)]
        return door.port

    async def declare(self, document: dict[str, Any]) -> None:
        now = utcnow()
        for number, row in enumerate(declared(document).rows):
            identity = event_id("declared", now.isoformat(), str(number))
            await self.publish([RowProposed(event_id=identity, occurred_at=now, trace_id=identity, row=row)])
        await self.idle()

    async def session(self, talk: Callable[[smtplib.SMTP], R]) -> R:
        """A real SMTP session, in a thread."""

        def run() -> R:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
                client.ehlo("client.example")
                return talk(client)

        return await asyncio.to_thread(run)

    def events(self, topic: str) -> Iterator[Any]:
        """Those that can be read."""
        for stored in self.read(topic):
            with contextlib.suppress(Unreadable):
                yield read(topic, stored.value or b"")

    def settled(self) -> list[MessageSettled]:
        """Of mails that were accepted."""
        return [it for it in self.events("message.settled") if isinstance(it, MessageSettled) and it.mail_id]

    def dead(self) -> list[Stored]:
        return [letter for worker in WORKERS for letter in self.read(f"{worker}.dead")]


@asynccontextmanager
async def system(folder: Path, document: dict[str, Any] = DOCUMENT, relay: int = 1) -> AsyncIterator[System]:
    config = Config(
        store=Store(url=f"file:{folder / 'objects'}"),
        log=Log(path=str(folder / "log.sqlite")),
        smtp=Smtp(port=0, hostname="mx.example.com"),
        relay=Relay(host="127.0.0.1", port=relay),
    )
    running = System(Path(config.log.path), workers(config), open_store(config.store.url), config, grace=2)
    await running.start()
    try:
        await sign_with_own_key(running.tools, folder)
        await running.declare(document)
        yield running
    finally:
        await running.stop()


def deliver(client: smtplib.SMTP, raw: bytes, to: str = "sales@example.com") -> tuple[int, str]:
    """The answer that decided."""
    for code, text in (client.mail("anna@example.org"), client.rcpt(to)):
        if code != 250:
            client.rset()
            return code, text.decode()
    code, text = client.data(raw)
    return code, text.decode()
