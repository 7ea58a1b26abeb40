"""Every setting of the Kafka clients, in one place. What they were measured against: services/README.md."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ProducerFenced

from postroad.runtime.config import Kafka

log = structlog.get_logger("postroad.kafka")
BATCH_BYTES = 256 * 1024  # of ordinary records
CHANGELOG_BYTES = 1_900_000  # of one batch of state and position; the changelogs' max.message.bytes is above it
REQUEST_BYTES = 4 * 1024 * 1024
FETCH_BYTES = 2 * 1024 * 1024  # a partition and answer; not below the largest batch of a changelog
POLL_SECONDS = 600.0
STOP_SECONDS = 2.0


def producer(kafka: Kafka, name: str, batch_bytes: int = BATCH_BYTES) -> AIOKafkaProducer:
    """Idempotent, acknowledged by all; no linger, because what is in flight together is batched anyway."""
    return AIOKafkaProducer(
        bootstrap_servers=servers(kafka),
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
        bootstrap_servers=servers(kafka),
        client_id=name,
        group_id=group,
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
        bootstrap_servers=servers(kafka),
        client_id=name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * FETCH_BYTES,
        fetch_max_bytes=32 * 1024 * 1024,
    )


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
