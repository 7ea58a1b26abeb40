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

from tests.benchmarks.processes import megabytes, running, send

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
def door(folder: Path, *profile: str) -> Iterator[Served]:
    command = (sys.executable, "-m", "tests.benchmarks.door", str(folder), *profile)
    with running(*command, log=folder / "door.log") as process:
        assert process.stdout is not None
        served = Served(int(process.stdout.readline()), process.pid)
        yield served
        process.terminate()
        served.figures |= json.loads(process.stdout.readline())


def small(served: Served, octets: int, mails: int) -> float:
    """Accepted mails a second over 20 sessions."""
    send(served.port, mails // 10, size=octets)
    done = send(served.port, mails, size=octets)
    assert done["accepted"] == mails, done
    return float(mails / done["seconds"])


def large(served: Served, octets: int, senders: int, mails: int) -> float:
    """The same for mails with an attachment, each sender at once with all the others."""
    command = [sys.executable, "-m", "tests.benchmarks.ingest", *map(str, (served.port, senders, mails, octets))]
    done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ}).stdout)
    assert done["accepted"] == senders * mails, done
    return float(done["accepted"] / done["seconds"])


def report() -> Iterator[str]:
    """Lines of figures."""
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder:
        for octets, mails in SIZES:
            with bare() as ceiling:
                most = small(ceiling, octets, mails)
            with door(Path(folder)) as ours:
                got = small(ours, octets, mails)
            stall = f"longest stall {ours.figures['stall_ms']:.0f} ms"
            yield f"mails of {octets / 1000:5,.0f} kB        {_ratio(got, most)}, {stall}"
        with door(Path(folder)) as ours:
            before = megabytes(ours.pid)
            got = large(ours, LARGE, 4, 5)
        yield f"mails of {LARGE / 1000:5,.0f} kB        {got:9,.1f} mails/s, {_weight(ours, before)}"
        with door(Path(folder)) as ours:
            before = megabytes(ours.pid)
            got = large(ours, HUGE, MANY, 1)
        yield f"{MANY} of 25 MiB at once    {got:9,.1f} mails/s, {_weight(ours, before)}"


def _ratio(got: float, most: float) -> str:
    return f"{got:9,.0f} mails/s ({got / most:.2f} of bare, {most:,.0f})"


def _weight(served: Served, before: float) -> str:
    figures = served.figures
    return f"longest stall {figures['stall_ms']:.0f} ms, peak memory {figures['peak_mb']:.0f} MB (idle {before:.0f} MB)"


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
