"""A real Apache Kafka for the tests, and questions to it. Without Java the fixtures fail and say what to install."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from postroad.runtime.broker import Cluster

SETTLED_SECONDS = 90.0
NOBODY = -1


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One node, shared by all tests of the session: give topics and groups names of their own, and leave it running."""
    yield from _running(tmp_path_factory, nodes=1)


@pytest.fixture(scope="session")
def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes, shared: who kills one starts it again."""
    yield from _running(tmp_path_factory, nodes=3)


def _running(folders: pytest.TempPathFactory, nodes: int) -> Iterator[Cluster]:
    folder = folders.mktemp(f"broker-{nodes}-")
    cluster = Cluster.start(folder, nodes)
    yield cluster
    cluster.stop(grace=1.0)  # nothing of it is needed any more


async def create_topic(
    bootstrap: str, name: str, *, partitions: int = 1, copies: int = 1, settings: Mapping[str, str] | None = None
) -> None:
    """Returns when every partition has a leader. `settings` are the topic's own, such as cleanup.policy."""
    async with _admin(bootstrap) as admin:
        topic = NewTopic(name, partitions, copies, topic_configs=dict(settings or {}))
        reply = await admin.create_topics([topic])
    for _, code, message in reply.topic_errors:
        assert code == 0, f"{name}: error {code}, {message}"
    for partition in range(partitions):
        await leader_of(bootstrap, name, partition)


async def leader_of(bootstrap: str, topic: str, partition: int = 0, *, other_than: int | None = None) -> int:
    """The number of the node that leads the partition; waits for one that is `other_than` a node just killed."""

    async def ask(admin: AIOKafkaAdminClient) -> int:
        (found,) = await admin.describe_topics([topic])
        leaders = {int(part["partition"]): int(part["leader"]) for part in found["partitions"]}
        return leaders.get(partition, NOBODY)

    return await _answer(bootstrap, ask, other_than)


async def coordinator_of(bootstrap: str, group: str, *, other_than: int | None = None) -> int:
    """The number of the node that coordinates the group; the first question creates the offsets topic."""

    async def ask(admin: AIOKafkaAdminClient) -> int:
        return int(await admin.find_coordinator(group))

    return await _answer(bootstrap, ask, other_than)


async def _answer(bootstrap: str, ask: Callable[[AIOKafkaAdminClient], Awaitable[int]], other_than: int | None) -> int:
    """Asks until somebody is named; a node that is down, or does not know yet, is asked again."""
    async with asyncio.timeout(SETTLED_SECONDS):
        while True:
            try:
                async with _admin(bootstrap) as admin:
                    found = await ask(admin)
            except KafkaError as error:
                if not error.retriable:
                    raise
            else:
                if found not in (NOBODY, other_than):
                    return found
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
