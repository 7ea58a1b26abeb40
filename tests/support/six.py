"""The six workers as six processes on a real broker, with the means to kill them and to see what they did."""

import asyncio
import contextlib
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer

from postroad.runtime.broker import Cluster
from postroad.runtime.broker_files.loopback import free_ports
from postroad.runtime.config import Config, Kafka
from postroad.runtime.kafka.workers import load_all
from postroad.runtime.reach import KafkaReach
from postroad_schemas import record
from tests.support.kafka import fresh_topics

WORKERS = ("routing", "loop_guard", "bounces", "fanout", "dispatch", "ingest")
COMMAND = (sys.executable, "-c", "from postroad.cli.main import main; main()")
DECLARED = """
[[domain]]
name = "example.com"
company = "Example"
default = true
[[alias]]
address = "sales@example.com"
record_type = "crm.lead"
[[contact]]
id = "1"
address = "mary@example.com"
name = "Mary"
kind = "internal"
"""


S = TypeVar("S", bound="Six")


class Six:
    """Six processes. `start` and `kill` by the worker's name. `beside`: others on the same topics and store.

    `path` is the PYTHONPATH of another version's code, `session` the seconds after which a silent member is put out.
    """

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        relay_port: int,
        replication: int = 1,
        *,
        session: float = 3.0,
        path: str = "",
        beside: "Six | None" = None,
    ) -> None:
        self.folder, self.bootstrap = folder, bootstrap
        self.path = path
        store = (beside or self).folder / "objects"
        self.port = free_ports(1)[0]
        self.settings = folder / "postroad.toml"
        self.settings.write_text(
            f'[store]\nurl = "file:{store}"\n[smtp]\nport = {self.port}\nhostname = "mx.example.com"\n'
            f'[kafka]\nbootstrap = "{bootstrap}"\npartitions = 4\nreplication = {replication}\n'
            f'session = {session}\nrebalance = 10.0\n[relay]\nhost = "127.0.0.1"\nport = {relay_port}\n'
            f'[parameters]\n"mail.daily.limit" = 0\n{DECLARED}'
        )
        key = folder / "signing.key"
        key.write_text("a key of the tests, long enough to sign with")
        with self.settings.open("a") as file:
            file.write(f'[[signing_key]]\nkey_id = "a"\nsecret = "file:{key}"\n')
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": self.path} if self.path else {**os.environ}

    def postroad(self, *words: str) -> str:
        """A command to its end; its standard output."""
        command = (*COMMAND, *words)
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def start(self, name: str) -> None:
        self.launch(name, "worker", name, "--config", str(self.settings))

    def launch(self, name: str, *words: str) -> None:
        """A command that goes on, under a name; what it says is its log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                (*COMMAND, *words), env=self._environment(), stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        """kill -9, and nobody there until `start`."""
        self._processes[name].send_signal(signal.SIGKILL)
        self._processes[name].wait()

    def terminate(self, name: str) -> int:
        """SIGTERM; its exit code."""
        self._processes[name].send_signal(signal.SIGTERM)
        return self.wait(name, 15)

    def wait(self, name: str, seconds: float = 60) -> int:
        """Until it has ended; its exit code."""
        return self._processes[name].wait(seconds)

    def wait_for_door(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise TimeoutError(self.logs())

    def logs(self) -> str:
        return "\n".join(f"{name}: {self.log(name)[-1500:]}" for name in WORKERS)

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def events(self, topic: str) -> list[Any]:
        """Everything on a topic now; what was written twice appears once."""
        kafka = Kafka(bootstrap=self.bootstrap)
        found = {}
        for seen in KafkaReach(Config(kafka=kafka)).records(topic):
            if seen.event is not None:
                found[getattr(seen.event, "event_id", seen.key)] = seen.event
        return list(found.values())

    def publish(self, *events: Any) -> None:
        """As any app would, with its own Kafka client."""
        asyncio.run(self._publish(events))

    async def _publish(self, events: tuple[Any, ...]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True) as producer:
            for event in events:
                topic, key, value, headers = record(event)
                await producer.send_and_wait(topic, value, key=key, headers=list(headers))

    def send(
        self, number: int, text: str = "Hello", to: str = "sales@example.com", sender: str = "", **fields: str
    ) -> str:
        """One mail over SMTP, again and again until it is answered 250, as a real sender would. Its Message-ID."""
        message_id = f"<{number}@customer.example>"
        sender = sender or f"anna{number}@customer.example"
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        raw = (
            f"From: {sender}\r\nTo: {to}\r\nMessage-ID: {message_id}\r\nSubject: Mail {number}\r\n{more}\r\n{text}\r\n"
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
                    client.sendmail(sender, [to], raw)
                    return message_id
            except (OSError, smtplib.SMTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


@contextlib.contextmanager
def six(
    folder: Path, bootstrap: str, relay_port: int, replication: int = 1, workers: Sequence[str] = WORKERS
) -> Iterator[Six]:
    """All six up, or some of them; topics made, the directory declared."""
    with ended(Six(folder, bootstrap, relay_port, replication)) as made:
        made.postroad("topics", "apply", "--config", str(made.settings))
        for name in workers:
            made.start(name)
        if "ingest" in workers:
            made.wait_for_door()
        made.postroad("apply", str(made.settings))
        yield made


@contextlib.contextmanager
def ended(made: S) -> Iterator[S]:
    """None of its processes is left behind."""
    try:
        yield made
    finally:
        for process in made._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in made._processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def some(folder: Path, broker: Cluster, *workers: str) -> Iterator[Six]:
    """These workers on a broker that others used before: its topics are made anew."""
    kafka = Kafka(bootstrap=broker.bootstrap, partitions=4, replication=1)
    asyncio.run(fresh_topics(kafka, *load_all(Config())))
    with six(folder, broker.bootstrap, relay_port=1, workers=workers) as made:
        yield made


def until(what: str, found: Any, seconds: float = 60.0) -> Any:
    """Asks again and again until there is something. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.2)
    raise TimeoutError(what)
