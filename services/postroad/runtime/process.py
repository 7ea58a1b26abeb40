"""A worker as a process of a cluster: what starts in which order, what stops it, and with which exit code it ends.

Topics are there, tables are read, stages and senders run, and only then the doors open. Doors drain first at the end.
A world that stays down ends the process: nothing is lost by that, and whoever started it starts it again. A worker of
doors alone stays, and its doors answer 4xx.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import structlog

from postroad.runtime import tracing
from postroad.runtime.config import Config, ConfigError, Kafka, secret
from postroad.runtime.dead import TooMuchPoison
from postroad.runtime.kafka import topics
from postroad.runtime.kafka.engine import Engine
from postroad.runtime.kafka.publisher import Publisher
from postroad.runtime.kafka.sending import SenderRunner
from postroad.runtime.kafka.tables import TableFollower
from postroad.runtime.observe.held import HeldTable
from postroad.runtime.observe.observer import Observer
from postroad.runtime.observe.store import TimedStore
from postroad.runtime.observe.watch import Standing, Watch
from postroad.runtime.worker import Door, ObjectStore, Tools, Unavailable, Unusable, Worker
from postroad.stage import Stage
from postroad.views import Views

log = structlog.get_logger("postroad.worker")
START_SECONDS = 30.0  # how long a broker is waited for at the start
PATIENCE_SECONDS = 120.0  # how long it may be away later
WATCH_SECONDS = 10.0
DOOR_SECONDS = 4.0  # how long doors may drain
DRAIN_SECONDS = 5.0  # and after them what runs
TICK_SECONDS = 60.0


class Misconfigured(Exception):  # noqa: N818
    """The cluster is not as this worker needs it; the message says what to do."""


class Runner(Protocol):
    """A stage or sender that runs."""

    def run(self) -> Coroutine[Any, Any, None]: ...

    def stop(self) -> None: ...

    @property
    def watch(self) -> Watch: ...

    @property
    def ready(self) -> bool: ...

    def standing(self, now: float) -> Iterable[Standing]: ...


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds: between ticks; how long a broker is waited for at the start, and how long it may be away later;
    how long a Faust stage may stand still.
    """

    tick: float = TICK_SECONDS
    start: float = START_SECONDS
    patience: float = PATIENCE_SECONDS
    watch: float = 60.0


async def run(
    worker: Worker,
    config: Config,
    store: Callable[[str], ObjectStore] | None = None,
    times: Times = Times(),
    observer: Observer | None = None,
) -> int:
    """Runs until SIGTERM or SIGINT, or until something is wrong that a new process might not have. An exit code."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with observer or Observer(worker.name) as observed, contextlib.AsyncExitStack() as stack:
            if observed.trouble:
                log.warning(observed.trouble, worker=worker.name)
            stack.enter_context(tracing.exporting(config.traces, worker.name))
            return await _run(worker, config, store or _open_store, stopping, stack, times, observed)
    except Unusable as error:
        return _ended(worker, os.EX_CANTCREAT, error)
    except Unavailable as error:
        return _ended(worker, os.EX_UNAVAILABLE, error)
    except (Misconfigured, ConfigError, LookupError) as error:
        return _ended(worker, os.EX_CONFIG, error)
    except TooMuchPoison as error:
        return _ended(worker, os.EX_SOFTWARE, error)
    except Exception as error:
        log.exception("fault", worker=worker.name)
        return _ended(worker, os.EX_SOFTWARE, error)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _run(
    worker: Worker,
    config: Config,
    store: Callable[[str], ObjectStore],
    stopping: asyncio.Event,
    stack: contextlib.AsyncExitStack,
    times: Times,
    observed: Observer,
) -> int:
    kafka, views = config.kafka, Views(secret)
    publisher = Publisher(kafka, worker.name)
    if not await _started(publisher, stopping, times.start):
        return os.EX_OK
    stack.push_async_callback(publisher.stop)
    await _check_topics(worker, kafka)
    follower = TableFollower(kafka, tables_of(worker), views)
    stack.push_async_callback(follower.stop)
    await follower.start()

    runners: list[Runner] = [_stage_runner(stage, kafka, views, times) for stage in worker.stages]
    doors: list[Door] = []
    if worker.sendings or worker.doors:
        opened = await _opened(store, config.store.url, worker)
        tools = Tools(publisher, views, opened, lambda: datetime.now(UTC), config)
        for sending in worker.sendings:
            caller = sending.open(tools)
            stack.push_async_callback(caller.close)
            runners.append(SenderRunner(sending.sender, caller, kafka, views, tick=times.tick, patience=times.patience))
        doors = [make(tools) for make in worker.doors]

    async with _running(worker, runners) as tasks:
        if runners:
            tasks.append(asyncio.create_task(_watch(publisher, times.patience)))
        async with _open_doors(doors):
            held = _count_held(kafka, stack) if worker.name == "routing" else None
            observed.look_at(runners, views, follower.age, held)
            observed.ready_when({f"{it.watch.stage}: assigned and recovered": partial(_ready, it) for it in runners})
            log.info("started", worker=worker.name, stages=[stage.name for stage in worker.stages], doors=len(doors))
            await _first_trouble(tasks, stopping)
            observed.stopping()
            log.info("stopping", worker=worker.name)
    log.info("stopped", worker=worker.name)
    return os.EX_OK


def tables_of(worker: Worker) -> tuple[str, ...]:
    """All the tables that anything in this worker looks at."""
    cores = topics.cores_of(worker)
    return tuple(dict.fromkeys((*worker.tables, *(table for core in cores for table in core.tables))))


def topics_of(worker: Worker, kafka: Kafka) -> tuple[str, ...]:
    """All the topics that this worker cannot do without."""
    cores = topics.cores_of(worker)
    named = [topic for core in cores for topic in (*core.reads, *core.writes)]
    logs = [topics.changelog_of(core, kafka) for core in cores]
    return tuple(dict.fromkeys((*named, *tables_of(worker), *logs, *([f"{worker.name}.dead"] if cores else []))))


def _stage_runner(stage: Stage[Any], kafka: Kafka, views: Views, times: Times) -> Runner:
    match topics.runner_of(stage, kafka):
        case "kafka":
            return Engine(stage, kafka, views, tick=times.tick, patience=times.patience)
        case "faust":
            from postroad.runtime.faust.app import FaustRunner  # it replaces parts of Faust: only where it is used

            return FaustRunner(stage, kafka, views, tick=times.tick, patience=times.patience, watch=times.watch)
        case other:
            raise Misconfigured(f"kafka.runner: {stage.name} = {other!r} is neither 'kafka' nor 'faust'")


async def _started(publisher: Publisher, stopping: asyncio.Event, within: float) -> bool:
    """False when it was told to stop meanwhile. Raises Unavailable."""
    deadline, told = time.monotonic() + within, False
    while not stopping.is_set():
        try:
            await publisher.start()
        except Unavailable as error:
            if time.monotonic() >= deadline:
                raise
            if not told:
                log.warning("waiting for Kafka", error=str(error), at_most=within)
                told = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1.0)
        else:
            return True
    return False


async def _check_topics(worker: Worker, kafka: Kafka) -> None:
    if absent := await topics.missing(kafka, topics_of(worker, kafka)):
        named = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise Misconfigured(f"no topic {named}: run `postroad topics apply --kafka {kafka.bootstrap}`")


@contextlib.asynccontextmanager
async def _running(worker: Worker, runners: Sequence[Runner]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        yield tasks
    finally:
        for runner in runners:
            runner.stop()
        for task in tasks[len(runners) :]:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
            for task in late:
                log.warning("not done in time", worker=worker.name)
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _open_doors(doors: Iterable[Door]) -> AsyncIterator[None]:
    opened: list[Door] = []
    try:
        for door in doors:
            await door.start()
            opened.append(door)
        yield
    finally:
        await _within(DOOR_SECONDS, *(door.stop() for door in opened))


async def _within(seconds: float, *work: Awaitable[None]) -> None:
    if work:
        tasks = [asyncio.ensure_future(each) for each in work]
        done, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            if error := task.exception():
                log.error("door did not close", error=f"{type(error).__name__}: {error}")


async def _first_trouble(tasks: "list[asyncio.Task[None]]", stopping: asyncio.Event) -> None:
    """Returns when it is to stop; raises what ended the first task."""
    told = asyncio.ensure_future(stopping.wait())
    try:
        done, _ = await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {told}:
            task.result()
            raise RuntimeError("a runner ended without being told")
    finally:
        told.cancel()


async def _watch(publisher: Publisher, patience: float) -> None:
    """An idle consumer does not notice that its broker is away. Raises Unavailable once it was for too long."""
    heard = time.monotonic()
    while True:
        await asyncio.sleep(min(WATCH_SECONDS, patience / 4))
        if await publisher.alive():
            heard = time.monotonic()
        elif time.monotonic() - heard > patience:
            raise Unavailable(f"no Kafka for {patience:.0f} s: the offsets stay, start again when it is back")


def _ready(runner: Runner) -> bool:
    return runner.ready


def _count_held(kafka: Kafka, stack: contextlib.AsyncExitStack) -> HeldTable:
    """What waits for a person, counted beside the work until the stack ends."""
    held = HeldTable()
    follower = TableFollower(kafka, ("held",), held, known=("held",))
    stack.push_async_callback(follower.stop)
    stack.callback(asyncio.create_task(_follow_held(follower)).cancel)
    return held


async def _follow_held(follower: TableFollower) -> None:
    try:
        await follower.start()
    except (Unavailable, LookupError) as error:  # a figure that cannot be had stops no mail
        log.warning("held mails are not counted", error=str(error))


async def _opened(store: Callable[[str], ObjectStore], url: str, worker: Worker) -> ObjectStore:
    """Tried where mails come in. Raises Misconfigured for an url that names none, Unusable."""
    from postroad.runtime.objects import away

    try:
        opened = store(url)
    except ValueError as error:
        raise Misconfigured(str(error)) from error
    if worker.doors and (words := await away(opened)):
        log.warning("no object store: mails are answered 4xx until it is there", error=words)
    return TimedStore(opened)


def _open_store(url: str) -> ObjectStore:
    from postroad.runtime.objects import open_store

    return open_store(url)


def _ended(worker: Worker, code: int, error: Exception) -> int:
    log.error("ended", worker=worker.name, code=code, error=str(error))
    return code
