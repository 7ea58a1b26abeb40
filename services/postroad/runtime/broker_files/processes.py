"""Processes by their id: what they run, what they take, and how they end. Reads /proc."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path


def spawn(command: list[str], log: Path) -> int:
    """Starts a process that outlives this one, in a session of its own, its output in a new `log`; returns its id."""
    with log.open("wb") as out, Path(os.devnull).open("rb") as nothing:
        streams = [(os.POSIX_SPAWN_DUP2, file.fileno(), to) for file, to in ((nothing, 0), (out, 1), (out, 2))]
        # subprocess.Popen would complain that nobody waits for it.
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=streams, setsid=True)
    while runs(pid) and not arguments(pid):  # a process that just began has no command line yet
        time.sleep(0.001)
    return pid


def arguments(pid: int) -> frozenset[str]:
    """The words of its command line; none where there is no such process, or it has ended and nobody waited for it."""
    try:
        return frozenset(Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")) - {
            ""
        }
    except OSError:
        return frozenset()


def resident_mb(pid: int) -> int | None:
    """Resident memory in MiB."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
    return None


def end(pids: Iterable[int], number: signal.Signals, patience: float) -> list[int]:
    """Signals all at once, then waits up to `patience` seconds; returns those that still run."""
    waiting = list(pids)
    for pid in waiting:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    deadline = time.monotonic() + patience
    while (waiting := [pid for pid in waiting if runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return waiting


def runs(pid: int) -> bool:
    """Not where all its threads have ended and only its parent has not noticed yet; where that is us, we do now.

    While one thread is left, the process may still hold its ports and files, though it shows as ended itself.
    """
    try:
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
    except OSError:
        return False
    if threads > 1 or state not in (b"Z", b"X"):
        return True

    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return False
