"""`postroad broker`: a real Apache Kafka on this machine, for development and tests."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import cyclopts
import msgspec

from postroad.runtime.broker import Cluster, NodeStatus
from postroad.runtime.broker_files import BrokerError
from postroad.runtime.broker_files.jars import KAFKA, cache_folder, fetch

Folder = Annotated[Path | None, cyclopts.Parameter(help="Where the broker lives; by default `broker` in the cache.")]
AsJson = Annotated[bool, cyclopts.Parameter(name="--json", negative="", help="Print JSON, for programs.")]

app = cyclopts.App(
    name="broker",
    help="""Run a real Apache Kafka on this machine, to develop and test against.

    `start` fetches Kafka at the first time, starts it in the background and prints the address that other commands take
    as `--kafka`. It needs Java 17 or newer and, once, Maven. It listens on this machine only and asks nobody who they
    are: not for production.""",
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints."""

    bootstrap: str
    folder: str
    ready: bool
    started: list[int]
    nodes: list[NodeStatus]


@app.command(name="fetch")
def fetch_jars() -> int:
    """Fetch Apache Kafka into the cache and check every file; nothing is downloaded where it is there already."""

    def run() -> int:
        print(f"Apache Kafka {KAFKA} is in {_fetched()}")
        return os.EX_OK

    return _answering(run)


@app.command
def start(
    *,
    nodes: Literal[1, 3] | None = None,
    port: int | None = None,
    folder: Folder = None,
    fresh: bool = False,
    json: AsJson = False,
) -> int:
    """Start the broker in the background, or those of its nodes that are not running, and wait until it is ready.

    Parameters
    ----------
    nodes
        1 (usual) or 3, to see what happens when one dies. Kept from the first start on.
    port
        Port of the first node, 9092 at first; the next nodes take the next ports, 0 takes any free ones. Kept from the
        first start on.
    fresh
        Begin anew: stop the broker of this folder and forget all its topics.
    """

    def run() -> int:
        place = _place(folder)
        before = Cluster.open(place)
        running = before.pids.keys() if before and not fresh else set()
        _fetched()
        cluster = Cluster.start(place, nodes, port, fresh=fresh)
        report = _report(cluster, started=sorted(cluster.pids.keys() - running))
        if json:
            print(msgspec.json.encode(report).decode())
        elif report.started:
            print(f"Apache Kafka {KAFKA} is ready: {cluster.bootstrap}")
        else:
            print(f"Apache Kafka {KAFKA} is already running: {cluster.bootstrap}")
        return os.EX_OK

    return _answering(run)


@app.command
def stop(*, folder: Folder = None) -> int:
    """Stop the broker; its topics stay for the next start."""

    def run() -> int:
        cluster = Cluster.open(_place(folder))
        stopped = cluster.stop() if cluster else []
        print(f"stopped {_nodes(stopped)}" if stopped else "the broker is not running")
        return os.EX_OK

    return _answering(run)


@app.command
def status(*, folder: Folder = None, json: AsJson = False) -> int:
    """Show each node: process id, port, ready or not, memory. Exit code 0 only when all are ready, else 69."""

    def run() -> int:
        report = _report(_laid_out(folder))
        if json:
            print(msgspec.json.encode(report).decode())
        else:
            for node in report.nodes:
                state = "ready" if node.ready else "not running" if node.pid is None else "not ready"
                memory = "" if node.resident_mb is None else f"  {node.resident_mb} MB"
                print(f"node {node.node}  port {node.port}  pid {node.pid or '-'}  {state}{memory}")
        return os.EX_OK if report.ready else os.EX_UNAVAILABLE

    return _answering(run)


@app.command
def kill(node: int, /, *, folder: Folder = None) -> int:
    """Kill one node like a crash would (SIGKILL), to see what the rest does; `start` brings it back.

    Parameters
    ----------
    node
        Its number, as `status` shows it.
    """

    def run() -> int:
        _laid_out(folder).kill(node)
        print(f"killed node {node}; `postroad broker start` brings it back")
        return os.EX_OK

    return _answering(run)


def _answering(command: Callable[[], int]) -> int:
    """Trouble is one line on standard error and an exit code, not a traceback."""
    try:
        return command()
    except BrokerError as error:
        print(f"postroad broker: {error}", file=sys.stderr)
        return os.EX_UNAVAILABLE
    except OSError as error:
        print(f"postroad broker: {error.filename or 'the system'}: {error.strerror}", file=sys.stderr)
        return os.EX_CANTCREAT


def _fetched() -> Path:
    return fetch(lambda words: print(words, file=sys.stderr))


def _report(cluster: Cluster, started: list[int] | None = None) -> Report:
    nodes = cluster.status()
    return Report(
        bootstrap=cluster.bootstrap,
        folder=str(cluster.folder),
        ready=all(node.ready for node in nodes),
        started=started or [],
        nodes=nodes,
    )


def _place(folder: Path | None) -> Path:
    return folder or cache_folder() / "broker"


def _laid_out(folder: Path | None) -> Cluster:
    place = _place(folder)
    if cluster := Cluster.open(place):
        return cluster
    raise BrokerError(f"there is no broker in {place}: `postroad broker start` makes one")


def _nodes(numbers: list[int]) -> str:
    return ("node " if len(numbers) == 1 else "nodes ") + ", ".join(map(str, numbers))
