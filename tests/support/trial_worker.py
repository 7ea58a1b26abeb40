"""The trial worker of the conformance suite as a process of its own, to be killed: `trial_worker.py JSON`."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from postroad.runtime import logs, process
from postroad.runtime.config import Config, Kafka
from postroad.runtime.worker import ObjectStore, Unavailable, Worker
from postroad_schemas.values import ObjectRef
from tests.conformance.stages import trial

ROOT = Path(__file__).parents[2]


class NoStore:
    """The trial's caller has no contents to fetch."""

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        return [await self.put(content) for content in contents]

    async def put(self, content: bytes) -> ObjectRef:
        raise Unavailable("the trial stores nothing")

    async def get(self, ref: str) -> bytes:
        raise LookupError(ref)

    async def delete(self, ref: str) -> None:
        raise LookupError(ref)


def no_store(_: str) -> ObjectStore:
    return NoStore()


@dataclass
class Program:
    """A running trial worker. Its log lines, JSON each, are in `log`."""

    log: Path
    child: "subprocess.Popen[bytes]"

    def wait_for(self, event: str, within: float = 90.0, times: int = 1) -> None:
        """Until its log tells of the event so many times."""
        deadline = time.monotonic() + within
        while sum(line.get("event") == event for line in self.lines()) < times:
            assert self.child.poll() is None, f"ended with {self.child.returncode}: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"no {event!r} within {within} s: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def lines(self) -> list[dict[str, Any]]:
        found = []
        for line in self.log.read_text("utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    @contextlib.contextmanager
    def supervised(self, again: "Programs") -> Iterator[None]:
        """As a cluster would: started again whenever it ends by itself."""
        done = threading.Event()

        def keep() -> None:
            current: Program = self
            while not done.wait(0.2):
                if current.child.poll() is not None:
                    current = again.start()

        keeper = threading.Thread(target=keep)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def kill(self) -> None:
        self.child.kill()
        self.child.wait(60)

    def stop(self, within: float = 60.0) -> int:
        """SIGTERM; its exit code."""
        if self.child.poll() is None:
            self.child.terminate()
        return self.child.wait(within)


@contextlib.contextmanager
def programs(folder: Path, kafka: Kafka, **times: float) -> Iterator["Programs"]:
    """Starts trial workers; none of them outlives the block."""
    started = Programs(folder, kafka, times)
    try:
        yield started
    finally:
        for program in started.all:
            if program.child.poll() is None:
                program.kill()


class Programs:
    def __init__(self, folder: Path, kafka: Kafka, times: Mapping[str, float]) -> None:
        self.all: list[Program] = []
        self._folder, self._kafka, self._times = folder, kafka, {"tick": 1.0, **times}

    @property
    def calls(self) -> Path:
        return self._folder / "calls"

    def start(self, *only: str) -> Program:
        """`only` these of its stages and senders; all when none is named."""
        log = self._folder / f"worker-{len(self.all)}.log"
        asked = {"kafka": msgspec.to_builtins(self._kafka), "calls": str(self.calls), "only": only, **self._times}
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.support.trial_worker", json.dumps(asked)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": "services:schemas:."},
                stderr=output,
                stdout=output,
            )
        program = Program(log, child)
        self.all.append(program)
        return program


def narrowed(worker: Worker, only: tuple[str, ...]) -> Worker:
    if not only:
        return worker
    return Worker(
        worker.name,
        tuple(stage for stage in worker.stages if stage.name in only),
        tuple(sending for sending in worker.sendings if sending.sender.name in only),
    )


def main(argument: str) -> int:
    asked = json.loads(argument)
    config = Config(kafka=msgspec.convert(asked.pop("kafka"), Kafka))
    worker = narrowed(trial(Path(asked.pop("calls"))), tuple(asked.pop("only")))
    logs.configure()
    return asyncio.run(process.run(worker, config, no_store, process.Times(**asked)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
