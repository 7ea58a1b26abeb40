"""`postroad doctor`: what is declared and cannot work is found, with what to do about it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from postroad.cli import doctor_declared
from postroad.cli.finding import Finding, State
from postroad.runtime.config import Config, Http, Kafka, Smtp, Webhook
from postroad.views.directory import Directory
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    Credentials,
    DkimKey,
    IncomingMailbox,
    KeyState,
    Match,
    OAuth2,
    Policy,
    Provider,
    SigningKey,
    Smarthost,
    row_key,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EXAMPLE = AliasDomain(name="example.com", default=True)
SALES = Alias(local_part="sales", domain="example.com", record_type="crm.lead")
OUTSIDE = Alias(local_part="a", domain="outside.example", record_type="x")
OFFICE = IncomingMailbox(name="office", host="127.0.0.1", credentials=Credentials(username="u", secret="env:OFFICE"))


def view(*rows: Any) -> Directory:
    found = Directory()
    for row in rows:
        found.apply(row_key(row), row)
    return found


def told(findings: "list[Finding] | Iterator[Finding]") -> list[str]:
    """Those that ask for something to be done."""
    return [f"{it.state} {it.words}" for it in findings if it.state is not State.OK]


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


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
            (EXAMPLE, SALES, OUTSIDE, Alias(local_part="b", domain="outside.example", record_type="x")),
            0,
            ["note domain outside.example is not declared, answers are sent in the name of example.com", "note no"],
            id="D1: aliases on a domain that is not declared, told once",
        ),
        pytest.param(
            (SALES, Alias(local_part="a", domain="gmail.com", match=Match.LOCAL)),
            0,
            ["wrong no alias domain", "note no mailbox"],
            id="D1: no domain at all is told once",
        ),
        pytest.param(
            (EXAMPLE, Alias(local_part="a", domain="gmail.com", match=Match.LOCAL)),
            0,
            ["note no mailbox"],
            id="R13: an alias that matches on any domain",
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


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param((EXAMPLE, SALES), ["1 alias domain: example.com", "1 alias, open to everyone (1)"], id="one"),
        pytest.param(
            (EXAMPLE, SALES, AliasDomain(name="b.example"), Alias(local_part="a", domain="b.example")),
            ["2 alias domains: example.com, b.example", "2 aliases, open to everyone (2)"],
            id="two",
        ),
    ],
)
def test_what_is_well_is_counted(rows: tuple[Any, ...], words: list[str]) -> None:
    assert [it.words for it in doctor_declared.directory(view(*rows), 0) if it.state is State.OK] == words


# Servers


async def test_servers_that_answer_and_one_that_does_not() -> None:
    with listening() as gone:
        pass
    with listening() as there:
        rows = [Smarthost(name=name, host="127.0.0.1", port=port) for name, port in (("a", there), ("b", gone))]
        found = await doctor_declared.servers(view(*rows), Smarthost(name="default", host="127.0.0.1", port=gone))
        unused = await doctor_declared.servers(view(), Smarthost(name="default", host="127.0.0.1", port=there))
        idle = Smarthost(name="c", host="127.0.0.1", port=there, active=False)
        nothing = await doctor_declared.servers(view(idle), Smarthost(name="default", host="127.0.0.1", port=there))
    assert [(it.state, it.words.partition(",")[0]) for it in nothing] == [
        (State.WRONG, "all that are declared are inactive")
    ]
    assert [(it.state, it.words.partition(":")[0]) for it in found] == [(State.OK, "a"), (State.DOWN, "b")]
    assert f"nothing takes a connection at 127.0.0.1:{gone} (Connection refused)" in found[1].words
    assert [(it.state, it.words.partition(":")[0]) for it in unused] == [
        (State.NOTE, "none is declared"),
        (State.OK, "default"),
    ]


@pytest.mark.parametrize(
    ("host", "provider", "webhooks", "says"),
    [
        pytest.param("h", None, ["brevo"], [], id="of nobody known"),
        pytest.param("h", Provider.BREVO, ["brevo"], [(State.OK, "say which message")], id="declared on both sides"),
        pytest.param(
            "h", Provider.BREVO, ["ses"], [(State.NOTE, "declare [http.webhooks.brevo]")], id="nobody hears its reports"
        ),
        pytest.param(
            "smtp-relay.brevo.com", None, ["brevo"], [(State.NOTE, "--provider brevo")], id="it seems to be theirs"
        ),
        pytest.param("smtp-relay.brevo.com", None, [], [], id="theirs, but no webhooks are wanted"),
    ],
)
def test_whether_reports_find_their_message(
    host: str, provider: Provider | None, webhooks: list[str], says: list[tuple[State, str]]
) -> None:
    """B1."""
    relay = Smarthost(name="default", host="localhost")
    found = list(doctor_declared.providers(view(Smarthost(name="a", host=host, provider=provider)), relay, webhooks))
    assert [it.state for it in found] == [state for state, _ in says]
    assert all(words in it.words for it, (_, words) in zip(found, says, strict=True))


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
