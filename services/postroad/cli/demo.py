"""`postroad demo`: the tour."""

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from postroad.cli.main import complain
from postroad.cli.up import workers
from postroad.ingest.doors.sink import Sink
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Log, Relay, Smtp, Store
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad.runtime.signing import sign_with_own_key
from postroad.stage import Emission
from postroad.tour.letters import DIRECTORY
from postroad.tour.story import DidNotHappen, Tour
from postroad.views.declared import declared
from postroad_schemas import TOPICS, event_id, read
from postroad_schemas.directory import RowProposed


def demo() -> int:
    """The tour: real mails over real SMTP through the whole pipeline on this machine, told as a story.

    Everything runs in a temporary folder, with a mail sink beside it; nothing leaves the machine. Ends by itself
    within seconds; exit 0 if everything happened that must.
    """
    logging.disable(logging.WARNING)
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="postroad-demo-") as folder:
        try:
            asyncio.run(_tour(Path(folder), console))
        except DidNotHappen as error:
            return complain(f"this did not happen: {error}", os.EX_SOFTWARE)
    console.print(f"\nAll of it happened, in {time.monotonic() - started:.1f} s. Next: `postroad up`, or README.md.")
    return os.EX_OK


async def _tour(folder: Path, console: Console) -> None:
    sink = Sink()
    await sink.start()
    config = Config(
        store=Store(url=f"file:{folder / 'objects'}"),
        log=Log(path=str(folder / "postroad.sqlite")),
        smtp=Smtp(port=0, hostname="mx.example.com"),
        relay=Relay(host=sink.host, port=sink.port),
    )
    embedded = Embedded(Path(config.log.path), workers(config), open_store(config.store.url), config)
    await embedded.start()
    try:
        await sign_with_own_key(embedded.tools, folder)
        running = Running(embedded)
        await running.declare()
        console.print(
            f"Six workers run in this process; mail comes in at 127.0.0.1:{running.port} and goes out to a sink."
        )
        await Tour(running, sink, running.port, console.print).run()
    finally:
        await embedded.stop()
        await sink.stop()


class Running:
    """The embedded system, as the tour uses it."""

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded

    @property
    def port(self) -> int:
        """Of the SMTP door."""
        [door] = [door for door in self._embedded.doors if isinstance(door, SmtpDoor)]
        return door.port

    async def declare(self) -> None:
        """The tour's directory, through the gate."""
        found = declared(DIRECTORY)
        now = datetime.now(UTC)
        ids = [event_id("tour", "declared", str(ordinal)) for ordinal in range(len(found.rows))]
        proposals = [
            RowProposed(event_id=new_id, occurred_at=now, trace_id=new_id, row=row, by="demo")
            for new_id, row in zip(ids, found.rows, strict=True)
        ]
        await self._embedded.publish([*proposals, *found.contacts])
        await self._embedded.idle()

    async def publish(self, emissions: list[Emission]) -> None:
        await self._embedded.publish(emissions)

    def seen(self) -> Iterator[tuple[str, Any]]:
        for topic in TOPICS:
            for stored in self._embedded.read(topic):
                if stored.value is not None:
                    yield topic, read(topic, stored.value)
