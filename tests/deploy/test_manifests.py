"""`postroad manifests`, and the YAML it writes."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad.catalogue.acls import ROLES, Grant, grants, user_of
from postroad.catalogue.yaml import documents
from postroad.cli.manifests import generated, manifests
from postroad.runtime.config import Config, Kafka
from postroad.runtime.kafka import topics, workers
from postroad.runtime.process import topics_of
from postroad_schemas import WORKERS
from tests.deploy.documents import Document, parsed

WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126))
SCALARS = WORDS | st.integers() | st.booleans()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
LOADED = workers.load_all(Config())


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4), min_size=1, max_size=4))
def test_yaml_is_read_back_as_it_was(found: list[dict[str, Any]]) -> None:
    assert list(yaml.safe_load_all(documents(found))) == found


@pytest.mark.parametrize(
    ("value", "line"),
    [
        pytest.param("mail.received", "key: mail.received", id="a name"),
        pytest.param("/etc/postroad", "key: /etc/postroad", id="a path"),
        pytest.param("no", 'key: "no"', id="a word that is a truth value to some"),
        pytest.param("1e3", 'key: "1e3"', id="a text that looks like a number"),
        pytest.param("a: b", 'key: "a: b"', id="a text that looks like a mapping"),
        pytest.param("", 'key: ""', id="nothing"),
        pytest.param(False, "key: false", id="a truth value"),
        pytest.param(["Read", "Write"], "key: [Read, Write]", id="a short list"),
        pytest.param({"a": {"b": 1}}, "key:\n  a:\n    b: 1", id="a mapping"),
        pytest.param([{"a": 1, "b": [{"c": 2}]}], "key:\n  - a: 1\n    b:\n      - c: 2", id="a list of mappings"),
    ],
)
def test_yaml_is_written_for_people(value: Any, line: str) -> None:
    assert documents([{"key": value}]) == f"{line}\n"


def allowed(role: str, kafka: Kafka) -> dict[tuple[str, str], Grant]:
    found = grants(role, kafka, LOADED, topics.wanted(kafka, LOADED))
    assert len({(it.resource, it.name) for it in found}) == len(found)
    return {(it.resource, it.name): it for it in found}


@pytest.mark.parametrize("runner", ["kafka", "faust"])
@pytest.mark.parametrize("worker", LOADED, ids=WORKERS)
def test_a_worker_may_use_all_that_it_cannot_do_without(worker: Any, runner: str) -> None:
    kafka = Kafka(prefix="mail", runner={stage.name: runner for it in LOADED for stage in it.stages})
    may = allowed(worker.name, kafka)
    assert [name for name in topics_of(worker, kafka) if ("topic", name) not in may] == []
    groups = {f"mail.{core.name}" for core in topics.cores_of(worker)}
    assert {name for kind, name in may if kind == "group"} == groups


def test_nobody_shares_a_changelog_or_a_group() -> None:
    own = {core: worker.name for worker in LOADED for core in topics.cores_of(worker)}
    logs = {topics.changelog_of(core, Kafka()): name for core, name in own.items()}
    for role in ROLES:
        write = {
            name for (kind, name), it in allowed(role, Kafka()).items() if kind == "topic" and "Write" in it.operations
        }
        assert {logs[name] for name in write & logs.keys()} <= {role}


def test_names_of_users_follow_the_prefix() -> None:
    assert user_of("loop_guard", Kafka(prefix="mail")) == "mail-loop-guard"


def spec(text: str, kind: str) -> list[Document]:
    return [it["spec"] for it in parsed(text) if it["kind"] == kind]


def test_the_command_goes_by_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "postroad.toml"
    settings.write_text("[kafka]\npartitions = 3\nreplication = 1\n")
    assert manifests(config=settings) == os.EX_OK
    printed = capsys.readouterr().out
    found = spec(printed, "KafkaTopic")
    assert {it["partitions"] for it in found} == {1, 3}
    assert {it["replicas"] for it in found} == {1}

    assert manifests(config=settings, write=str(tmp_path / "made")) == os.EX_OK
    written = {
        str(path.relative_to(tmp_path / "made")): path.read_text("utf-8")
        for path in (tmp_path / "made").rglob("*.yaml")
    }
    assert sorted(map(str, parsed("---\n".join(written.values())))) == sorted(map(str, parsed(printed)))
    assert written.keys() == generated(Config()).keys()
