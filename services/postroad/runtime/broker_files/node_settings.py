"""The settings of one node, and the Java command that runs one of Kafka's programs with them."""

import base64
from collections.abc import Sequence
from pathlib import Path

import msgspec

from postroad.runtime.broker_files.loopback import HOST

CLUSTER_ID = base64.urlsafe_b64encode(b"postroad-develop")[:22].decode()
HEAP = "256m"
LOG_SETTINGS = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %-5p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One process, broker and controller in one; its number is Kafka's node.id."""

    number: int
    port: int
    controller_port: int


def settings_of(node: Node, nodes: Sequence[Node], home: Path) -> str:
    """`server.properties`: as safe as Kafka gets with so many nodes, and quick to notice that one of them died."""
    copies = len(nodes)
    must_have = max(1, copies - 1)
    settings: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": ",".join(f"{n.number}@{HOST}:{n.controller_port}" for n in nodes),
        "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{node.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": _escaped(home / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": must_have,
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": must_have,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": must_have,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # A killed node may come back only when its session is over, 9 s by default: also where it is the only one.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "controller.quorum.election.timeout.ms": 1000,
        "controller.quorum.fetch.timeout.ms": 2000,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "log.cleaner.dedupe.buffer.size": 8 << 20,
        "log.cleaner.backoff.ms": 500,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def java_command(java: Path, jars: Path, home: Path, program: Sequence[str], heap: str = HEAP) -> list[str]:
    """A small heap and a quick start matter here, not throughput."""
    machine = [f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
    quiet = ["-XX:-UsePerfData", "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}"]
    return [str(java), *machine, *quiet, "-cp", f"{jars}/*", *program]


def _escaped(path: Path) -> str:
    """As java.util.Properties reads it: Latin-1, backslashes escape."""
    return "".join(c if c.isascii() and c != "\\" else f"\\u{ord(c):04x}" for c in str(path))
