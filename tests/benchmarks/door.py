"""The SMTP door alone, on a file store. `python -m tests.benchmarks.door FOLDER [BOOTSTRAP [PROFILE]]`.

Events go to the Kafka at BOOTSTRAP, with "" nowhere. Prints its port, serves until SIGTERM, then prints one JSON line:
the longest stall of its loop, and the longest of which it was not just waiting for a processor, in milliseconds; the
peak memory of itself and of the process that reads large mails.
"""

import asyncio
import cProfile
import json
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from postroad.ingest.aside import aside
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Kafka, Smtp
from postroad.runtime.kafka.publisher import Publisher
from postroad.runtime.objects import open_store
from postroad.runtime.worker import Tools
from tests.support.declared import AT, views

BEAT = 0.005  # seconds
SELF, CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN


async def nowhere(events: Sequence[Any]) -> None:
    """Acknowledged at once."""


def waited() -> float:
    """Seconds for which this thread was ready to run, and others ran."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


async def serve(folder: Path, bootstrap: str = "") -> None:
    smtp = Smtp(port=0, hostname="door.example", max_connections_per_peer=200, spool=str(folder))
    publisher = Publisher(Kafka(bootstrap=bootstrap)) if bootstrap else None
    if publisher:
        await publisher.start()
    stopping, longest, own = asyncio.Event(), 0.0, 0.0
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    store = open_store(f"file:{folder / 'objects'}")
    door = SmtpDoor(Tools(publisher or nowhere, views(), store, lambda: AT, Config(smtp=smtp)))
    await door.start()
    print(door.port, flush=True)
    while not stopping.is_set():
        before, queued = loop.time(), waited()
        await asyncio.sleep(BEAT)
        stall = loop.time() - before - BEAT
        longest, own = max(longest, stall), max(own, stall - (waited() - queued))
    await door.stop()
    if publisher:
        await publisher.stop()
    aside.close()
    peak, aside_peak = (resource.getrusage(whose).ru_maxrss / 1024 for whose in (SELF, CHILDREN))
    figures = {"stall_ms": longest * 1000, "own_ms": own * 1000, "peak_mb": peak, "aside_mb": aside_peak}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    folder, bootstrap = Path(sys.argv[1]), (sys.argv[2:] or [""])[0]
    if len(sys.argv) > 3:
        with cProfile.Profile() as profile:
            asyncio.run(serve(folder, bootstrap))
        profile.dump_stats(sys.argv[3])
    else:
        asyncio.run(serve(folder, bootstrap))
