"""`postroad doctor`: each check finds what is planted, says what to do, and the exit code tells the worst of it."""

import json
import os
import shlex
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from postroad.cli import doctor_declared, doctor_ground
from postroad.cli.doctor_ground import Ground, of_disk, of_log, of_topics
from postroad.cli.finding import Finding, State
from postroad.runtime import doctor_clock
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Config, Http, Kafka, Log, Smtp, Store, Webhook
from postroad.runtime.embedded.log import Changes, SqliteLog
from postroad.runtime.kafka import settings
from postroad.runtime.kafka.topics import Change, Wanted
from postroad.views.directory import Directory
from postroad_schemas import TOPICS, record
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    Credentials,
    DkimKey,
    IncomingMailbox,
    KeyState,
    OAuth2,
    Policy,
    SigningKey,
    Smarthost,
    row_key,
)
from tests.cli.conftest import Running
from tests.runtime.running import heard
from tests.support.broker import create_topic
from tests.support.dns import BROKEN, DnsServer
from tests.support.thread_loop import in_thread

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EXAMPLE = AliasDomain(name="example.com", default=True)
SALES = Alias(local_part="sales", domain="example.com", record_type="crm.lead")
OFFICE = IncomingMailbox(name="office", host="127.0.0.1", credentials=Credentials(username="u", secret="env:OFFICE"))


def view(*rows: Any) -> Directory:
    found = Directory()
    for row in rows:
        found.apply(row_key(row), row)
    return found


def told(findings: "list[Finding] | Iterator[Finding]") -> list[str]:
    """Those that ask for something to be done."""
    return [f"{it.state} {it.words}" for it in findings if it.state is not State.OK]


async def all_of(check: doctor_ground.Check, config: Config, now: datetime = NOW) -> list[Finding]:
    return [finding async for finding in check(Ground(config, now))]


# The directory


@pytest.mark.parametrize(
    ("rows", "contacts", "words"),
    [
        pytest.param((), 0, ["wrong no alias domain", "wrong no alias", "note no mailbox"], id="D1: nothing declared"),
        pytest.param((EXAMPLE, SALES), 0, ["note no mailbox"], id="all that is needed"),
        pytest.param(
            (EXAMPLE, SALES, OFFICE), 0, ["wrong mailbox office is not polled before a login worked"], id="D8"
        ),
        pytest.param(
            (EXAMPLE, Alias(local_part="a", domain="example.com", policy=Policy.CONTACTS)),
            0,
            ["wrong alias a@example.com: only contacts may write, and none is known", "note no mailbox"],
            id="R12: contacts, and there are none",
        ),
        pytest.param(
            (EXAMPLE, Alias(local_part="a", domain="example.com", policy=Policy.CONTACTS)),
            1,
            ["note no mailbox"],
            id="R12: contacts, and there is one",
        ),
        pytest.param(
            (EXAMPLE, Alias(local_part="a", domain="example.com", policy=Policy.FOLLOWERS)),
            1,
            ["wrong alias a@example.com: only followers may write, and it names no thread", "note no mailbox"],
            id="R12: followers of no thread",
        ),
        pytest.param(
            (EXAMPLE, Alias(local_part="a", domain="example.com", policy=Policy.FOLLOWERS, thread="crm.team/1")),
            1,
            ["note no mailbox"],
            id="R12: followers of a thread",
        ),
        pytest.param(
            (EXAMPLE, Alias(local_part="a", domain="example.com", active=False)),
            1,
            ["wrong no alias", "note no mailbox"],
            id="D2: only a disabled alias",
        ),
        pytest.param(
            (EXAMPLE, SALES, SigningKey(key_id="a", secret="env:A", state=KeyState.ACCEPTED)),
            1,
            ["note no mailbox", "wrong no signing key is current"],
            id="no key mints",
        ),
    ],
)
def test_the_directory(rows: tuple[Any, ...], contacts: int, words: list[str]) -> None:
    found = told(doctor_declared.directory(view(*rows), contacts))
    assert [line.startswith(start) for line, start in zip(found, words, strict=True)] == [True] * len(words)


# Servers


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


async def test_servers_that_answer_and_one_that_does_not() -> None:
    with listening() as gone:
        pass
    with listening() as there:
        rows = [Smarthost(name=name, host="127.0.0.1", port=port) for name, port in (("a", there), ("b", gone))]
        found = await doctor_declared.servers(view(*rows), Smarthost(name="default", host="127.0.0.1", port=gone))
        unused = await doctor_declared.servers(view(), Smarthost(name="default", host="127.0.0.1", port=there))
    assert [(it.state, it.words.partition(":")[0]) for it in found] == [(State.OK, "a"), (State.DOWN, "b")]
    assert f"nothing takes a connection at 127.0.0.1:{gone} (Connection refused)" in found[1].words
    assert [(it.state, it.words.partition(":")[0]) for it in unused] == [
        (State.NOTE, "none is declared"),
        (State.OK, "default"),
    ]


# Secrets


def test_every_reference_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    login = Credentials(
        username="u", secret="env:D", oauth2=OAuth2(token_url="x", client_id="y", client_secret="env:E")
    )
    config = Config(
        kafka=Kafka(password="env:A"),
        http=Http(token="env:B", webhooks={"mailgun": Webhook(secret="env:C")}),
    )
    rows = view(
        Smarthost(name="relay", host="h", credentials=login),
        IncomingMailbox(name="office", host="h", credentials=Credentials(username="u", secret="env:F")),
        SigningKey(key_id="a", secret="env:G"),
        SigningKey(key_id="b", secret="env:RETIRED", state=KeyState.RETIRED),
        DkimKey(domain="example.com", selector="s1", secret="env:H"),
        DkimKey(domain="example.com", selector="s0", secret="env:IDLE", active=False),
    )
    named = list(doctor_declared.references(config, rows))
    assert [reference for _, reference in named] == [f"env:{letter}" for letter in "ABCDEFGH"]
    assert len(told(doctor_declared.secrets(named))) == 8
    for letter in "ABCDEFGH":
        monkeypatch.setenv(letter, "value")
    assert told(doctor_declared.secrets(named)) == []


@pytest.mark.parametrize(
    ("mode", "content", "state"),
    [
        pytest.param(0o600, "value", "ok", id="its owner reads it"),
        pytest.param(0o640, "value", "ok", id="so does a group"),
        pytest.param(0o604, "value", "wrong", id="everybody reads it"),
        pytest.param(0o600, "", "wrong", id="there is nothing in it"),
    ],
)
def test_a_secret_in_a_file(tmp_path: Path, mode: int, content: str, state: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(mode)
    [finding] = doctor_declared.secrets([("[http] token", f"file:{file}")])
    assert finding.state == state
    assert "value" not in finding.words


# Certificates


def certificate(folder: Path, ends: datetime, name: str = "mx.example.com") -> tuple[Path, Path]:
    """PEM files of a certificate by itself, valid for 90 days until then, and its key."""
    key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx")])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=90))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, secret


@pytest.mark.parametrize(
    ("ends", "name", "words"),
    [
        pytest.param(timedelta(days=60), "mx.example.com", [], id="good"),
        pytest.param(timedelta(days=60), "*.example.com", [], id="under an asterisk"),
        pytest.param(timedelta(days=60), "example.com", ["note", "does not name mx.example.com"], id="another name"),
        pytest.param(timedelta(days=20), "mx.example.com", ["note", "renew it"], id="it ends soon"),
        pytest.param(timedelta(days=-1), "mx.example.com", ["wrong", "ended 2026-02-28"], id="it ended"),
        pytest.param(timedelta(days=91), "mx.example.com", ["wrong", "not valid before 2026-03-02"], id="not yet"),
    ],
)
def test_a_certificate(tmp_path: Path, ends: timedelta, name: str, words: list[str]) -> None:
    chain, key = certificate(tmp_path, NOW + ends, name)
    config = Config(smtp=Smtp(certificate=str(chain), key=str(key), hostname="mx.example.com"))
    found = told(doctor_declared.certificates(config, view(), NOW))
    assert len(found) == (1 if words else 0)
    assert [word for word in words if word not in found[0]] == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param(Smtp(), "note no certificate in [smtp]", id="none"),
        pytest.param(Smtp(require_tls=True), "wrong no certificate in [smtp]", id="none, and TLS is required"),
        pytest.param(Smtp(certificate="/nowhere.pem"), "wrong [smtp]: /nowhere.pem and its key", id="no file"),
    ],
)
def test_no_certificate(config: Smtp, words: str) -> None:
    [found] = told(doctor_declared.certificates(Config(smtp=config), view(), NOW))
    assert found.startswith(words)


def test_authorities_that_are_trusted_are_looked_at(tmp_path: Path) -> None:
    chain, _ = certificate(tmp_path, NOW - timedelta(days=1))
    (tmp_path / "empty.pem").touch()
    rows = view(
        Smarthost(name="relay", host="h", ca_file=str(chain)),
        Smarthost(name="other", host="h", ca_file=str(tmp_path / "empty.pem")),
    )
    found = told(doctor_declared.certificates(Config(), rows, NOW))
    assert {line.partition(":")[0] for line in found[1:]} == {"wrong smarthost relay", "wrong smarthost other"}


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
