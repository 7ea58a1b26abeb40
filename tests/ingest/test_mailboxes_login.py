"""Logins at foreign IMAP and POP3 servers (D8): how safe, what they see, and why one does not work."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.doors.mailboxes import open_session
from postroad.ingest.doors.polling import MailboxError
from postroad.runtime.broker_files.loopback import free_ports
from postroad_schemas.directory import Credentials, Protocol, Security
from tests.support.mailservers import MailServer, mail
from tests.support.polling import BOTH, SERVERS, World, left, until

IMAP, POP3 = Protocol.IMAP, Protocol.POP3


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "mailboxes")


@BOTH
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_tls_with_a_private_ca(server: MailServer, world: World, protocol: Protocol, security: Security) -> None:
    if server.name == "greenmail" and security is Security.STARTTLS:
        with pytest.raises(MailboxError, match="offers no"):
            await asyncio.to_thread(open_session, server.mailbox(protocol, security))
        return
    row = server.mailbox(protocol, security)
    server.append(row, mail(1))
    world.declare(row)
    async with world.door():
        await until(lambda: world.subjects == ["Mail 1"])


@BOTH
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"ca_file": ""}, "certificate is not trusted", id="a certificate of nobody known"),
        pytest.param({"host": "localhost.localdomain"}, "localhost.localdomain", id="no such host"),
        pytest.param({"ca_file": "/no/such.pem"}, "name a PEM file", id="no CA file"),
        pytest.param({"port": free_ports(1)[0]}, "Connection refused", id="nobody listens"),
        pytest.param(
            {"credentials": Credentials(username="user1", secret="env:POSTROAD_TEST_WRONG")},
            "refuses the login of user1",
            id="another password",
        ),
        pytest.param(
            {"credentials": Credentials(username="user1", secret="env:POSTROAD_TEST_NOTHING")},
            "env:POSTROAD_TEST_NOTHING cannot be read",
            id="no password",
        ),
    ],
)
def test_why_a_login_does_not_work(
    server: MailServer, protocol: Protocol, fields: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROAD_TEST_WRONG", "wrong")
    row = server.mailbox(protocol, Security.TLS, **{"username": "user1", **fields})
    with pytest.raises(MailboxError, match=words) as raised:
        open_session(row)
    assert "\n" not in str(raised.value)
    assert "wrong" not in str(raised.value).replace("wrong password", "")


@BOTH
def test_without_verification_any_certificate_will_do(server: MailServer, protocol: Protocol) -> None:
    session = open_session(server.mailbox(protocol, Security.TLS, ca_file="", verify=False))
    assert session.seen().messages == 0
    session.close()


def test_no_such_folder(server: MailServer) -> None:
    with pytest.raises(MailboxError, match="has no folder 'Leads'"):
        open_session(server.mailbox(folder="Leads"))


@BOTH
def test_what_a_login_sees(server: MailServer, protocol: Protocol) -> None:
    row = server.mailbox(protocol)
    server.append(row, mail(1), mail(2))
    server.append(row, mail(3), flags="(\\Seen)")
    session = open_session(row)
    seen = session.seen()
    session.close()
    assert (seen.messages, seen.unseen) == ((3, 2) if protocol is IMAP else (3, 3))
    assert ("IDLE" if protocol is IMAP else "UIDL") in seen.capabilities
    assert len(left(server, row)) == (2 if protocol is IMAP else 3)
