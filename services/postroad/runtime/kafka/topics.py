"""The catalogue against a cluster: what is missing or different, and making it so."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from postroad.runtime.config import Kafka
from postroad.runtime.kafka import settings, trouble
from postroad.runtime.words import counted
from postroad.runtime.worker import Unavailable, Worker
from postroad.stage import Sender, Stage
from postroad_schemas.topics import SINGLE, TOPICS, WORKERS

ORDERED = frozenset({"directory"})  # tables of one partition: readers see the rows in the order of the gate
DEAD_FOR = timedelta(days=90)
TOMBSTONES_FOR = timedelta(days=7)  # longer than any reader may be away
BIG_DEAD = "2000000"  # bytes: the largest event with the headers of a dead letter
BIG_STATES = "9000000"  # bytes: the largest batch of a changelog
OVERRIDE = 1  # config_source of describe_configs: set on the topic itself

Core = Stage[Any] | Sender[Any, Any, Any]
COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": str(int(TOMBSTONES_FOR.total_seconds() * 1000)),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it must be."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as it is. `overrides` were set on the topic, `settings` are all that hold."""

    partitions: int
    replication: int
    settings: Mapping[str, str]
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one topic; `refused` says why it is not done here."""

    topic: Wanted
    words: str
    create: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)  # all overrides that shall hold
    refused: bool = False


def runner_of(core: Stage[Any], kafka: Kafka) -> str:
    """ "faust" or "kafka": the settings' word, else windows over time on Faust."""
    return kafka.runner.get(core.name) or ("faust" if core.windowed else "kafka")


def changelog_of(core: Core, kafka: Kafka) -> str:
    """Where the state of a stage or sender is, on the runner it has."""
    if isinstance(core, Sender):
        return core.changelog or f"{core.name}.changelog"
    return f"{core.name}.faust" if runner_of(core, kafka) == "faust" else f"{core.name}.changelog"


def wanted(kafka: Kafka, workers: Sequence[Worker]) -> tuple[Wanted, ...]:
    """Every topic of the catalogue, dead letters, and the changelogs of these workers' stages and senders."""
    safe = {"min.insync.replicas": str(max(1, kafka.replication - 1))}
    dead = {"cleanup.policy": "delete", "retention.ms": _ms(DEAD_FOR), "max.message.bytes": BIG_DEAD}
    changelog = {**COMPACTED, "segment.ms": _ms(timedelta(hours=1)), "max.message.bytes": BIG_STATES}
    found = []
    for topic in TOPICS.values():
        kept = {"cleanup.policy": "delete", "retention.ms": _ms(topic.retention)}
        own = {**COMPACTED, "segment.ms": _ms(timedelta(days=1))} if topic.table else kept
        found.append(Wanted(topic.name, partitions_of(topic.name, kafka), kafka.replication, {**own, **safe}))
    names = dict.fromkeys((*WORKERS, *(worker.name for worker in workers)))
    found += (Wanted(f"{name}.dead", kafka.partitions, kafka.replication, {**dead, **safe}) for name in names)
    for worker in workers:
        for core in cores_of(worker):
            count = partitions_of(core.reads[0], kafka)
            found.append(Wanted(changelog_of(core, kafka), count, kafka.replication, {**changelog, **safe}))
    return tuple(found)


def cores_of(worker: Worker) -> tuple[Core, ...]:
    """Its stages and its senders."""
    return (*worker.stages, *(sending.sender for sending in worker.sendings))


def partitions_of(topic: str, kafka: Kafka) -> int:
    return 1 if TOPICS[topic].group in SINGLE or topic in ORDERED else kafka.partitions


def changes(topics: Iterable[Wanted], existing: Mapping[str, Existing]) -> tuple[Change, ...]:
    """What must be done so that the cluster is as wanted."""
    return tuple(change for topic in topics for change in _changes(topic, existing.get(topic.name)))


def _changes(topic: Wanted, found: Existing | None) -> Iterable[Change]:
    if found is None:
        words = f"create with {counted(topic.partitions, 'partition')}, {counted(topic.replication, 'copy', 'copies')}"
        yield Change(topic, words, create=True, settings=topic.settings)
        return
    if found.partitions != topic.partitions:
        words = (
            f"has {counted(found.partitions, 'partition')}, not {topic.partitions}: keys would move away from "
            f"their state; give --partitions {found.partitions}, or move to a new set of topics"
        )
        yield Change(topic, words, refused=True)
    if found.replication != topic.replication:
        words = (
            f"has {counted(found.replication, 'copy', 'copies')}, not {topic.replication}: "
            "move them with kafka-reassign-partitions.sh, or give --replication as it is"
        )
        yield Change(topic, words, refused=True)
    different = {name: value for name, value in topic.settings.items() if found.settings.get(name) != value}
    if different:
        words = ", ".join(f"{name} {found.settings.get(name)} -> {value}" for name, value in different.items())
        yield Change(topic, f"set {words}", settings={**found.overrides, **topic.settings})


async def missing(kafka: Kafka, names: Iterable[str]) -> tuple[str, ...]:
    """Which of these topics do not exist. Raises Unavailable."""
    async with _admin(kafka) as admin:
        present = set(await admin.list_topics())
    return tuple(name for name in dict.fromkeys(names) if name not in present)


async def nodes(kafka: Kafka) -> int:
    """How many brokers the cluster has now. Raises Unavailable."""
    async with _admin(kafka) as admin:
        return len((await admin.describe_cluster())["brokers"])


async def partitions(kafka: Kafka, names: Iterable[str]) -> list[TopicPartition]:
    """All partitions of these topics. Raises Unavailable, LookupError for a topic that does not exist."""
    asked = sorted(set(names))
    async with _admin(kafka) as admin:
        described = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(asked)}
    if absent := [name for name in asked if not described.get(name)]:
        raise LookupError(f"there is no topic {', '.join(absent)}: run `postroad topics apply`")
    return [TopicPartition(name, part["partition"]) for name in asked for part in described[name]]


async def look(kafka: Kafka, topics: Sequence[Wanted]) -> dict[str, Existing]:
    """Those of the topics that exist, as they are. Raises Unavailable."""
    async with _admin(kafka) as admin:
        names = set(await admin.list_topics()) & {topic.name for topic in topics}
        if not names:
            return {}
        described = await admin.describe_topics(sorted(names))
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(names)]
        held: dict[str, dict[str, tuple[str, int]]] = {}
        for answer in await admin.describe_configs(resources):
            for resource in answer.to_object()["resources"]:
                entries = resource["config_entries"]
                held[resource["resource_name"]] = {
                    entry["config_names"]: (entry["config_value"], entry["config_source"]) for entry in entries
                }
    return {
        topic["topic"]: Existing(
            len(topic["partitions"]),
            min(len(part["replicas"]) for part in topic["partitions"]),
            {name: value for name, (value, _) in held[topic["topic"]].items()},
            {name: value for name, (value, source) in held[topic["topic"]].items() if source == OVERRIDE},
        )
        for topic in described
    }


async def apply(kafka: Kafka, plan: Iterable[Change]) -> None:
    """Does all of the plan that is not refused; the brokers know of new topics on return.

    Raises Unavailable, and ValueError with the broker's words.
    """
    doable = [change for change in plan if not change.refused]
    new = [
        NewTopic(
            change.topic.name,
            change.topic.partitions,
            change.topic.replication,
            topic_configs=dict(change.topic.settings),
        )
        for change in doable
        if change.create
    ]
    altered = [
        ConfigResource(ConfigResourceType.TOPIC, change.topic.name, dict(change.settings))
        for change in doable
        if not change.create
    ]
    async with _admin(kafka) as admin:
        if new:
            answer = await admin.create_topics(new)
            for name, code, *words in answer.topic_errors:
                _raise_for(name, code, words)
            await _known(admin, {topic.name for topic in new})
        if altered:
            for answer in await admin.alter_configs(altered):
                for resource in answer.to_object()["resources"]:
                    _raise_for(resource["resource_name"], resource["error_code"], [resource["error_message"]])


async def _known(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """The controller has made them; the brokers hear of it a moment later."""
    for _ in range(100):
        if names <= set(await admin.list_topics()):
            return
        await asyncio.sleep(0.1)
    raise Unavailable(f"topics were made, but brokers do not know them: {', '.join(sorted(names)[:5])}")


def _raise_for(topic: str, code: int, words: Sequence[str | None]) -> None:
    error = for_code(code)
    if code and error.__name__ != "TopicAlreadyExistsError":  # another one applied at the same time
        said = " ".join(word for word in words if word) or trouble.words(error())
        fewer = error.__name__ == "InvalidReplicationFactorError"
        raise ValueError(
            f"{topic}: {said}" + ("; on fewer brokers give [kafka] replication, or --replication 1" if fewer else "")
        )


@asynccontextmanager
async def _admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = settings.admin(kafka)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as error:
        raise Unavailable(trouble.at(error, kafka)) from error
    finally:
        await admin.close()


def _ms(time: timedelta) -> str:
    return str(int(time.total_seconds() * 1000))
