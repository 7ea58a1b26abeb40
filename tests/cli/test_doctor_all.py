"""`postroad doctor`: each check finds what is planted, says what to do, and the exit code tells the worst of it."""

import json
import os
import shlex
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from postroad.cli import doctor_ground
from postroad.cli.doctor_ground import Ground, of_disk, of_log, of_topics
from postroad.cli.finding import Finding, State
from postroad.runtime import doctor_clock
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Config, Kafka, Log, Store
from postroad.runtime.embedded.log import Changes, SqliteLog
from postroad.runtime.kafka import settings
from postroad.runtime.kafka.topics import Change, Wanted
from postroad_schemas import TOPICS, record
from tests.cli.conftest import Running
from tests.cli.test_doctor_declared import NOW, listening, told
from tests.runtime.running import heard
from tests.support.broker import create_topic
from tests.support.dns import BROKEN, DnsServer
from tests.support.thread_loop import in_thread


async def all_of(check: doctor_ground.Check, config: Config, now: datetime = NOW) -> list[Finding]:
    return [finding async for finding in check(Ground(config, now))]


# The ground


@pytest.mark.parametrize(
    ("free", "total", "state"),
    [
        pytest.param(50, 100, "ok", id="half"),
        pytest.param(9, 100, "note", id="less than a tenth"),
        pytest.param(4, 100, "wrong", id="less than a twentieth"),
        pytest.param(0.9, 2, "wrong", id="less than a GiB"),
    ],
)
def test_room_on_a_disk(free: float, total: float, state: str) -> None:
    assert of_disk("/", int(free * 2**30), int(total * 2**30)).state == state


async def test_disks_are_told_once_whatever_lies_on_them(tmp_path: Path) -> None:
    config = Config(store=Store(url=f"file:{tmp_path}/a/b"), log=Log(path=str(tmp_path / "c" / "log.sqlite")))
    found = await all_of(doctor_ground.disk, config)
    assert len({it.words for it in found}) == len(found)
    assert f"{tmp_path} (the log): " in found[0].words


@pytest.mark.parametrize(
    ("url", "state", "words"),
    [
        pytest.param("memory:", "wrong", "forgets every mail", id="memory"),
        pytest.param("nothing", "wrong", "is no object store", id="no store"),
        pytest.param("file:{folder}/objects", "ok", "writes, reads and deletes", id="a folder"),
        pytest.param("file:{folder}/file/objects", "down", "file/objects", id="a folder that cannot be"),
    ],
)
async def test_the_store(tmp_path: Path, url: str, state: str, words: str) -> None:
    (tmp_path / "file").touch()
    [finding] = await all_of(doctor_ground.store, Config(store=Store(url=url.format(folder=tmp_path))))
    assert (finding.state, words in finding.words) == (state, True)
    assert [it for it in (tmp_path / "objects").rglob("*") if it.is_file() and "doctor" in it.read_text()] == []


def test_the_log_of_one_machine(running: Running) -> None:
    path = running.folder / "log.sqlite"
    assert (of_log(path).state, "postroad runs" in of_log(path).words) == (State.OK, True)
    assert of_log(running.folder / "none.sqlite").state is State.NOTE


def test_the_log_of_one_machine_that_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteLog.open(tmp_path / "log.sqlite").close()
    assert of_log(tmp_path / "log.sqlite").state is State.NOTE
    (tmp_path / "other.sqlite").write_bytes(b"not a database" * 1000)
    assert of_log(tmp_path / "other.sqlite").state is State.WRONG
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert of_log(tmp_path / "log.sqlite").state is State.WRONG


@pytest.mark.parametrize(
    ("kept", "ahead", "states"),
    [
        pytest.param(True, 59, ["ok"], id="as it should be"),
        pytest.param(False, 0, ["note"], id="nothing keeps it right"),
        pytest.param(None, 0, ["note"], id="nobody knows"),
        pytest.param(True, 61, ["ok", "wrong"], id="a record from the future"),
    ],
)
async def test_the_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: bool | None, ahead: float, states: list[str]
) -> None:
    monkeypatch.setattr(doctor_clock, "kept_right", lambda: kept)
    path = tmp_path / "log.sqlite"
    log = SqliteLog.open(path)
    log.write([Changes(records=[record(heard(1))])], NOW.timestamp() - 3600)
    log.write([Changes(records=[record(heard(2))])], NOW.timestamp() + ahead)
    log.close()
    assert [it.state for it in await all_of(doctor_ground.clock, Config(log=Log(path=str(path))))] == states


def test_the_kernel_says_something_of_its_clock_or_nothing() -> None:
    assert doctor_clock.kept_right() in (True, False, None)


def test_topics_that_differ_are_told_up_to_ten() -> None:
    changes = tuple(Change(Wanted(f"t{number}", 1, 1, {}), "create", create=True) for number in range(12))
    found = told(of_topics(changes, 20))
    assert len(found) == 11
    assert found[-1] == "wrong and 2 more: see `postroad topics plan`"
    assert told(of_topics((), 20)) == []


# The command

ZONE = {
    "example.com TXT": ["v=spf1 ip4:192.0.2.1 -all"],
    "example.com MX": ["10 mx.example.com."],
    "_dmarc.example.com TXT": ["v=DMARC1; p=reject; rua=mailto:d@example.com; aspf=r"],
}


def test_the_whole_of_an_installation_that_runs(running: Running) -> None:
    with listening() as port, in_thread(DnsServer(ZONE)) as server:
        running.good("smarthost", "add", "relay", "127.0.0.1", "--port", str(port))
        said = running("doctor", "--json", "--resolver", server.address)
        shown = running("doctor", "--offline")
    checks = [line.split()[0] for line in shown.out.splitlines()]
    assert list(dict.fromkeys(checks)) == ["log", "store", "clock", "disk", "directory", "secrets", "certificate"]
    assert shown.code == os.EX_OK
    asked = [json.loads(line) for line in said.out.splitlines()]
    assert {it["check"] for it in asked} == {*checks, "server", "spf", "dkim", "dmarc", "mx"}
    assert [it["state"] for it in asked if it["check"] == "server"] == ["ok"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param("--offline", os.EX_CONFIG, id="something is wrong"),
        pytest.param("--resolver nowhere", os.EX_USAGE, id="no resolver"),
        pytest.param("--address 1.2.3", os.EX_USAGE, id="no address"),
        pytest.param("--offline --kafka 127.0.0.1:1", os.EX_UNAVAILABLE, id="no broker"),
    ],
)
def test_exit_codes(stopped: Running, words: str, code: int) -> None:
    assert stopped("doctor", *shlex.split(words)).code == code


def test_dns_that_does_not_answer_stops_nothing_else(running: Running) -> None:
    with listening() as port, in_thread(DnsServer({"example.com TXT": BROKEN})) as server:
        running.good("smarthost", "add", "relay", "127.0.0.1", "--port", str(port))
        said = running("doctor", "--resolver", server.address)
    assert said.code == os.EX_UNAVAILABLE
    assert said.out.splitlines()[-1].startswith("dns         down  DNS says nothing about example.com TXT")


@pytest.mark.broker
@pytest.mark.parametrize(
    ("replication", "states"),
    [
        pytest.param(1, {"broker": "ok", "topics": "wrong"}, id="without its topics"),
        pytest.param(3, {"broker": "wrong", "topics": "wrong"}, id="more copies than brokers"),
    ],
)
async def test_a_cluster(broker: Cluster, replication: int, states: dict[str, str]) -> None:
    config = Config(kafka=Kafka(bootstrap=broker.bootstrap, replication=replication, partitions=3))
    found = await all_of(doctor_ground.broker, config)
    assert {it.check: str(it.state) for it in found} == states


@pytest.mark.broker
async def test_records_of_a_cluster_from_the_future(broker: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"doctor.ahead": 61, "doctor.right": 0}
    monkeypatch.setattr(doctor_clock, "TOPICS", dict.fromkeys(names, TOPICS["mail.received"]))
    kafka = Kafka(bootstrap=broker.bootstrap)
    producer = settings.producer(kafka, "trial")
    for name in names:
        await create_topic(broker.bootstrap, name)
    await producer.start()
    for name, seconds in names.items():
        moment = int((NOW.timestamp() + seconds) * 1000)
        await producer.send_and_wait(name, b"{}", timestamp_ms=moment)
    await producer.stop()
    assert await doctor_clock.topics_ahead(kafka, NOW) == ["doctor.ahead"]


def never(*_: Any) -> Any:
    raise AssertionError("asked")


def test_offline_asks_nobody(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    hold: Callable[..., Any] = never
    monkeypatch.setattr("asyncio.open_connection", hold)
    monkeypatch.setattr("postroad.runtime.dns.Resolver.__call__", hold)
    assert running("doctor", "--offline", "--address", str(ip_address("192.0.2.1"))).code == os.EX_OK
