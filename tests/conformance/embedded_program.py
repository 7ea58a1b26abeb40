"""The trial worker on the embedded runner, as a process to be killed: `embedded_program FOLDER ROUNDS`.

It publishes the rounds one by one, writes down which are acknowledged, goes on there after a crash, and ends when all
is done. Prints "working" when it began to publish.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from postroad.runtime.config import Config
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from tests.conformance.stages import inputs, trial

AT = datetime(2026, 3, 1, tzinfo=UTC)
TOGETHER = 10  # rounds acknowledged at once


async def main(folder: Path, rounds: int) -> None:
    runner = Embedded(
        folder / "log.sqlite", [trial(folder / "calls")], open_store("memory:"), Config(), tick=0.1, grace=1.0
    )
    await runner.start()
    acknowledged = folder / "acknowledged"
    first = int(acknowledged.read_text("ascii") or 0) if acknowledged.exists() else 0
    print("working", flush=True)
    for n in range(first, rounds, TOGETHER):
        await runner.publish(inputs(TOGETHER, AT, first=n))
        acknowledged.with_suffix(".new").write_text(f"{n + TOGETHER}", "ascii")
        acknowledged.with_suffix(".new").rename(acknowledged)
    while (await asyncio.to_thread(sent, runner)) < rounds or await runner.states("closing"):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    await runner.idle()
    await runner.stop()


def sent(runner: Embedded) -> int:
    """Submissions that came to their end."""
    told = (stored.value or b"" for stored in runner.read("notification.updated"))
    return len({value for value in told if b'"notification.sent"' in value})


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
