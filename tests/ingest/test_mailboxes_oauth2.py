"""Mailboxes whose login bears an access token of OAuth 2.0 (RFC 6749 6, XOAUTH2): Dovecot asks the same endpoint."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from postroad.ingest.doors import mailboxes as door_file
from postroad.ingest.doors.mailboxes import open_session
from postroad.ingest.doors.polling import MailboxError
from postroad.runtime import oauth2
from postroad_schemas.directory import Credentials, IncomingMailbox, OAuth2, Protocol
from tests.ingest.test_mailboxes_scripted import IMAP, POP3, changed, row
from tests.support.dovecot import dovecot
from tests.support.mailservers import REFERENCE, MailServer, mail
from tests.support.polling import BOTH, World, left, until
from tests.support.scripted import scripted
from tests.support.token_endpoint import TokenEndpoint, token_endpoint


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process of its own, as to tokens."""
    monkeypatch.setattr(oauth2, "_TOKENS", oauth2.AccessTokens())


@pytest.fixture(scope="module")
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as running:
        yield running


@pytest.fixture(scope="module")
def server(endpoint: TokenEndpoint) -> Iterator[MailServer]:
    with dovecot(endpoint.introspection) as running:
        yield running


def by_token(mailbox: IncomingMailbox, endpoint: TokenEndpoint) -> IncomingMailbox:
    name = mailbox.credentials.username
    endpoint.username = name
    credentials = Credentials(
        username=name, secret=REFERENCE, oauth2=OAuth2(token_url=endpoint.url, client_id="postroad")
    )
    return msgspec.structs.replace(mailbox, credentials=credentials)


@BOTH
async def test_a_mailbox_is_polled_by_token(
    server: MailServer, endpoint: TokenEndpoint, protocol: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when the server refuses the token before its time, one more is asked for, once."""
    monkeypatch.setattr(door_file, "LOOK", 0.05)
    world, mailbox = World(tmp_path / "mailboxes"), server.mailbox(protocol, interval=1)
    asked = len(endpoint.forms)
    server.append(mailbox, mail(1))
    world.declare(by_token(mailbox, endpoint))
    async with world.door():
        await until(lambda: world.subjects == ["Mail 1"] and left(server, mailbox) == [])
        assert len(endpoint.forms) == asked + 1
        endpoint.valid.clear()
        server.append(mailbox, mail(2))
        await until(lambda: world.subjects[1:] == ["Mail 2"] and left(server, mailbox) == [])
        assert len(endpoint.forms) == asked + 2


@BOTH
async def test_what_a_login_by_token_sees(server: MailServer, endpoint: TokenEndpoint, protocol: Protocol) -> None:
    mailbox = by_token(server.mailbox(protocol), endpoint)
    session = await asyncio.to_thread(open_session, mailbox)
    assert (await asyncio.to_thread(session.seen)).messages == 0
    await asyncio.to_thread(session.close)


@BOTH
def test_anothers_token_is_refused(server: MailServer, endpoint: TokenEndpoint, protocol: Protocol) -> None:
    """Asked for twice, no more: a server's no is not a reason to go on."""
    mailbox, asked = by_token(server.mailbox(protocol), endpoint), len(endpoint.forms)
    endpoint.username = "somebody else"
    with pytest.raises(MailboxError, match=f"refuses the login of {mailbox.credentials.username}"):
        open_session(mailbox)
    assert len(endpoint.forms) == asked + 2


@BOTH
@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(400, r"no access token: .*invalid_grant.*renew the refresh token", id="no longer a refresh token"),
        pytest.param(503, "no access token: .*503", id="the endpoint is away"),
    ],
)
def test_why_there_is_no_token(endpoint: TokenEndpoint, protocol: Protocol, code: int, words: str) -> None:
    """No server is asked: nobody listens there."""
    endpoint.answers.append((code, b'{"error": "invalid_grant"}'))
    with pytest.raises(MailboxError, match=words) as raised:
        open_session(by_token(row(protocol, 1), endpoint))
    assert "\n" not in str(raised.value)


CHALLENGE = "eyJzdGF0dXMiOiI0MDEifQ=="  # {"status":"401"}


@pytest.mark.parametrize(
    ("protocol", "script"),
    [
        pytest.param(
            Protocol.IMAP,
            [(r"\S{20,}={0,2}$", f"+ {CHALLENGE}"), (r"$", "TAG NO [AUTHENTICATIONFAILED] invalid")],
            id="imap",
        ),
        pytest.param(Protocol.POP3, [(r"\S{20,}={0,2}$", f"+ {CHALLENGE}"), (r"$", "-ERR [AUTH] invalid")], id="pop3"),
    ],
)
async def test_a_challenge_is_answered_with_nothing(
    endpoint: TokenEndpoint, protocol: Protocol, script: list[tuple[str, str]]
) -> None:
    """It says why not; the refusal itself comes after our answer. Both tokens are tried, each in a login of its own."""
    steps = changed(IMAP if protocol is Protocol.IMAP else POP3, *script[0])
    async with scripted("* OK" if protocol is Protocol.IMAP else "+OK", [*script, *steps]) as (port, lines):
        with pytest.raises(MailboxError, match=r"refuses the login of office: .*invalid"):
            await asyncio.to_thread(open_session, by_token(row(protocol, port), endpoint))
    responses = [index for index, line in enumerate(lines) if len(line) > 20 and " " not in line]
    tokens = endpoint.given[-2:]
    assert [base64.b64decode(lines[index]).decode() for index in responses] == [
        f"user=office\x01auth=Bearer {token}\x01\x01" for token in tokens
    ]
    assert [lines[index + 1] for index in responses] == ["", ""]
