"""The SMTP door beside the bare handler: accepted mails a second by size, stalls, memory under large mails.

`python -m tests.benchmarks.ingest PORT SENDERS MAILS OCTETS` sends large mails from a process of its own.
"""

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postroad.runtime.broker import Cluster
from tests.benchmarks.processes import COMMAND, megabytes, processor_seconds, running, send

SIZES = ((4_000, 2000), (100_000, 300))  # octets, mails
LARGE = 5_000_000
MANY, HUGE = 50, 25 * 1024 * 1024
HEADER = (
    "From: Anna <anna@customer.example>\r\nTo: sales@example.com\r\nSubject: Plans {n}\r\n"
    "Message-ID: <{run}.{n}@customer.example>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThe plans.\r\n\r\n"
    "--b\r\nContent-Type: application/pdf; name=plans.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
)
PIECE = base64.encodebytes(bytes(range(256)) * 228).replace(b"\n", b"\r\n")  # about 80 kB


@dataclass
class Served:
    """A door under measurement. `figures` are there at the end."""

    port: int
    pid: int
    figures: dict[str, float] = field(default_factory=dict)


@contextlib.contextmanager
def bare() -> Iterator[Served]:
    with running(sys.executable, "-m", "tests.benchmarks.bare") as process:
        assert process.stdout is not None
        yield Served(int(process.stdout.readline()), process.pid)


@contextlib.contextmanager
def door(folder: Path, bootstrap: str = "", *profile: str) -> Iterator[Served]:
    command = (sys.executable, "-m", "tests.benchmarks.door", str(folder), bootstrap, *profile)
    with running(*command, log=folder / "door.log") as process:
        assert process.stdout is not None
        served = Served(int(process.stdout.readline()), process.pid)
        yield served
        process.terminate()
        served.figures |= json.loads(process.stdout.readline())


def small(served: Served, octets: int, mails: int) -> tuple[float, float]:
    """Accepted mails a second over 20 sessions, and the server's milliseconds of processor for each."""
    send(served.port, mails // 10, size=octets)
    before = processor_seconds(served.pid)
    done = send(served.port, mails, size=octets)
    assert done["accepted"] == mails, done
    return float(mails / done["seconds"]), (processor_seconds(served.pid) - before) / mails * 1000


def large(served: Served, octets: int, senders: int, mails: int) -> float:
    """The same for mails with an attachment, each sender at once with all the others."""
    command = [sys.executable, "-m", "tests.benchmarks.ingest", *map(str, (served.port, senders, mails, octets))]
    done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ}).stdout)
    assert done["accepted"] == senders * mails, done
    return float(done["accepted"] / done["seconds"])


def report() -> Iterator[str]:
    """Lines of figures. Folders stay to the end: where many files were just deleted, new ones are slow to make."""
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder:
        yield from _small(Path(folder))
        cluster = Cluster.start(Path(folder) / "broker", 1)
        try:
            words = ("topics", "apply", "--kafka", cluster.bootstrap, "--partitions", "4", "--replication", "1")
            with running(*COMMAND, *words) as applying:
                assert applying.wait(60) == 0
            yield from _small(Path(folder) / "on-kafka", cluster.bootstrap)
        finally:
            cluster.stop(grace=1.0)
        for octets, senders, mails in ((LARGE, 4, 5), (HUGE, MANY, 1)):
            with door(Path(folder)) as ours:
                before = megabytes(ours.pid)
                got = large(ours, octets, senders, mails)
            at_once = f"{senders} x {octets / 1e6:,.1f} MB at once"
            yield f"{at_once:31}{got:9,.1f} mails/s, {_weight(ours, before)}"


def _small(folder: Path, bootstrap: str = "") -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    for octets, mails in SIZES:
        with bare() as ceiling:
            most = small(ceiling, octets, mails)
        with door(folder, bootstrap) as ours:
            got = small(ours, octets, mails)
        what = f"{octets / 1000:,.0f} kB{', acknowledged by Kafka' if bootstrap else ''}"
        yield f"{what:31}{_ratio(got, most)}, longest stall {ours.figures['stall_ms']:.0f} ms"


def _ratio(got: tuple[float, float], most: tuple[float, float]) -> str:
    rate = f"{got[0]:9,.0f} mails/s ({got[0] / most[0]:.2f} of bare, {most[0]:,.0f})"
    return f"{rate}, {got[1]:.2f} ms of processor each (bare {most[1]:.2f})"


def _weight(served: Served, before: float) -> str:
    figures = served.figures
    stall = f"longest stall {figures['stall_ms']:.0f} ms (not waiting for a processor: {figures['own_ms']:.0f} ms)"
    return (
        f"{stall}, peak memory {figures['peak_mb']:.0f} MB + {figures['aside_mb']:.0f} MB aside (idle {before:.0f} MB)"
    )


async def _send(port: int, senders: int, mails: int, octets: int) -> dict[str, Any]:
    run, started = f"{time.time_ns():x}", time.perf_counter()
    accepted = await asyncio.gather(*(_sender(port, mails, octets, f"{run}.{number}") for number in range(senders)))
    return {"accepted": sum(accepted), "seconds": time.perf_counter() - started}


async def _sender(port: int, mails: int, octets: int, run: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    accepted = 0

    async def say(line: str) -> bytes:
        writer.write(line.encode() + b"\r\n" if line else b"")
        while (reply := await reader.readline())[3:4] == b"-":
            pass
        return reply

    await say("")
    await say("EHLO client.example")
    for number in range(mails):
        for line in ("MAIL FROM:<anna@customer.example>", "RCPT TO:<sales@example.com>", "DATA"):
            await say(line)
        writer.write(HEADER.format(n=number, run=run).encode())
        for _ in range((octets - 1000) // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
        writer.write(b"--b--\r\n")
        accepted += (await say(".")).startswith(b"250")
    writer.close()
    return accepted


def main() -> None:
    for line in report():
        print(line, flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(asyncio.run(_send(*map(int, sys.argv[1:5])))))
    else:
        main()
