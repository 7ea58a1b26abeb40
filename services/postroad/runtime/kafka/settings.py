"""Every setting of the Kafka clients, in one place. What they were measured against: services/README.md."""

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ProducerFenced

from postroad.runtime.config import ConfigError, Kafka, secret

log = structlog.get_logger("postroad.kafka")
BATCH_BYTES = 256 * 1024  # of ordinary records
CHANGELOG_BYTES = 8_900_000  # of one batch of state and position; the changelogs' max.message.bytes is above it
REQUEST_BYTES = 10 * 1024 * 1024  # above the largest batch
FETCH_BYTES = 2 * 1024 * 1024  # a partition and answer; of a larger batch the broker gives the whole all the same
POLL_SECONDS = 600.0
STOP_SECONDS = 2.0


def producer(kafka: Kafka, name: str, batch_bytes: int = BATCH_BYTES) -> AIOKafkaProducer:
    """Idempotent, acknowledged by all; no linger, because what is in flight together is batched anyway."""
    return AIOKafkaProducer(
        **connection(kafka),
        client_id=name,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=batch_bytes,
        max_request_size=REQUEST_BYTES,
        request_timeout_ms=_ms(kafka.request),
    )


def member(kafka: Kafka, name: str, group: str) -> AIOKafkaConsumer:
    """A consumer in a group. Ranges give one member the same partitions of all topics, as a state per key needs."""
    return AIOKafkaConsumer(
        **connection(kafka),
        client_id=name,
        group_id=group,
        group_instance_id=instance(kafka) or None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=_ms(kafka.session),
        heartbeat_interval_ms=max(300, _ms(kafka.session) // 6),
        rebalance_timeout_ms=_ms(kafka.rebalance),
        max_poll_interval_ms=_ms(POLL_SECONDS),
        max_partition_fetch_bytes=FETCH_BYTES,
        request_timeout_ms=max(40_000, _ms(kafka.session)),
    )


def reader(kafka: Kafka, name: str) -> AIOKafkaConsumer:
    """A consumer without group, for changelogs and tables."""
    return AIOKafkaConsumer(
        **connection(kafka),
        client_id=name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * FETCH_BYTES,
        fetch_max_bytes=32 * 1024 * 1024,
    )


def admin(kafka: Kafka, request: float = 30.0) -> AIOKafkaAdminClient:
    """For questions about topics and groups, and for making topics."""
    return AIOKafkaAdminClient(**connection(kafka), request_timeout_ms=_ms(request))


class Sasl(NamedTuple):
    mechanism: str
    username: str
    password: str


def connection(kafka: Kafka) -> dict[str, Any]:
    """How any client reaches the brokers, and who it is to them. Raises ConfigError."""
    context, login = tls_context(kafka), sasl(kafka)
    found: dict[str, Any] = {
        "bootstrap_servers": servers(kafka),
        "security_protocol": f"{'SASL_' if login else ''}{'SSL' if context else 'PLAINTEXT'}",
    }
    if context is not None:
        found["ssl_context"] = context
    if login is not None:
        found["sasl_mechanism"] = login.mechanism
        found["sasl_plain_username"], found["sasl_plain_password"] = login.username, login.password
    return found


def tls_context(kafka: Kafka) -> ssl.SSLContext | None:
    """Raises ConfigError for files that cannot be used, or would not be."""
    files = {"ca_file": kafka.ca_file, "certificate": kafka.certificate, "key": kafka.key}
    named = " and ".join(name for name, path in files.items() if path)
    if named and not kafka.tls:
        raise ConfigError(f"[kafka] {named} without tls: set tls = true, or leave {named} out")
    if kafka.key and not kafka.certificate:
        raise ConfigError("[kafka] key without certificate: name the PEM file of the certificate too")
    if not kafka.tls:
        return None
    return _context(kafka.ca_file, kafka.certificate, kafka.key)


@cache
def _context(ca_file: str, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except OSError as error:  # ssl.SSLError is one too
        named = ", ".join(filter(None, (ca_file, certificate, key)))
        raise ConfigError(f"[kafka] {named}: no PEM files that can be used ({error})") from error
    return context


def sasl(kafka: Kafka) -> Sasl | None:
    """Raises ConfigError for a password that cannot be had, or that would be sent in the clear."""
    if not kafka.sasl:
        return None
    if kafka.sasl == "PLAIN" and not kafka.tls:
        raise ConfigError("[kafka] sasl = PLAIN sends the password as it is: set tls = true, or use SCRAM-SHA-512")
    username, password = _named("username", kafka.username), secret(kafka.password)
    if not username or not kafka.password.startswith(("env:", "file:")):
        raise ConfigError('[kafka] sasl needs username, and password by reference: "env:NAME" or "file:PATH"')
    if not password:
        raise ConfigError(
            f"[kafka] password cannot be had: {kafka.password} is not set here, is empty, or cannot be read"
        )
    return Sasl(kafka.sasl, username, password.decode("utf-8", "surrogateescape"))


def instance(kafka: Kafka) -> str:
    """The name of this process in its groups, or nothing. Raises ConfigError."""
    return _named("instance", kafka.instance)


def _named(key: str, text: str) -> str:
    """What differs between processes of one file of settings is in their environment."""
    kind, _, name = text.partition(":")
    if kind != "env":
        return text
    if not os.environ.get(name):
        raise ConfigError(f"[kafka] {key}: the variable {name} is not set")
    return os.environ[name]


def guard(producer: AIOKafkaProducer, stale: Callable[[], bool]) -> None:
    """No request of this producer goes out while `stale` says so: what waits in it fails with ProducerFenced.

    A process that was frozen between its last check and the write would else put an old state over a newer one.
    """
    send = producer.client.send

    async def guarded(*request: Any, **more: Any) -> Any:
        if stale():
            raise ProducerFenced
        return await send(*request, **more)

    producer.client.send = guarded


async def close(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stops a client within seconds, whatever the broker does; what a producer still holds is dropped.

    What is not acknowledged by then was refused or given up: it must not be written later.
    """
    if isinstance(client, AIOKafkaProducer) and client._sender.sender_task is not None:
        client._sender.sender_task.cancel()
    try:
        await asyncio.wait_for(client.stop(), STOP_SECONDS)
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is us who are cancelled; otherwise the client let out that of its own tasks
        log.warning("client did not stop", error=f"{type(error).__name__}: {error}")


def group_of(kafka: Kafka, stage: str) -> str:
    return f"{kafka.prefix}.{stage}"


def servers(kafka: Kafka) -> Sequence[str]:
    return [server.strip() for server in kafka.bootstrap.split(",") if server.strip()]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
