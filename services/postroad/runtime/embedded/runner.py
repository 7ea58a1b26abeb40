"""The runner of `postroad up`: one process, one file, a step is a transaction."""

import asyncio
import fcntl
import logging
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, NoReturn

from postroad.runtime import logs
from postroad.runtime.config import Config, secret
from postroad.runtime.embedded.commits import Commits
from postroad.runtime.embedded.log import Changes, SqliteLog, Stored, is_table, read_log
from postroad.runtime.embedded.senders import SenderReader
from postroad.runtime.embedded.stages import Reader, StageReader, Stages
from postroad.runtime.observe.held import HeldTable
from postroad.runtime.reading import key_bytes, key_text
from postroad.runtime.worker import Caller, Door, ObjectStore, Tools, Unavailable, Worker
from postroad.stage import Clock, Emission
from postroad.views import Views
from postroad_schemas import TOPICS, Record, Unreadable, read, record

DEAD_LETTERS_KEPT = timedelta(days=90)
RETENTION_EVERY = 600.0  # seconds
DELETED_AT_ONCE = 1_000  # records, so that others get their turn at the file
LOOK = 0.005  # seconds between looks whether all is done
INBOX_EVERY = 0.1  # seconds
INBOX_AT_ONCE = 500  # records

log = logging.getLogger(__name__)


def utcnow() -> datetime:
    return datetime.now(UTC)


class Embedded:
    """All workers over one file. Times in seconds: `tick` between looks at what fell due, `grace` for the stop."""

    def __init__(
        self,
        path: Path,
        workers: Sequence[Worker],
        store: ObjectStore,
        config: Config,
        clock: Clock = utcnow,
        *,
        tick: float = 60.0,
        grace: float = 10.0,
    ) -> None:
        self.path = path
        self.views = Views(secret)
        self.held = HeldTable()
        self.tools = Tools(self.publish, self.views, store, clock, config)
        self._workers = tuple(workers)
        self._clock = clock
        self._tick = tick
        self._grace = grace
        self._lock: IO[str] | None = None
        self._commits = Commits(path, clock, self._appended)
        self._readers: dict[str, list[Reader]] = {}  # by topic
        self._stages = Stages((), self._commits)
        self._senders: list[SenderReader] = []
        self._callers: list[Caller] = []
        self._doors: list[Door] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: asyncio.Future[NoReturn] | None = None

    @property
    def doors(self) -> tuple[Door, ...]:
        """Those that are open."""
        return tuple(self._doors)

    @property
    def readers(self) -> "tuple[Reader, ...]":
        """All stages and senders."""
        return tuple(dict.fromkeys(reader for readers in self._readers.values() for reader in readers))

    async def start(self) -> None:
        """Everything runs on return, doors last. Raises Unavailable with what to do, and what a door raises."""
        self._lock = _only_one(self.path)
        try:
            self._failure = asyncio.get_running_loop().create_future()
            self._failure.add_done_callback(_seen)
            await self._commits.open()
            await self._restore_views()
            await self._open_readers()
            for work in (
                self._stages.run(),
                *(sender.run() for sender in self._senders),
                self._keep_time(),
                self._take_inbox(),
                self._forget(),
            ):
                self._run(work)
            for worker in self._workers:
                for make in worker.doors:
                    door = make(self.tools)
                    await door.start()
                    self._doors.append(door)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Doors drain, then what is in the log is finished, up to the grace; what is left waits for the next start."""
        for door in self._doors:
            try:
                await door.stop()
            except Exception:
                log.exception("a door does not close as it should")  # the others and the log shall
        self._doors = []
        if self._tasks:
            try:
                await asyncio.wait_for(self.idle(), self._grace)
            except TimeoutError:
                log.warning("stops after %g s with work left for the next start", self._grace)
            except Exception as error:
                log.warning("stops with work left for the next start: %s", error)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for caller in self._callers:
            await caller.close()
        self._callers = []
        await self._commits.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def publish(self, emissions: Sequence[Emission]) -> None:
        """Durable on return. Raises Unavailable if nothing of it was done, KeyError for what is no event."""
        await self.append([record(emission) for emission in emissions], emissions)

    async def append(self, records: Sequence[Record], emitted: Sequence[Emission] = ()) -> None:
        """As `publish`, for records as they lie in the log: dead letters that are sent back. `emitted` is counted."""
        if unknown := {made.topic for made in records} - TOPICS.keys():
            raise KeyError(f"{min(unknown)} is no topic of the catalogue")
        if self._failure is not None and self._failure.done():
            raise Unavailable(f"{self.path}: the stages have stopped: {self._failure.exception()}")
        await self._commits.write(Changes(records=list(records), emitted=list(emitted)))
        if logs.decisions is not None:
            logs.decisions.published(emitted, self._clock())

    async def idle(self) -> None:
        """Returns when all that is due now was read, and every call concluded. Raises what stopped the runner."""
        while not self._quiet():
            if self._failure is not None and self._failure.done():
                self._failure.result()
            await asyncio.sleep(LOOK)

    async def failed(self) -> NoReturn:
        """Waits until something stops the runner, and raises it: too much poison, or a fault of ours."""
        assert self._failure is not None, "not started"
        await asyncio.shield(self._failure)
        raise AssertionError("unreachable")

    def look(self) -> None:
        """Sweeps what is due now, without waiting for the next tick."""
        at = self._clock()
        self._stages.tick(at)
        for sender in self._senders:
            sender.tick(at)

    async def forget_old(self) -> None:
        """Deletes of streams what is older than the catalogue keeps it, never before all their readers have passed.

        Done by itself every ten minutes. Raises Unavailable.
        """
        for topic in (*TOPICS, *(f"{worker.name}.dead" for worker in self._workers)):
            if not is_table(topic):
                await self._forget_old(topic)

    def read(self, topic: str, after: int = 0) -> Iterator[Stored]:
        """What a topic holds behind an offset; of tables the rows that stand. `<worker>.dead` are topics too."""
        return read_log(self.path, topic, after)

    async def state(self, name: str, key: str) -> Any:
        """The state of a stage's or sender's key; the empty one where there is none."""
        reader = next(it for readers in self._readers.values() for it in readers if it.core.name == name)
        found = await self._commits.ask(SqliteLog.load, name, [key_bytes(key)])
        return reader.steps.state(found.get(key_bytes(key)))

    async def states(self, name: str) -> dict[str, Any]:
        """All states of a stage or sender that are not empty, by key."""
        reader = next(it for readers in self._readers.values() for it in readers if it.core.name == name)
        found = await self._commits.ask(SqliteLog.all_states, name)
        return {key_text(key): reader.steps.state(row) for key, row in found.items()}

    async def _restore_views(self) -> None:
        for topic, key, value in await self._commits.ask(SqliteLog.rows):
            self._enter(topic, key, value)

    async def _open_readers(self) -> None:
        stages = [
            StageReader(stage, self.views, self._commits, self._clock)
            for worker in self._workers
            for stage in worker.stages
        ]
        for worker in self._workers:
            for sending in worker.sendings:
                caller = sending.open(self.tools)
                self._callers.append(caller)
                self._senders.append(SenderReader(sending.sender, caller, self.views, self._commits, self._clock))
        for reader in (*stages, *self._senders):
            await reader.open()
            for topic in reader.core.reads:
                if is_table(topic):
                    raise ValueError(
                        f"{reader.core.name} reads {topic}, which is a table: tables are looked at, not read"
                    )
                self._readers.setdefault(topic, []).append(reader)
        self._stages = Stages(stages, self._commits)

    def _appended(self, stored: Sequence[Stored]) -> None:
        for it in stored:
            if is_table(it.topic):
                self._enter(it.topic, it.key, it.value)
            else:
                for reader in self._readers.get(it.topic, ()):
                    reader.backlogs[it.topic].offer(it)
        self._stages.wake()
        for sender in self._senders:
            sender.wake()

    def _enter(self, table: str, key: bytes, value: bytes | None) -> None:
        """A row that cannot be read is passed over: it would not help to stop at every start."""
        try:
            row = None if value is None else read(table, value)
            self.views.apply(table, key_text(key), row)
            self.held.apply(table, key_text(key), row)
        except Unreadable as error:
            log.error("a row is passed over: %s", error)

    def _quiet(self) -> bool:
        return self._commits.quiet and self._stages.quiet and all(sender.quiet for sender in self._senders)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._failure is None or self._failure.done():
            return
        error = task.exception()
        if error is not None:
            log.critical("the runner stops: %s", error)
            self._failure.set_exception(error)

    async def _keep_time(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(self._tick)

    async def _take_inbox(self) -> None:
        """What commands beside this process handed in comes onto the log, each record once."""
        while True:
            try:
                while handed_in := await self._commits.ask(SqliteLog.inbox, INBOX_AT_ONCE):
                    await self._commits.insist(handed_in)
            except Unavailable as error:
                log.error("the inbox is not read: %s", error)
            await asyncio.sleep(INBOX_EVERY)

    async def _forget(self) -> None:
        while True:
            try:
                await self.forget_old()
            except Unavailable as error:
                log.error("old records are not deleted: %s", error)
            await asyncio.sleep(RETENTION_EVERY)

    async def _forget_old(self, topic: str) -> None:
        kept = TOPICS[topic].retention if topic in TOPICS else DEAD_LETTERS_KEPT
        before = (self._clock() - kept).timestamp()
        passed = await self._passed(topic)
        deleted = DELETED_AT_ONCE
        while deleted == DELETED_AT_ONCE:
            deleted = await self._commits.ask(SqliteLog.forget, topic, before, passed, DELETED_AT_ONCE)

    async def _passed(self, topic: str) -> int:
        """Up to where all readers have read."""
        readers = self._readers.get(topic, [])
        positions = [await self._commits.ask(SqliteLog.positions, reader.core.name) for reader in readers]
        return min((of.get(topic, 0) for of in positions), default=self._commits.ends.get(topic, 0))


def _only_one(path: Path) -> IO[str]:
    """Two processes on one file would each decide for itself. Raises Unavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock").open("a", encoding="ascii")
    except OSError as error:
        raise Unavailable(f"{path} cannot be opened ({error.strerror}): check the path and its rights") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise Unavailable(f"{path} is used by another postroad: stop it first, or give this one another path") from None
    return lock


def _seen(failure: "asyncio.Future[NoReturn]") -> None:
    """It was logged: that nobody waits for it is no error of its own."""
    if not failure.cancelled():
        failure.exception()
