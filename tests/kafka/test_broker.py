"""The development broker, on real processes: what it keeps, what it survives, and what it refuses."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from postroad.runtime.broker import Cluster, Layout
from postroad.runtime.broker_files import BrokerError
from postroad.runtime.broker_files.loopback import brokers_listed, free_ports
from postroad.runtime.broker_files.node_settings import Node, settings_of
from tests.support.broker import coordinator_of, create_topic, leader_of


async def publish(bootstrap: str, topic: str, value: bytes) -> None:
    """Returns when the record is acknowledged by all replicas in sync."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def values_in(bootstrap: str, topic: str) -> list[bytes]:
    # Not seek_to_beginning: the first reset of a new assignment, to the end by default, may overtake it.
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


def laid_out(folder: Path, port: int = 9092) -> Cluster:
    """A cluster of one that never ran."""
    (folder / "n1").mkdir(parents=True)
    layout = Layout(nodes=(Node(number=1, port=port, controller_port=port + 1),))
    (folder / "cluster.json").write_bytes(msgspec.json.encode(layout))
    cluster = Cluster.open(folder)
    assert cluster is not None
    return cluster


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.broker
class TestOneNode:
    async def test_keeps_an_acknowledged_record_over_kill_restart_and_stop(self, tmp_path: Path) -> None:
        cluster = Cluster.start(tmp_path / "a broker of my own")
        try:
            await create_topic(cluster.bootstrap, "mail.received")
            await publish(cluster.bootstrap, "mail.received", b"before the crash")

            first = cluster.pids[1]
            cluster.kill(1)
            assert cluster.pids == {}
            assert brokers_listed(cluster.nodes[0].port) == frozenset()

            cluster.start_node(1)
            assert cluster.pids[1] != first
            await publish(cluster.bootstrap, "mail.received", b"after the crash")

            assert cluster.stop() == [1]
            again = Cluster.start(cluster.folder)
            assert again.bootstrap == cluster.bootstrap
            assert await values_in(again.bootstrap, "mail.received") == [b"before the crash", b"after the crash"]
        finally:
            cluster.stop()

    async def test_begins_anew_when_asked(self, tmp_path: Path) -> None:
        cluster = Cluster.start(tmp_path)
        try:
            await create_topic(cluster.bootstrap, "mail.received")
            old = cluster.pids[1]
            cluster = Cluster.start(tmp_path, fresh=True)
            await create_topic(cluster.bootstrap, "mail.received")  # fails where it exists
            assert cluster.pids[1] != old
        finally:
            cluster.stop()

    def test_is_started_once(self, broker: Cluster) -> None:
        before = broker.pids
        again = Cluster.start(broker.folder)
        again.start_node(1)
        assert again.pids == before
        assert again.bootstrap == broker.bootstrap

    def test_tells_its_state(self, broker: Cluster) -> None:
        (node,) = broker.status()
        assert (node.node, node.port, node.pid, node.ready) == (1, broker.nodes[0].port, broker.pids[1], True)
        assert node.resident_mb is not None
        assert 50 < node.resident_mb < 1000

    def test_that_cannot_start_says_why_and_leaves_nothing_running(self, tmp_path: Path) -> None:
        (port,) = free_ports(1)
        cluster = laid_out(tmp_path, port)
        (tmp_path / "n1" / "data").mkdir()
        (tmp_path / "n1" / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
        with pytest.raises(BrokerError, match=r"node 1 ended while starting: .*node id 7 .*server\.log"):
            cluster.start_node(1)
        assert cluster.pids == {}


@pytest.mark.broker
class TestThreeNodes:
    async def test_lose_no_acknowledged_record_with_their_leader(self, three_nodes: Cluster) -> None:
        bootstrap = three_nodes.bootstrap
        await create_topic(bootstrap, "survives", copies=3)
        await publish(bootstrap, "survives", b"acknowledged")
        leader = await leader_of(bootstrap, "survives")

        three_nodes.kill(leader)
        try:
            assert await leader_of(bootstrap, "survives", other_than=leader) in three_nodes.pids
            await publish(bootstrap, "survives", b"by two")
            assert [node.ready for node in three_nodes.status()] == [n != leader for n in (1, 2, 3)]
        finally:
            three_nodes.start_node(leader)

        assert [node.ready for node in three_nodes.status()] == [True] * 3
        assert await values_in(bootstrap, "survives") == [b"acknowledged", b"by two"]

    async def test_move_a_group_away_from_a_dead_coordinator(self, three_nodes: Cluster) -> None:
        coordinator = await coordinator_of(three_nodes.bootstrap, "a group")
        three_nodes.kill(coordinator)
        try:
            moved = await coordinator_of(three_nodes.bootstrap, "a group", other_than=coordinator)
            assert moved in three_nodes.pids
        finally:
            assert set(Cluster.start(three_nodes.folder).pids) == {1, 2, 3}


class TestForeignProcess:
    """A pid file may name anything after a reboot; only what runs this node's own settings is signalled."""

    def test_is_left_alone(self, tmp_path: Path, bystander: subprocess.Popen[bytes]) -> None:
        cluster = laid_out(tmp_path)
        (tmp_path / "n1" / "pid").write_text(f"{bystander.pid}\n")
        self.refuses(cluster, bystander.pid)
        assert bystander.poll() is None

    @pytest.mark.broker
    def test_is_left_alone_though_it_is_a_kafka(self, tmp_path: Path, broker: Cluster) -> None:
        cluster = laid_out(tmp_path)
        (tmp_path / "n1" / "pid").write_text(f"{broker.pids[1]}\n")
        self.refuses(cluster, broker.pids[1])
        assert broker.status()[0].ready

    @staticmethod
    def refuses(cluster: Cluster, pid: int) -> None:
        assert cluster.pids == {}
        assert cluster.stop() == []
        with pytest.raises(BrokerError, match=rf"node 1 is not running .*process {pid}, .* left alone"):
            cluster.kill(1)

    @pytest.mark.parametrize(
        "text", [pytest.param("", id="empty"), pytest.param("-1", id="all processes"), "0", "many"]
    )
    def test_is_not_what_a_spoilt_pid_file_names(self, tmp_path: Path, text: str) -> None:
        cluster = laid_out(tmp_path)
        (tmp_path / "n1" / "pid").write_text(text)
        assert cluster.pids == {}
        assert cluster.stop() == []


class TestLayout:
    @pytest.mark.parametrize(
        ("nodes", "port", "words"),
        [
            pytest.param(3, None, "holds a cluster of 1, not 3: --fresh replaces it", id="other number of nodes"),
            pytest.param(None, 9999, "holds a cluster on port 9092, not 9999", id="other port"),
        ],
    )
    def test_is_not_changed_in_passing(self, tmp_path: Path, nodes: int | None, port: int | None, words: str) -> None:
        laid_out(tmp_path)
        with pytest.raises(BrokerError, match=words):
            Cluster.start(tmp_path, nodes, port)

    @pytest.mark.parametrize(
        ("nodes", "port", "words"),
        [
            pytest.param(2, 0, "1 node or 3, not 2", id="two nodes have no majority"),
            pytest.param(0, 0, "1 node or 3, not 0", id="no node"),
            pytest.param(3, 65500, "the port must be 1 to 65431", id="the controllers' ports would be too high"),
            pytest.param(1, -1, "the port must be 1 to 65433", id="no port at all"),
        ],
    )
    def test_is_refused(self, tmp_path: Path, nodes: int, port: int, words: str) -> None:
        with pytest.raises(BrokerError, match=words):
            Cluster.start(tmp_path, nodes, port)
        assert Cluster.open(tmp_path) is None

    @pytest.mark.parametrize("fresh", [False, True])
    def test_needs_a_folder_of_its_own(self, tmp_path: Path, fresh: bool) -> None:
        (tmp_path / "thesis.txt").write_text("precious")
        with pytest.raises(BrokerError, match=r"holds other files \(thesis.txt\)"):
            Cluster.start(tmp_path, fresh=fresh)
        assert (tmp_path / "thesis.txt").read_text() == "precious"

    def test_needs_free_ports(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(BrokerError, match=rf"port {port} cannot be used .*--port 0"):
                laid_out(tmp_path, port).start_node(1)

    def test_that_cannot_be_read_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "cluster.json").write_text('{"nodes": 3}')
        with pytest.raises(BrokerError, match=r"cluster\.json cannot be read"):
            Cluster.open(tmp_path)

    @pytest.mark.parametrize(("count", "copies", "in_sync"), [(1, 1, 1), (3, 3, 2)])
    def test_gives_as_many_copies_as_there_are_nodes(self, count: int, copies: int, in_sync: int) -> None:
        nodes = [Node(number=i, port=i, controller_port=10 + i) for i in range(1, count + 1)]
        settings = dict(line.split("=", 1) for line in settings_of(nodes[0], nodes, Path("/ü")).splitlines())
        replication = {key: value for key, value in settings.items() if key.endswith("replication.factor")}
        assert set(replication.values()) == {str(copies)}
        assert {value for key, value in settings.items() if "min.i" in key} == {str(in_sync)}
        assert settings["listeners"].count("//127.0.0.1:") == 2
        assert settings["log.dirs"] == "/\\u00fc/data"


class TestReadiness:
    @pytest.mark.parametrize(
        ("reply", "listed"),
        [
            pytest.param(None, set(), id="an open port that says nothing"),
            pytest.param(b"", set(), id="closes at once"),
            pytest.param(b"220 mail.example ESMTP\r\n", set(), id="another protocol"),
            pytest.param(struct.pack(">iii", 8, 1, 0), set(), id="no broker yet"),
            pytest.param(struct.pack(">iii", 8, 1, 5), set(), id="cut short"),
            pytest.param(
                struct.pack(">iiiih3sihih3sih2si", 44, 1, 2, 1, 3, b"one", 9, -1, 2, 3, b"two", 9, 2, b"r2", 1),
                {1, 2},
                id="two brokers, one in a rack",
            ),
        ],
    )
    def test_is_a_metadata_reply(self, reply: bytes | None, listed: set[int]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            done = threading.Event()

            def answer() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    if reply is None:
                        done.wait(60)
                    else:
                        connection.sendall(reply)

            thread = threading.Thread(target=answer)
            thread.start()
            try:
                assert brokers_listed(server.getsockname()[1], patience=0.5) == listed
            finally:
                done.set()
                thread.join()


@pytest.mark.broker
@pytest.mark.slow
def test_a_node_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    cluster = Cluster.start(tmp_path)
    pid = cluster.pids[1]
    os.kill(pid, signal.SIGSTOP)
    assert cluster.stop(grace=1.0) == [1]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
