"""Kafka over TLS with a login, and static membership: every client of ours, on a real broker."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.runtime.broker import Cluster
from postroad.runtime.config import Config, ConfigError, Kafka
from postroad.runtime.kafka import settings
from postroad.runtime.reach import KafkaReach
from postroad.runtime.worker import Unavailable
from tests.conformance.stages import COUNTING, STAGES, trial
from tests.support.kafka import PARTITIONS, cluster_settings, fresh_topics, publish, until
from tests.support.secure_broker import PASSWORD, USER, Secure, secure_broker
from tests.support.trial_worker import Program, programs
from tests.support.trials import audited, begun, past


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    with secure_broker(tmp_path_factory.mktemp("secure")) as made:
        yield made


def login(secure: Secure, folder: Path, mechanism: str = "SCRAM-SHA-512", password: str = PASSWORD) -> dict[str, Any]:
    kept = folder / "kafka.password"
    kept.write_text(password)
    who = {"username": USER, "password": f"file:{kept}"}
    return {"tls": True, "ca_file": str(secure.ca_file), "sasl": mechanism, **who}


@pytest.mark.broker
async def test_a_worker_runs_over_tls_with_a_login(secure: Secure, tmp_path: Path) -> None:
    """Topics, producers, consumers, changelogs, tables and the watchdog, of the engine, of Faust and of senders."""
    runner = {stage.name: "faust" if stage is COUNTING else "kafka" for stage in STAGES}
    kafka = cluster_settings(secure.bootstrap, runner=runner, **login(secure, tmp_path))
    await fresh_topics(kafka, trial(tmp_path / "calls"))
    events = past(20)
    await publish(kafka, events)
    with programs(tmp_path, kafka) as started:
        program = started.start()
        audit = await audited(kafka, events)
        assert program.stop() == 0
    assert audit.clean, str(audit)


@pytest.mark.broker
@pytest.mark.parametrize(
    ("mechanism", "password", "words"),
    [
        pytest.param("PLAIN", PASSWORD, "", id="PLAIN"),
        pytest.param("SCRAM-SHA-512", PASSWORD, "", id="SCRAM"),
        pytest.param("SCRAM-SHA-512", "wrong", "is the login right", id="a wrong password"),
        pytest.param("", PASSWORD, "no Kafka", id="no login where one is needed"),
    ],
)
async def test_a_login_is_taken_or_refused_in_words(
    secure: Secure, tmp_path: Path, mechanism: str, password: str, words: str
) -> None:
    kafka = cluster_settings(secure.bootstrap, **login(secure, tmp_path, mechanism, password), prefix="asked")
    reached = KafkaReach(Config(kafka=kafka))
    if not words:
        await asyncio.to_thread(reached.hand_back, [])
        return
    with pytest.raises(Unavailable, match=words):
        await asyncio.to_thread(reached.hand_back, [])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"sasl": "PLAIN", "username": "a", "password": "env:X"}, "sends the password", id="in the clear"),
        pytest.param({"sasl": "SCRAM-SHA-256", "username": "a"}, "password by reference", id="no password"),
        pytest.param(
            {"sasl": "SCRAM-SHA-256", "username": "a", "password": "env:POSTROAD_TEST_NOTHING"},
            "password cannot be had: env:POSTROAD_TEST_NOTHING is not set here",
            id="a variable that is not set",
        ),
        pytest.param({"sasl": "SCRAM-SHA-256", "password": "env:HOME"}, "needs username", id="nobody's password"),
        pytest.param({"tls": True, "ca_file": "/nowhere.pem"}, "no PEM files", id="no such authority"),
        pytest.param({"tls": True, "certificate": "/nowhere.pem"}, "no PEM files", id="no such certificate"),
        pytest.param({"certificate": "a", "key": "b"}, "certificate and key without tls", id="a certificate, no TLS"),
        pytest.param({"ca_file": "a"}, "ca_file without tls: set tls = true", id="an authority, no TLS"),
        pytest.param({"tls": True, "key": "b"}, "key without certificate", id="a key of no certificate"),
        pytest.param({"instance": "env:NOT_THERE"}, "instance: the variable NOT_THERE", id="no such variable"),
        pytest.param({"sasl": "SCRAM-SHA-512", "username": "env:NOT_THERE"}, "username: the variable", id="nor user"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given: dict[str, Any], words: str) -> None:
    kafka = Kafka(bootstrap="127.0.0.1:1", **given)
    with pytest.raises(ConfigError, match=words):
        settings.connection(kafka), settings.instance(kafka)


@pytest.mark.broker
@pytest.mark.parametrize(
    ("runner", "named", "moved"),
    [
        pytest.param("kafka", True, False, id="the engine, under its own name: nothing moves"),
        pytest.param("faust", True, False, id="Faust, under its own name: nothing moves"),
        pytest.param("kafka", False, True, id="without a name: everybody assigns anew"),
    ],
)
async def test_a_restart_within_the_session(
    broker: Cluster, tmp_path: Path, runner: str, named: bool, moved: bool
) -> None:
    """KIP-345: a rolling update of a StatefulSet."""
    kafka = await begun(broker.bootstrap, tmp_path, runner, session=20.0, prefix=f"restart-{runner}-{named}")

    def as_(name: str) -> Kafka:
        return msgspec.structs.replace(kafka, instance=name if named else "")

    def assigned(program: Program) -> list[list[int]]:
        return [line["partitions"] for line in program.lines() if line.get("event") == "assigned"]

    async def agreed() -> bool:
        shares = [partitions[-1] for partitions in map(assigned, (steady, other)) if partitions]
        return all(shares) and sorted(itertools.chain(*shares)) == list(range(PARTITIONS))

    folders = [tmp_path / name for name in ("stays", "restarts")]
    for folder in folders:
        folder.mkdir()
    with programs(folders[0], as_("worker-0")) as stays, programs(folders[1], as_("worker-1")) as restarts:
        steady = stays.start(COUNTING.name)
        steady.wait_for("recovered")
        other = restarts.start(COUNTING.name)
        other.wait_for("recovered", within=60)
        await until(agreed)
        before = len(assigned(steady))
        other.stop()
        restarts.start(COUNTING.name).wait_for("recovered", within=60)
        await asyncio.sleep(3)
        assert (len(assigned(steady)) > before) == moved
