"""A real Apache Kafka (KRaft) on this machine, one node or three, for development and tests: loopback, no security.

Everything about a cluster lies in its folder: `cluster.json` (nodes and ports), and for each node, in `n1/` and so on,
its settings, log, pid file and Kafka's own files. So any process can stop and restart what another one started.
"""

import contextlib
import fcntl
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from postroad.runtime.broker_files import BrokerError
from postroad.runtime.broker_files.jars import fetch
from postroad.runtime.broker_files.java import find_java
from postroad.runtime.broker_files.loopback import HOST, brokers_listed, ports_for, require_free
from postroad.runtime.broker_files.node_settings import CLUSTER_ID, LOG_SETTINGS, Node, java_command, settings_of
from postroad.runtime.broker_files.processes import arguments, end, resident_mb, runs, spawn

USUAL_PORT = 9092
READY_SECONDS = 120.0
GRACE_SECONDS = 20.0


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What `cluster.json` keeps."""

    nodes: tuple[Node, ...]


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`ready` means that the node runs and lists itself in its Metadata reply."""

    node: int
    port: int
    pid: int | None
    ready: bool
    resident_mb: int | None


class Cluster:
    """The cluster of one folder. Methods raise BrokerError where they cannot do what they say."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self.nodes = layout.nodes

    @classmethod
    def start(cls, folder: Path, nodes: int | None = None, port: int | None = 0, *, fresh: bool = False) -> Self:
        """Starts the nodes that are not running and waits until all are ready; fetches the jars before the first time.

        `nodes` (1 or 3; None is 1) and `port` (the first node's, the next ones follow; 0 picks free ones; None is 9092)
        are laid down at the first start. Later None and 0 agree with what was laid down, anything else must be equal.
        `fresh` first stops what runs in the folder and forgets its topics and its layout.
        """
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            existing = cls.open(folder)
            if existing and fresh:
                existing.stop()
                existing._forget()
                existing = None
            cluster = existing.agreeing_with(nodes, port) if existing else cls._lay_out(folder, nodes, port)
            cluster._launch([node for node in cluster.nodes if cluster.pid(node.number) is None])
        return cluster

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """The cluster that was laid out in this folder, running or not."""
        folder = folder.resolve()
        try:
            return cls(folder, msgspec.json.decode((folder / "cluster.json").read_bytes(), type=Layout))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except msgspec.MsgspecError as error:
            raise BrokerError(f"{folder / 'cluster.json'} cannot be read ({error}): remove the folder") from None

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap.servers."""
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    @property
    def pids(self) -> dict[int, int]:
        """Process ids of the running nodes, by node number."""
        found = {node.number: self.pid(node.number) for node in self.nodes}
        return {number: pid for number, pid in found.items() if pid is not None}

    def pid(self, number: int) -> int | None:
        """None where the node does not run, also where its pid file names a process that is not this node."""
        pid = self._recorded_pid(number)
        ours = {"kafka.Kafka", str(self._home(number) / "server.properties")}
        return pid if pid is not None and ours <= arguments(pid) else None

    def status(self) -> list[NodeStatus]:
        return [self._status(node) for node in self.nodes]

    def start_node(self, number: int) -> None:
        """Starts one node and waits until it lists all that run; nothing to do where it runs already."""
        node = self._node(number)
        with _locked(self.folder):
            if self.pid(number) is None:
                self._launch([node])

    def kill(self, number: int) -> None:
        """SIGKILL, like a crash; returns when the process is gone."""
        self._node(number)
        pid = self.pid(number)
        if pid is None:
            other = self._recorded_pid(number)
            left = f" (its pid file names process {other}, which is not this node: left alone)" if other else ""
            raise BrokerError(f"node {number} is not running{left}: `postroad broker start` starts it")

        end([pid], signal.SIGKILL, GRACE_SECONDS)
        self._pid_file(number).unlink(missing_ok=True)

    def stop(self, grace: float = GRACE_SECONDS) -> list[int]:
        """Ends all running nodes, by SIGKILL those that take longer than `grace` seconds; returns their numbers."""
        running = self.pids
        late = end(running.values(), signal.SIGTERM, grace)  # all at once: the last alone would wait for a quorum
        if stuck := end(late, signal.SIGKILL, GRACE_SECONDS):
            raise BrokerError(f"processes {stuck} do not end even by SIGKILL: look at the disk under {self.folder}")
        for number in running:
            self._pid_file(number).unlink(missing_ok=True)
        return sorted(running)

    def agreeing_with(self, nodes: int | None, port: int | None) -> Self:
        """Itself, where its layout is what is asked for."""
        first = self.nodes[0].port
        if nodes not in (None, len(self.nodes)):
            raise BrokerError(f"{self.folder} holds a cluster of {len(self.nodes)}, not {nodes}: --fresh replaces it")
        if port not in (None, 0, first):
            raise BrokerError(f"{self.folder} holds a cluster on port {first}, not {port}: --fresh replaces it")
        return self

    @classmethod
    def _lay_out(cls, folder: Path, nodes: int | None, port: int | None) -> Self:
        count = 1 if nodes is None else nodes
        if count not in (1, 3):
            raise BrokerError(f"a cluster has 1 node or 3, not {count}")
        if others := sorted({path.name for path in folder.iterdir()} - {"lock", "cluster.json.new"}):
            raise BrokerError(f"{folder} holds other files ({others[0]}): give the broker a folder of its own")

        ports = ports_for(USUAL_PORT if port is None else port, count)
        layout = Layout(
            nodes=tuple(
                Node(number=i, port=own, controller_port=next_) for i, (own, next_) in enumerate(ports, start=1)
            )
        )
        written = folder / "cluster.json.new"
        written.write_bytes(msgspec.json.encode(layout))
        written.rename(folder / "cluster.json")
        return cls(folder, layout)

    def _forget(self) -> None:
        for node in self.nodes:
            shutil.rmtree(self._home(node.number), ignore_errors=True)
        (self.folder / "cluster.json").unlink(missing_ok=True)

    def _launch(self, nodes: list[Node]) -> None:
        if not nodes:
            return
        java, jars = find_java(), fetch()
        for node in nodes:
            require_free(node.port)
            require_free(node.controller_port)
            self._prepare(node, java, jars)
        spawned: list[int] = []
        try:
            for node in nodes:
                home = self._home(node.number)
                command = java_command(java, jars, home, ["kafka.Kafka", str(home / "server.properties")])
                spawned.append(spawn(command, home / "server.log"))
                self._pid_file(node.number).write_text(f"{spawned[-1]}\n", "ascii")
            self._wait_until_ready(dict(zip(spawned, nodes, strict=True)))
        except BaseException:  # also when interrupted: a start leaves nothing half done
            end(filter(runs, spawned), signal.SIGKILL, GRACE_SECONDS)
            raise

    def _prepare(self, node: Node, java: Path, jars: Path) -> None:
        home = self._home(node.number)
        home.mkdir(exist_ok=True)
        settings = home / "server.properties"
        settings.write_text(settings_of(node, self.nodes, home), "ascii")
        (home / "log4j2.properties").write_text(LOG_SETTINGS, "ascii")
        if (home / "data" / "meta.properties").exists():
            return

        program = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(settings)]
        command = java_command(java, jars, home, program, heap="64m")
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BrokerError(
                f"the storage of node {node.number} cannot be formatted: {_fault(run.stderr + run.stdout)}"
            )

    def _wait_until_ready(self, spawned: dict[int, Node]) -> None:
        """A restarted node must list all that run, those that ran before it too; a node that is down is not awaited."""
        deadline = time.monotonic() + READY_SECONDS
        for pid, node in spawned.items():
            log = self._home(node.number) / "server.log"
            while not {node.number, *self.pids} <= brokers_listed(node.port):
                if not runs(pid):
                    fault = _fault(log.read_text("utf-8", "replace"))
                    raise BrokerError(f"node {node.number} ended while starting: {fault} (more in {log})")
                if time.monotonic() > deadline:
                    raise BrokerError(f"node {node.number} was not ready within {READY_SECONDS:.0f} s: see {log}")
                time.sleep(0.1)

    def _status(self, node: Node) -> NodeStatus:
        pid = self.pid(node.number)
        ready = pid is not None and node.number in brokers_listed(node.port)
        return NodeStatus(
            node=node.number,
            port=node.port,
            pid=pid,
            ready=ready,
            resident_mb=None if pid is None else resident_mb(pid),
        )

    def _node(self, number: int) -> Node:
        for node in self.nodes:
            if node.number == number:
                return node
        raise BrokerError(f"there is no node {number}: the cluster has {len(self.nodes)}")

    def _recorded_pid(self, number: int) -> int | None:
        try:
            return int(self._pid_file(number).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def _home(self, number: int) -> Path:
        return self.folder / f"n{number}"

    def _pid_file(self, number: int) -> Path:
        return self._home(number) / "pid"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two starts at once would both find the nodes not running."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fault(log: str) -> str:
    """The line of Kafka's log that is likeliest to say why: the last cause, else the last complaint."""
    lines = log.strip().splitlines() or ["it said nothing"]
    causes = [line for line in lines if re.match(r"(Caused by: )?[\w.$]+(Exception|Error): ", line)]
    complaints = [line for line in lines if re.search(r"\b(ERROR|FATAL)\b", line)]
    return [*lines, *complaints, *causes][-1].strip()
