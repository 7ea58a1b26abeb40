"""How long each worker takes from its command to "started", what it weighs then, and how much is installed for it.

By itself: `python -m tests.benchmarks.start`.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from postroad.runtime.broker import Cluster
from postroad.runtime.broker_files.loopback import free_ports
from postroad_schemas import WORKERS
from tests.benchmarks.processes import COMMAND, megabytes, processor_seconds, running

ROOT = Path(__file__).parents[2]
RUNS = 3
PIP = ("--disable-pip-version-check", "--only-binary", ":all:", "--no-binary", "dkimpy")  # as the image is built


def report() -> Iterator[str]:
    """A line a worker: the best of some starts against a broker that is up and topics that are there."""
    with tempfile.TemporaryDirectory(prefix="postroad-start-") as made:
        folder = Path(made)
        cluster = Cluster.start(folder / "broker", 1)
        try:
            settings = folder / "postroad.toml"
            settings.write_text(
                f'[store]\nurl = "file:{folder}/objects"\n[smtp]\nport = {free_ports(1)[0]}\n[metrics]\nport = 0\n'
                f'[kafka]\nbootstrap = "{cluster.bootstrap}"\npartitions = 8\nreplication = 1\n'
            )
            with running(*COMMAND, "topics", "apply", "--config", str(settings)) as process:
                assert process.wait(60) == 0
            for name in WORKERS:
                seconds, processor, size = min(_started(name, settings, folder) for _ in range(RUNS))
                yield f"{name:<10} {seconds:5.2f} s to started, {processor:.2f} s of processor, {size:.0f} MB resident"
        finally:
            cluster.stop(grace=1.0)


def _started(name: str, settings: Path, folder: Path) -> tuple[float, float, float]:
    log = folder / f"{name}.log"
    log.write_text("")
    begun = time.monotonic()
    with running(*COMMAND, "worker", name, "--config", str(settings), log=log) as process:
        while '"event": "started"' not in (said := log.read_text()):
            if process.poll() is not None or time.monotonic() > begun + 60:
                raise RuntimeError(f"{name} did not start: {said[-1000:]}")
            time.sleep(0.02)
        return time.monotonic() - begun, processor_seconds(process.pid), megabytes(process.pid)


def installed() -> Iterator[str]:
    """What an image holds beside Python itself: one line, and the five largest packages."""
    with tempfile.TemporaryDirectory(prefix="postroad-image-") as made:
        site = Path(made) / "site"
        command = [sys.executable, "-m", "pip", "install", "-q", *PIP, "-c", str(ROOT / "constraints.txt")]
        subprocess.run([*command, "--target", str(site), f"{ROOT}[workers,otel]"], check=True)
        sizes = {path.name: _megabytes(path) for path in site.iterdir()}
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:5]
    yield f"installed  {sum(sizes.values()):.0f} MB: {', '.join(f'{name} {sizes[name]:.0f}' for name in largest)}"


def _megabytes(path: Path) -> float:
    files = [path] if path.is_file() else [it for it in path.rglob("*") if it.is_file()]
    return sum(it.stat().st_size for it in files) / 1e6


if __name__ == "__main__":
    for line in (*report(), *installed()):
        print(line)
