"""The catalogue against a cluster: as a table, on a real broker, and as a command."""

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from postroad.cli.topics import app
from postroad.cli.worker import settings_of
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Config, ConfigError, Kafka
from postroad.runtime.kafka import topics
from postroad.runtime.kafka.topics import Existing, Wanted
from postroad.runtime.kafka.workers import load, load_all
from postroad.runtime.worker import Unavailable
from postroad_schemas import TOPICS, WORKERS
from tests.support.kafka import cluster_settings, no_topics

KAFKA = Kafka(bootstrap="x:1", partitions=8, replication=3)
NOWHERE = "127.0.0.1:9"  # the discard port: nobody listens
WANTED = Wanted("mail.routed", 8, 3, {"retention.ms": "1"})
AS_WANTED = Existing(8, 3, {"retention.ms": "1", "segment.bytes": "5"})


@pytest.mark.parametrize(
    ("found", "words", "refused"),
    [
        pytest.param(None, ["create with 8 partitions, 3 copies"], [False], id="missing"),
        pytest.param(AS_WANTED, [], [], id="as it must be"),
        pytest.param(
            replace(AS_WANTED, settings={"retention.ms": "2"}), ["set retention.ms 2 -> 1"], [False], id="kept"
        ),
        pytest.param(replace(AS_WANTED, partitions=4), ["has 4 partitions, not 8"], [True], id="too few partitions"),
        pytest.param(replace(AS_WANTED, partitions=9), ["has 9 partitions, not 8"], [True], id="too many partitions"),
        pytest.param(replace(AS_WANTED, replication=1), ["has 1 copy, not 3"], [True], id="too few copies"),
    ],
)
def test_what_differs_is_named(found: Existing | None, words: list[str], refused: list[bool]) -> None:
    changes = topics.changes([WANTED], {"mail.routed": found} if found else {})

    assert [change.refused for change in changes] == refused
    assert all(change.words.startswith(word) for change, word in zip(changes, words, strict=True))


@pytest.mark.parametrize(
    ("runner", "words"),
    [
        pytest.param({"frob": "kafka"}, "there is no stage 'frob' to give a runner: .*budgets", id="no stage"),
        pytest.param({"budgets": "spark"}, "budgets = 'spark' is neither 'kafka' nor 'faust'", id="no runner"),
    ],
)
def test_a_runner_of_nothing_is_refused(runner: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_all(Config(kafka=Kafka(runner=runner)))


def test_what_an_operator_set_beside_ours_stays_set() -> None:
    found = replace(AS_WANTED, settings={"retention.ms": "2"}, overrides={"segment.bytes": "5", "retention.ms": "2"})
    (change,) = topics.changes([WANTED], {"mail.routed": found})

    assert change.settings == {"segment.bytes": "5", "retention.ms": "1"}


WORKING = {topic.name: topic for topic in topics.wanted(KAFKA, load_all(Config()))}


def test_every_topic_dead_letter_and_changelog_is_wanted() -> None:
    stages = [core for worker in load_all(Config()) for core in topics.cores_of(worker)]

    assert WORKING.keys() == {
        *TOPICS,
        *(f"{worker}.dead" for worker in WORKERS),
        *(topics.changelog_of(stage, KAFKA) for stage in stages),
    }


@pytest.mark.parametrize(
    ("topic", "name", "value"),
    [
        pytest.param("mail.received", "cleanup.policy", "delete", id="a stream ends"),
        pytest.param("mail.received", "retention.ms", str(30 * 86_400_000), id="as the catalogue says"),
        pytest.param("contacts", "cleanup.policy", "compact", id="a table is compacted"),
        pytest.param("outbound.settled", "cleanup.policy", "compact", id="so is a changelog"),
        pytest.param("outbound.settled", "max.message.bytes", "9000000", id="a batch of state fits in"),
        pytest.param("routing.dead", "max.message.bytes", "2000000", id="the largest event fits in with its headers"),
        pytest.param("routing.dead", "retention.ms", str(90 * 86_400_000), id="dead letters wait for people"),
        pytest.param("mail.routed", "min.insync.replicas", "2", id="acknowledged by two of three"),
    ],
)
def test_settings_of_topics(topic: str, name: str, value: str) -> None:
    assert WORKING[topic].settings[name] == value


@pytest.mark.parametrize(
    ("topic", "partitions"),
    [
        pytest.param("mail.routed", 8, id="a stream"),
        pytest.param("directory.proposed", 1, id="one order of all proposals"),
        pytest.param("directory", 1, id="and of all rows of the directory"),
    ],
)
def test_partitions(topic: str, partitions: int) -> None:
    assert WORKING[topic].partitions == partitions


def test_a_changelog_has_the_partitions_of_what_its_stage_reads() -> None:
    for worker in load_all(Config()):
        for core in topics.cores_of(worker):
            assert {WORKING[topic].partitions for topic in core.reads} == {
                WORKING[topics.changelog_of(core, KAFKA)].partitions
            }


def test_a_worker_that_is_none_is_refused() -> None:
    with pytest.raises(LookupError, match="it is one of ingest, routing"):
        load("router", Config())


async def emptied(bootstrap: str) -> Kafka:
    kafka = cluster_settings(bootstrap)
    await no_topics(kafka)
    return kafka


def run(*arguments: str) -> int:
    return int(app([*arguments], result_action="return_value"))


@pytest.mark.broker
async def test_apply_makes_what_check_wants(broker: Cluster) -> None:
    kafka = await emptied(broker.bootstrap)
    wanted = topics.wanted(kafka, load_all(Config()))

    await topics.apply(kafka, topics.changes(wanted, await topics.look(kafka, wanted)))

    assert topics.changes(wanted, await topics.look(kafka, wanted)) == ()
    assert await topics.missing(kafka, [*TOPICS, "no.such"]) == ("no.such",)


@pytest.mark.broker
async def test_apply_sets_what_was_changed_and_keeps_what_was_added(broker: Cluster) -> None:
    kafka = await emptied(broker.bootstrap)
    usual = Wanted("mail.routed", 4, 1, {"retention.ms": "1000", "segment.ms": "5000"})
    await topics.apply(kafka, topics.changes([usual], {}))

    other = replace(usual, settings={"retention.ms": "2000"})
    await topics.apply(kafka, topics.changes([other], await topics.look(kafka, [other])))

    found = (await topics.look(kafka, [other]))["mail.routed"]
    assert found.settings["retention.ms"] == "2000"
    assert found.overrides["segment.ms"] == "5000"


@pytest.mark.broker
async def test_what_the_broker_refuses_is_said_in_its_words(broker: Cluster) -> None:
    kafka = await emptied(broker.bootstrap)
    with pytest.raises(ValueError, match=r"mail\.routed: .*[Rr]eplicat.*--replication 1"):
        await topics.apply(kafka, topics.changes([replace(WANTED, replication=9)], {}))


@pytest.mark.broker
def test_the_command_plans_applies_and_checks(broker: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(emptied(broker.bootstrap))
    small = ("--kafka", broker.bootstrap, "--partitions", "2", "--replication", "1")

    assert run("check", *small) == os.EX_CONFIG
    assert run("plan", *small, "--json") == os.EX_OK
    planned: list[dict[str, Any]] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"topic": "mail.routed", "change": "create with 2 partitions, 1 copy", "refused": False} in planned
    assert run("apply", *small) == os.EX_OK
    assert run("check", *small) == os.EX_OK
    assert capsys.readouterr().out.splitlines()[-1] == "all topics are as they must be"


@pytest.mark.broker
def test_the_command_never_changes_the_number_of_partitions(
    broker: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(emptied(broker.bootstrap))
    run("apply", "--kafka", broker.bootstrap, "--partitions", "2", "--replication", "1")

    more = run("apply", "--kafka", broker.bootstrap, "--partitions", "3", "--replication", "1")

    assert more == os.EX_CONFIG
    assert "mail.routed: not done: has 2 partitions, not 3" in capsys.readouterr().out
    assert run("check", "--kafka", broker.bootstrap, "--partitions", "2", "--replication", "1") == os.EX_OK


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["check", "--kafka", NOWHERE], os.EX_UNAVAILABLE, "no Kafka at", id="nobody there"),
        pytest.param(["check"], os.EX_CONFIG, "Give --kafka HOST:PORT", id="no cluster named"),
        pytest.param(["check", "--config", "/no/such"], os.EX_CONFIG, "/no/such: No such file", id="no settings file"),
    ],
)
def test_trouble_is_one_line(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


async def test_a_broker_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"no Kafka at 127\.0\.0\.1:9"):
        await topics.missing(Kafka(bootstrap=NOWHERE), ["mail.routed"])


def test_settings_come_from_the_file_and_the_command_line_over_it(tmp_path: Path) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text('[kafka]\nbootstrap = "a:1"\npartitions = 6\n', "utf-8")

    assert settings_of(file).kafka.bootstrap == "a:1"
    assert settings_of(file, "b:2", partitions=None, replication=1).kafka == Kafka(
        bootstrap="b:2", partitions=6, replication=1
    )
