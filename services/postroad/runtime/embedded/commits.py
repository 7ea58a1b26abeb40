"""Group commit: whatever wants to be written waits for the transaction under way and then goes together into the next.

One thread does all of it, so the event loop never waits for a disk.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from postroad.runtime.embedded.log import Changes, SqliteLog, Stored
from postroad.runtime.observe import metrics
from postroad.runtime.observe.events import count
from postroad.runtime.worker import Unavailable
from postroad.stage import Clock

P = ParamSpec("P")
R = TypeVar("R")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between attempts to write what must be written

log = logging.getLogger(__name__)


class Commits:
    """The log and its thread. `appended` is called with the records of each transaction once they are durable."""

    def __init__(self, path: Path, clock: Clock, appended: Callable[[Sequence[Stored]], None]) -> None:
        self.path = path
        self.ends: dict[str, int] = {}  # of what `appended` was told
        self._clock = clock
        self._appended = appended
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._log: SqliteLog | None = None
        self._waiting: list[tuple[Changes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Raises Unavailable with what to do."""
        self._log = await self._in_thread(lambda: SqliteLog.open(self.path))
        self.ends = dict(self._log.ends)

    async def close(self) -> None:
        """What was handed in is written before."""
        if self._writing is not None:
            await self._writing
        if self._log is not None:
            await self._in_thread(self._log.close)
            self._log = None
        self._thread.shutdown()

    @property
    def quiet(self) -> bool:
        return self._writing is None

    async def ask(self, question: Callable[Concatenate[SqliteLog, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """A method of the log, in its thread. Raises Unavailable."""
        opened = self._log
        if opened is None:
            raise Unavailable(f"{self.path} is not open")
        try:
            return await self._in_thread(lambda: question(opened, *args, **kwargs))
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    async def write(self, changes: Changes) -> None:
        """Durable on return; raises Unavailable if nothing of it was done."""
        if self._log is None:
            raise Unavailable(f"{self.path} is not open")
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((changes, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def insist(self, changes: Changes) -> None:
        """Writes what follows from what was read: tries until it can be written, because nothing can go on before."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self.write(changes)
            except Unavailable as error:
                log.error("nothing moves until the log can be written to: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: list[tuple[Changes, asyncio.Future[None]]]) -> None:
        changes = [it for it, _ in batch]
        at = self._clock().timestamp()
        try:
            stored = await self.ask(SqliteLog.write, changes, at)
        except Exception as error:
            metrics.LOG_FAILURES.inc("write")
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
            return
        self.ends.update((it.topic, it.offset) for it in stored)
        self._appended(stored)
        count([it for done in changes for it in done.emitted])
        for _, written in batch:
            if not written.done():  # whoever asked may have given up
                written.set_result(None)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _unavailable(self, error: sqlite3.Error) -> Unavailable:
        return Unavailable(f"{self.path} cannot be used ({error}): free disk space, or check the disk and its rights")
