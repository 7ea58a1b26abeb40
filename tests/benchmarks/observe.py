"""What being observed costs: processor time a mail, embedded, with the figures and without, in turns."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from postroad.cli.up import workers
from postroad.ingest.accept import Origin, accept
from postroad.runtime.config import Config, Log, Smtp
from postroad.runtime.embedded import Embedded, commits
from postroad.runtime.objects import open_store
from postroad.runtime.observe.observer import UP, Observer
from postroad.runtime.observe.store import TimedStore
from postroad.runtime.observe.watch import Watch
from postroad.views.declared import declared
from postroad_schemas import Event
from postroad_schemas.directory import RowProposed
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope
from tests.support.declared import AT, EXAMPLE

MAILS = 1000
TOGETHER = 50
TURNS = 5


def cost() -> tuple[float, float]:
    """Processor microseconds a mail, observed; and by which share that is more than unobserved."""
    observed, bare = [], []
    for _ in range(TURNS):
        observed.append(_one_run())
        with _unobserved():
            bare.append(_one_run())
    # What else goes on here only adds: the least of each is nearest to what it costs.
    return min(observed) / MAILS * 1e6, min(observed) / min(bare) - 1


@contextlib.contextmanager
def _unobserved() -> Iterator[None]:
    with (
        patch.object(Watch, "taken", lambda *_, **__: None),
        patch.object(commits, "count", lambda _: None),
        patch.object(Observer, "_sample", lambda _: None),
    ):
        yield


def _one_run() -> float:
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder:
        return asyncio.run(_work(Path(folder)))


async def _work(folder: Path) -> float:
    config = Config(log=Log(path=f"{folder}/log.sqlite"), smtp=Smtp(port=0))
    embedded = Embedded(Path(config.log.path), workers(config), TimedStore(open_store("memory:")), config)
    async with Observer(UP) as observer:
        await embedded.start()
        observer.look_at(embedded.readers, embedded.views, held=embedded.held)
        rows: list[Event] = [
            RowProposed(event_id=f"{number:032x}", trace_id=f"{number:032x}", occurred_at=AT, row=row)
            for number, row in enumerate(declared(EXAMPLE).rows)
        ]
        await embedded.publish(rows)
        await embedded.idle()
        begun = time.process_time()
        for first in range(0, MAILS, TOGETHER):
            await asyncio.gather(*(_accepted(embedded, number) for number in range(first, first + TOGETHER)))
        await embedded.idle()
        spent = time.process_time() - begun
        await embedded.stop()
    return spent


async def _accepted(embedded: Embedded, number: int) -> None:
    sender = f"anna{number}@customer.example"
    raw = (
        f"From: {sender}\r\nTo: sales@example.com\r\nMessage-ID: <{number}@customer.example>\r\n"
        f"Subject: Chairs\r\n\r\n{'How much? ' * 200}\r\n"
    ).encode()
    envelope = Envelope(mail_from=sender, rcpt_to=("sales@example.com",))
    await accept(raw, envelope, Origin(Door.SMTP, session="bench", ordinal=str(number)), embedded.tools)


def report() -> Iterator[str]:
    each, share = cost()
    yield f"observed                 {each:9,.0f} µs of processor a mail, {share:.1%} more than unobserved"
