"""Processes under measurement: started, waited for, weighed, ended."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from postroad.cli.main import main; main()"]


@contextlib.contextmanager
def running(*command: str, log: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A process until the end of the block: SIGTERM then, SIGKILL after 15 s."""
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("a")) if log else subprocess.DEVNULL
        process = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_port(port: int, seconds: float = 30.0) -> None:
    """Raises TimeoutError when nobody listens by then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens at {port}")


def megabytes(pid: int) -> float:
    """Resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def processor_seconds(pid: int) -> float:
    """Of user and system, so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send(port: int, mails: int, sessions: int = 20, size: int = 2000) -> dict[str, Any]:
    """By a client in a process of its own: {"accepted", "seconds"}."""
    command = [sys.executable, "-m", "tests.benchmarks.client", str(port), str(mails), str(sessions), str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
    return dict(json.loads(done.stdout))


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
