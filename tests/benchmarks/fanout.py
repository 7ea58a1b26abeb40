"""A post on a large thread: seconds until its last copy is submitted, and whether memory grows with its followers.

What grows with a post is SQLite's page cache, up to the 64 MB that the log gives it; its copies are never in memory
together. The thread's own state is there before.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from postroad.fanout.telling import STEP
from postroad.fanout.worker import WORKER as FANOUT
from postroad.routing.worker import WORKER as ROUTING
from postroad.runtime.config import Config
from postroad.runtime.embedded import Embedded, read_log
from postroad.runtime.objects import open_store
from postroad_schemas import Event, event_id
from postroad_schemas.chatter import ChatterPosted, ThreadFollowed
from postroad_schemas.values import Author, Contents, Follower, Post

SIZES = (1_000, 10_000)
THREAD = "crm.lead/1"


class Told(NamedTuple):
    """One post on one thread, in a process of its own."""

    followers: int
    seconds: float  # until the last OutboundSubmitted was durable
    processor: float  # seconds of processor time
    before: float  # peak resident memory in megabytes when all followed and nothing was posted
    peak: float  # and at the end


def report() -> Iterator[str]:
    """One line for each size."""
    for size in SIZES:
        command = (sys.executable, "-m", "tests.benchmarks.fanout", str(size))
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
        told = Told(**json.loads(done.stdout))
        yield (
            f"{told.followers:6,} followers: last copy submitted after {told.seconds:5.2f} s "
            f"({told.processor / told.followers * 1e6:.0f} µs of processor a copy), peak memory {told.peak:.0f} MB "
            f"({told.peak - told.before:.1f} MB of them for the post)"
        )


async def tell(followers: int, folder: Path) -> Told:
    """Everything embedded; nothing is sent."""
    path = folder / "log.sqlite"
    embedded = Embedded(path, (ROUTING, FANOUT), open_store(f"file:{folder}/objects"), Config())
    await embedded.start()
    try:
        await embedded.tools.publish(list(_following(followers)))
        await embedded.idle()
        before, started, worked = _peak(), time.perf_counter(), time.process_time()
        await embedded.tools.publish([_post()])
        await embedded.idle()
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
        peak = _peak()
    finally:
        await embedded.stop()
    copies = sum(1 for _ in read_log(path, "outbound.submitted"))
    assert copies == followers, f"{copies} copies for {followers} followers"
    return Told(followers, seconds, processor, before, peak)


def _following(followers: int) -> Iterator[Event]:
    for first in range(0, followers, STEP):
        members = tuple(
            Follower(address=f"member{number}@crowd.example", name=f"Member {number}")
            for number in range(first, min(first + STEP, followers))
        )
        new_id = event_id("followed", str(first))
        yield ThreadFollowed(
            event_id=new_id, occurred_at=datetime.now(UTC), trace_id=new_id, thread=THREAD, followers=members
        )


def _post() -> ChatterPosted:
    new_id = event_id("posted")
    author = Author(contact="anna", address="anna@example.com", name="Anna")
    post = Post(author=author, contents=Contents(text="To all of you.\n"))
    return ChatterPosted(event_id=new_id, occurred_at=datetime.now(UTC), trace_id=new_id, thread=THREAD, post=post)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as made:
        print(json.dumps(asyncio.run(tell(int(sys.argv[1]), Path(made)))._asdict()))
