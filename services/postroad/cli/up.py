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
from postroad.runtime import logs, tracing
from postroad.runtime.config import Config
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import away, open_store
from postroad.runtime.observe.observer import UP, Observer
from postroad.runtime.observe.store import TimedStore
from postroad.runtime.redaction import redactor
from postroad.runtime.signing import sign_with_own_key
from postroad.runtime.worker import ObjectStore, Unusable, Worker


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
    logs.configure(settings.logs)
    embedded = Embedded(Path(settings.log.path), workers(settings), TimedStore(store), settings)
    return asyncio.run(_observed(embedded, settings, store))


async def _observed(embedded: Embedded, settings: Config, store: ObjectStore) -> int:
    try:
        if words := await away(store):
            complain(f"{words}; mails are answered 451 until it is there", os.EX_OK)
    except Unusable as error:
        return complain(str(error), os.EX_CANTCREAT)
    async with Observer(UP, settings.metrics) as observer:
        with tracing.exporting(settings.traces, UP):
            return await _run(embedded, settings, observer)


async def _run(embedded: Embedded, settings: Config, observer: Observer) -> int:
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
        doors = f"{', '.join(_addresses(embedded))} (SMTP){_others(settings)}"
        print(f"postroad takes mail in at {doors}; stop with Ctrl-C", file=sys.stderr, flush=True)
        if words := observer.trouble or (observer.address and f"figures at {observer.address}/metrics"):
            print(f"postroad: {words}", file=sys.stderr, flush=True)
        observer.look_at(embedded.readers, embedded.views, held=embedded.held)
        observer.ready_when({})
        return await _until(stopping, embedded)
    finally:
        observer.stopping()
        await embedded.stop()


def _addresses(embedded: Embedded) -> list[str]:
    """Where the SMTP door really listens: port 0 takes any free one."""
    host = embedded.tools.config.smtp.host
    return [f"{host}:{door.port}" for door in embedded.doors if isinstance(door, SmtpDoor)]


def _others(settings: Config) -> str:
    """Where the doors are that are off unless they are declared."""
    lmtp, http = settings.lmtp, settings.http
    where = lmtp.path or (f"{lmtp.host}:{lmtp.port}" if lmtp.port else "")
    return (f", {where} (LMTP)" if where else "") + (f", {http.host}:{http.port} (HTTP)" if http.port else "")


async def _until(stopping: asyncio.Event, embedded: Embedded) -> int:
    """Exit code 0 when told to stop, 70 when something stopped the runner."""
    told = asyncio.ensure_future(stopping.wait())
    failed = asyncio.ensure_future(embedded.failed())
    await asyncio.wait([told, failed], return_when=asyncio.FIRST_COMPLETED)
    code = os.EX_OK if told.done() else complain(redactor()(f"stopped: {failed.exception()}"), os.EX_SOFTWARE)
    for task in (told, failed):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    return code
