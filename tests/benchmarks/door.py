"""The SMTP door alone, on a file store, events going nowhere. `python -m tests.benchmarks.door FOLDER [PROFILE]`.

Prints its port, serves until SIGTERM, then prints one JSON line: the longest stall of its loop, its peak memory.
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

from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Smtp
from postroad.runtime.objects import open_store
from postroad.runtime.worker import Tools
from tests.support.declared import AT, views

BEAT = 0.005  # seconds


async def nowhere(events: Sequence[Any]) -> None:
    """Acknowledged at once."""


async def serve(folder: Path) -> None:
    smtp = Smtp(port=0, hostname="door.example", max_connections_per_peer=200, spool=str(folder))
    stopping, longest = asyncio.Event(), 0.0
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    door = SmtpDoor(Tools(nowhere, views(), open_store(f"file:{folder / 'objects'}"), lambda: AT, Config(smtp=smtp)))
    await door.start()
    print(door.port, flush=True)
    while not stopping.is_set():
        before = loop.time()
        await asyncio.sleep(BEAT)
        longest = max(longest, loop.time() - before - BEAT)
    await door.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"stall_ms": longest * 1000, "peak_mb": peak}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        with cProfile.Profile() as profile:
            asyncio.run(serve(Path(sys.argv[1])))
        profile.dump_stats(sys.argv[2])
    else:
        asyncio.run(serve(Path(sys.argv[1])))
