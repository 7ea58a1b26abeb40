"""End to end: from SMTP to the event that an app reads, embedded and on Kafka, beside the bare ceiling."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from postroad.runtime.broker import Cluster
from postroad.runtime.broker_files.loopback import free_ports
from postroad.runtime.embedded import read_log
from tests.benchmarks import client
from tests.benchmarks.processes import COMMAND, megabytes, percentile, running, send, wait_for_port
from tests.support.watch import ChatterWatch

MAILS = 2000
LATENCIES = 60
WORKERS = ("routing", "loop_guard", "bounces", "fanout", "dispatch", "ingest")
DECLARED = """
[[domain]]
name = "example.com"
default = true
[[alias]]
address = "sales@example.com"
record_type = "crm.lead"
"""


@dataclass(frozen=True, slots=True)
class System:
    """A running system: where mail goes in, how many chatter events can be read, which processes it is."""

    port: int
    readable: Callable[[], int]
    pids: dict[str, int]


def bare_rate() -> float:
    """Accepted mails a second of a handler that does nothing."""
    with running(sys.executable, "-m", "tests.benchmarks.bare") as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        send(port, 200)
        done = send(port, MAILS)
        return float(done["accepted"] / done["seconds"])


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[System]:
    port, settings, path = free_ports(1)[0], folder / "postroad.toml", folder / "postroad.sqlite"
    settings.write_text(
        f'[store]\nurl = "file:{folder}/objects"\n[log]\npath = "{path}"\n[smtp]\nport = {port}\n{DECLARED}'
    )
    with running(*COMMAND, "up", "--config", str(settings), log=folder / "up.log") as process:
        wait_for_port(port)
        _apply(settings)
        last = 0

        def readable() -> int:
            nonlocal last
            for stored in read_log(path, "chatter.published", last):
                last = stored.offset
            return last

        yield System(port, readable, {"postroad up": process.pid})


@contextlib.contextmanager
def on_kafka(folder: Path) -> Iterator[System]:
    """Six processes on a single-node broker."""
    port, settings = free_ports(1)[0], folder / "postroad.toml"
    cluster = Cluster.start(folder / "broker", 1)
    try:
        settings.write_text(
            f'[store]\nurl = "file:{folder}/objects"\n[smtp]\nport = {port}\n'
            f'[kafka]\nbootstrap = "{cluster.bootstrap}"\npartitions = 4\nreplication = 1\n{DECLARED}'
        )
        with contextlib.ExitStack() as stack:
            _postroad("topics", "apply", "--config", str(settings))
            pids = {}
            for name in WORKERS:
                command = (*COMMAND, "worker", name, "--config", str(settings))
                pids[name] = stack.enter_context(running(*command, log=folder / f"{name}.log")).pid
            wait_for_port(port, 60)
            _apply(settings)
            watch = stack.enter_context(ChatterWatch(cluster.bootstrap))
            yield System(port, watch.count, pids)
    finally:
        cluster.stop(grace=1.0)


def _apply(settings: Path) -> None:
    _postroad("apply", str(settings))
    time.sleep(1.0)


def _postroad(*words: str) -> None:
    with running(*COMMAND, *words) as process:
        assert process.wait(60) == 0, words


def throughput(system: System) -> tuple[float, float]:
    """Mails a second: accepted, and through to the readable chatter event."""
    send(system.port, 200)
    _until(system.readable, 200)
    before = system.readable()
    started = time.perf_counter()
    done = send(system.port, MAILS)
    _until(system.readable, before + MAILS)
    return float(done["accepted"] / done["seconds"]), MAILS / (time.perf_counter() - started)


def latencies(system: System) -> tuple[float, float]:
    """Milliseconds of one mail through the idle pipeline, p50 and p99: from connecting to the readable event."""
    found = []
    for number in range(LATENCIES):
        before, started = system.readable(), time.perf_counter()
        asyncio.run(client.send(system.port, 1, 1, 2000, first=10_000 + number))
        _until(system.readable, before + 1)
        found.append((time.perf_counter() - started) * 1000)
        time.sleep(0.05)
    return percentile(found, 0.5), percentile(found, 0.99)


def memory(system: System) -> dict[str, float]:
    return {name: megabytes(pid) for name, pid in system.pids.items()}


def _until(readable: Callable[[], int], wanted: int, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while readable() < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{readable()} of {wanted} chatter events after {seconds:.0f} s")
        time.sleep(0.001)
