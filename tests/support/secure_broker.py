"""A real Apache Kafka that speaks TLS and asks for a login; its plain listener is its own affair."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from postroad.runtime import broker
from postroad.runtime.broker import Cluster
from postroad.runtime.broker_files.loopback import HOST, free_ports
from postroad.runtime.broker_files.node_settings import Node, java_command, settings_of
from tests.support.smtp_sink import make_certificate

USER, PASSWORD = "postroad", "not-to-be-told"
GUARDED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}


@dataclass(frozen=True)
class Secure:
    bootstrap: str  # of the listener with TLS and login
    ca_file: Path
    plain: str  # of the listener that asks nobody who they are


@contextmanager
def secure_broker(folder: Path, users: Sequence[str] = (USER,), guarded: bool = False) -> Iterator[Secure]:
    """All users have one password. `guarded`: access rules hold, but not for who comes in plain."""
    made = make_certificate(folder)
    both = folder / "both.pem"
    both.write_bytes(made.key_file.read_bytes() + made.ca_file.read_bytes())
    (port,) = free_ports(1)
    login = "org.apache.kafka.common.security"
    more = {
        "listeners": f"PLAINTEXT://{HOST}:%(port)s,CONTROLLER://{HOST}:%(controller)s,SASL_SSL://{HOST}:{port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:%(port)s,SASL_SSL://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(both),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            f'{login}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
        **(GUARDED if guarded else {}),
    }

    def secured(node: Node, nodes: Sequence[Node], home: Path) -> str:
        ports = {"port": node.port, "controller": node.controller_port}
        lines = "".join(f"{key}={text % ports if '%(' in text else text}\n" for key, text in more.items())
        return settings_of(node, nodes, home) + lines  # the later line of a key counts

    def with_user(java: Path, jars: Path, home: Path, program: Sequence[str], **more: str) -> list[str]:
        words = [word for user in users for word in ("-S", f"SCRAM-SHA-512=[name={user},password={PASSWORD}]")]
        return java_command(java, jars, home, [*program, *(words if "format" in program else [])], **more)

    with patch.object(broker, "settings_of", secured), patch.object(broker, "java_command", with_user):
        cluster = Cluster.start(folder / "broker", 1)
    try:
        yield Secure(f"{HOST}:{port}", made.ca_file, cluster.bootstrap)
    finally:
        cluster.stop(grace=1.0)
