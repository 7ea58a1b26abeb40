"""What an installation stands on: its log or brokers, topics, store, disks, clocks."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from postroad.cli.finding import Finding, State
from postroad.runtime import doctor_clock
from postroad.runtime.config import Config, ConfigError
from postroad.runtime.kafka import topics, workers
from postroad.runtime.objects import keeps, open_store
from postroad.runtime.reach import FileReach
from postroad.runtime.words import counted
from postroad.runtime.worker import NotThere, Unavailable

TOLD = 10  # differences of topics; the others are counted
GIB = 1024**3
LEAST, LITTLE = 0.05, 0.10  # of a disk that is free


@dataclass(frozen=True, slots=True)
class Ground:
    """What is looked at."""

    config: Config
    now: datetime


Check = Callable[[Ground], AsyncIterator[Finding]]


async def log(ground: Ground) -> AsyncIterator[Finding]:
    """The embedded log, where there is no cluster."""
    if not ground.config.kafka.bootstrap:
        yield of_log(Path(ground.config.log.path))


def of_log(path: Path) -> Finding:
    """Whether it can be used, and whether somebody does."""
    if not path.exists():
        return Finding("log", State.NOTE, f"{path} is not there yet: `postroad up` makes it")
    if not os.access(path, os.W_OK):
        return Finding("log", State.WRONG, f"{path} cannot be written by this user: be its owner, or get the right")
    reached = FileReach(path)
    try:
        next(reached.records("directory"), None)
    except NotThere as error:
        return Finding("log", State.NOTE, str(error))
    except Unavailable as error:
        return Finding("log", State.WRONG, str(error))
    if reached.answers():
        return Finding("log", State.OK, f"{path} is in use: postroad runs")
    return Finding("log", State.NOTE, f"{path}: nothing runs on it, `postroad up` does")


async def broker(ground: Ground) -> AsyncIterator[Finding]:
    """The cluster, its size, and every topic that the workers need."""
    kafka = ground.config.kafka
    if not kafka.bootstrap:
        return
    try:
        wanted = topics.wanted(kafka, workers.load_all(ground.config))
        nodes = await topics.nodes(kafka)
        existing = await topics.look(kafka, wanted)
    except ConfigError as error:
        yield Finding("broker", State.WRONG, str(error))
        return
    except Unavailable as error:
        yield Finding("broker", State.DOWN, str(error))
        return
    copies = counted(kafka.replication, "copy", "copies")
    if nodes < kafka.replication:
        words = f"{counted(nodes, 'broker')} at {kafka.bootstrap}, {copies} wanted: start more, or set replication"
        yield Finding("broker", State.WRONG, words)
    else:
        yield Finding("broker", State.OK, f"{counted(nodes, 'broker')} at {kafka.bootstrap}, {copies} of everything")
    for finding in of_topics(topics.changes(wanted, existing), len(wanted)):
        yield finding


def of_topics(changes: tuple[topics.Change, ...], count: int) -> Iterator[Finding]:
    """What the catalogue and the cluster differ in."""
    if not changes:
        yield Finding("topics", State.OK, f"{counted(count, 'topic')}, all as they must be")
    for change in changes[:TOLD]:
        what = change.words if change.refused else f"`postroad topics apply` would {change.words}"
        yield Finding("topics", State.WRONG, f"{change.topic.name}: {what}")
    if len(changes) > TOLD:
        yield Finding("topics", State.WRONG, f"and {len(changes) - TOLD} more: see `postroad topics plan`")


async def store(ground: Ground) -> AsyncIterator[Finding]:
    """An object written, read and deleted."""
    url = ground.config.store.url
    if url == "memory:":
        yield Finding("store", State.WRONG, "memory: forgets every mail at the end of the process: set [store] url")
        return
    try:
        same = await keeps(open_store(url))
    except ValueError as error:
        yield Finding("store", State.WRONG, str(error))
    except (Unavailable, OSError) as error:
        yield Finding("store", State.DOWN, str(error))
    else:
        words = "writes, reads and deletes" if same else "gave back other bytes than it was given: do not use it"
        yield Finding("store", State.OK if same else State.WRONG, f"{url} {words}")


async def clock(ground: Ground) -> AsyncIterator[Finding]:
    """Whether the clock is kept right, and whether anything was recorded in its future."""
    match doctor_clock.kept_right():
        case True:
            yield Finding("clock", State.OK, "the system keeps it right")
        case False:
            yield Finding("clock", State.NOTE, "nothing keeps it right: run an NTP client, such as chrony")
        case None:
            yield Finding("clock", State.NOTE, "this system does not say whether anything keeps it right")
    try:
        ahead = await _ahead(ground)
    except (ConfigError, Unavailable) as error:
        yield Finding("clock", State.NOTE, f"not compared with the log's: {error}")
        return
    if ahead:
        words = f"records from the future ({ahead}): this clock was set back, or that of another machine is ahead"
        yield Finding("clock", State.WRONG, words)


async def _ahead(ground: Ground) -> str:
    """Where records are more than a minute ahead; empty if nowhere. Raises Unavailable, ConfigError."""
    if ground.config.kafka.bootstrap:
        return ", ".join((await doctor_clock.topics_ahead(ground.config.kafka, ground.now))[:3])
    return _ahead_of(Path(ground.config.log.path), ground.now)


def _ahead_of(path: Path, now: datetime) -> str:
    newest = doctor_clock.newest_of_file(path) if path.exists() else None
    if newest is None or newest <= (now + doctor_clock.AHEAD).timestamp():
        return ""
    return f"{path}, {datetime.fromtimestamp(newest, UTC).isoformat(' ', 'seconds')}"


async def disk(ground: Ground) -> AsyncIterator[Finding]:
    """Room where bytes go; places on one disk are told once."""
    config = ground.config
    kind, _, place = config.store.url.partition(":")
    embedded = {} if config.kafka.bootstrap else {"the log": config.log.path}
    objects = {"objects": place.removeprefix("//")} if kind == "file" else {}
    spool = {"spooled mails": config.smtp.spool or tempfile.gettempdir()}
    seen: set[int] = set()
    for what, path in {**embedded, **objects, **spool, "mailboxes": config.mailboxes.folder}.items():
        there = _existing(Path(path))
        if (device := there.stat().st_dev) in seen:
            continue
        seen.add(device)
        room = shutil.disk_usage(there)
        yield of_disk(f"{there.absolute()} ({what})", room.free, room.total)


def of_disk(place: str, free: int, total: int) -> Finding:
    """How much room is enough: a twentieth, or a GiB where that is more."""
    words = f"{place}: {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if free < max(LEAST * total, GIB):
        return Finding("disk", State.WRONG, f"{words}: make room, doors answer 4xx without it")
    return Finding("disk", State.NOTE if free < LITTLE * total else State.OK, words)


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    path = path.absolute()
    return next(it for it in (path, *path.parents) if it.exists())


CHECKS: tuple[Check, ...] = (log, broker, store, clock, disk)
