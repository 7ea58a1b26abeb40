"""`postroad up`: the whole system on one machine."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from postroad.bounces.worker import WORKER as BOUNCES
from postroad.cli.main import complain
from postroad.cli.options import Settings, settings_of
from postroad.dispatch.worker import worker as dispatch
from postroad.fanout.worker import WORKER as FANOUT
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.ingest.worker import WORKER as INGEST
from postroad.loop_guard.worker import WORKER as LOOP_GUARD
from postroad.routing.worker import WORKER as ROUTING
from postroad.runtime.config import Config
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad.runtime.signing import sign_with_own_key
from postroad.runtime.worker import Worker


def workers(config: Config) -> tuple[Worker, ...]:
    """All six, doors last among equals: what takes mail in opens when the rest runs."""
    return (ROUTING, LOOP_GUARD, BOUNCES, FANOUT, dispatch(config), INGEST)


def up(*, config: Settings = None) -> int:
    """Run the whole system on this machine: all workers in one process, durable, doors open, until Ctrl-C.

    Log, states and tables are one SQLite file; mails are objects in a folder. Declare what it serves with
    `postroad apply`, at any time.
    """
    settings = settings_of(config)
    try:
        store = open_store(settings.store.url)
    except ValueError as error:
        return complain(str(error), os.EX_CONFIG)
    embedded = Embedded(Path(settings.log.path), workers(settings), store, settings)
    return asyncio.run(_run(embedded, settings))


async def _run(embedded: Embedded, settings: Config) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        await embedded.start()
    except OSError as error:
        door = f"{settings.smtp.host}:{settings.smtp.port}"
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        return complain(f"{door} cannot be listened on ({why}): choose host and port in [smtp]", os.EX_UNAVAILABLE)
    try:
        await sign_with_own_key(embedded.tools, Path(settings.log.path).parent)
        print(
            f"postroad takes mail in at {', '.join(_addresses(embedded))} (SMTP); stop with Ctrl-C",
            file=sys.stderr,
            flush=True,
        )
        return await _until(stopping, embedded)
    finally:
        await embedded.stop()


def _addresses(embedded: Embedded) -> list[str]:
    """Where the SMTP door really listens: port 0 takes any free one."""
    host = embedded.tools.config.smtp.host
    return [f"{host}:{door.port}" for door in embedded.doors if isinstance(door, SmtpDoor)]


async def _until(stopping: asyncio.Event, embedded: Embedded) -> int:
    """Exit code 0 when told to stop, 70 when something stopped the runner."""
    told = asyncio.ensure_future(stopping.wait())
    failed = asyncio.ensure_future(embedded.failed())
    await asyncio.wait([told, failed], return_when=asyncio.FIRST_COMPLETED)
    code = os.EX_OK if told.done() else complain(f"stopped: {failed.exception()}", os.EX_SOFTWARE)
    for task in (told, failed):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    return code
