"""SMTP out: TLS and AUTH against a real server (D7): verified, never in the clear, never more often than needed."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.dispatch.attempt import Plan, Step
from postroad.dispatch.server import exposed
from postroad.dispatch.transports.session import Timeouts
from postroad.dispatch.transports.smtp import SmtpTransport
from postroad_schemas.directory import Credentials, OAuth2, Security, Smarthost
from postroad_schemas.values import FailureType
from tests.dispatch.made import AT
from tests.dispatch.test_smtp import MARY, MESSAGE, SECRETS, outcome, plan_for
from tests.support.scripted import DROP as ROTE_DROP
from tests.support.scripted import scripted
from tests.support.smtp_sink import Certificate, SmtpSink, make_certificate
from tests.support.token_endpoint import token_endpoint

LOGIN = Credentials(username="postroad", secret="env:PASSWORD")


@pytest.fixture
async def transport() -> AsyncIterator[SmtpTransport]:
    made = SmtpTransport("client.test", SECRETS.get, lambda: AT, Timeouts(2, 2, 2))
    yield made
    await made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("way", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("server", "code", "step"),
    [
        pytest.param({}, 250, Step.BODY, id="a private CA"),
        pytest.param({"ca_file": ""}, 0, Step.TLS, id="a certificate that nobody vouches for"),
        pytest.param({"ca_file": "/nowhere/ca.pem"}, 0, Step.CONNECT, id="a CA file that is not there"),
        pytest.param({"ca_file": "", "verify": False}, 250, Step.BODY, id="verification switched off"),
        pytest.param({"host": "localhost"}, 250, Step.BODY, id="a name of the certificate"),
    ],
)
async def test_tls(
    transport: SmtpTransport, certificate: Certificate, way: Any, server: dict[str, Any], code: int, step: Step
) -> None:
    fields = {"security": Security(way), "ca_file": str(certificate.ca_file)} | server
    async with SmtpSink(certificate=certificate, tls=way) as sink:
        answer = await transport.send(plan_for(sink, **fields), MESSAGE)
    assert outcome(answer) == (code, step)
    assert [message.encrypted for message in sink.messages] == ([True] if code else [])


async def test_a_certificate_for_another_name(transport: SmtpTransport, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "mx.other.test")
    for way in ("starttls", "tls"):
        async with SmtpSink(certificate=other, tls=way) as sink:
            answer = await transport.send(plan_for(sink, security=Security(way), ca_file=str(other.ca_file)), MESSAGE)
        assert outcome(answer) == (0, Step.TLS)
        assert "mismatch" in answer.reply.text
        assert not sink.messages


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        pytest.param(
            "220 go\r\n220 on in the clear", "TLS|connection|Connection", id="words where a handshake should be"
        ),
        pytest.param("454 4.7.0 no TLS now", "no TLS now", id="refused for now"),
        pytest.param(ROTE_DROP, "EOF|onnection", id="lost at STARTTLS"),
    ],
)
async def test_tls_that_breaks(transport: SmtpTransport, reply: str, words: str) -> None:
    script = [("EHLO", "250-sink.test\r\n250 STARTTLS"), ("STARTTLS", reply)]
    async with scripted("220 sink.test", script) as (port, lines):
        row = Smarthost(name="sink", host="127.0.0.1", port=port, security=Security.STARTTLS)
        answer = await transport.send(Plan(row, "", MARY, MARY, "", "bob@example.org"), MESSAGE)
    assert answer.step is Step.TLS
    assert answer.reply.code in (0, 454)
    assert re.search(words, answer.reply.text)
    assert not any(line.startswith("MAIL") for line in lines)


async def test_never_falls_back_to_plain_text(transport: SmtpTransport) -> None:
    async with SmtpSink() as sink:
        answer = await transport.send(plan_for(sink, security=Security.STARTTLS), MESSAGE)
    assert outcome(answer) == (0, Step.TLS)
    assert "STARTTLS" in answer.reply.text
    assert not sink.messages


@pytest.mark.parametrize(
    ("credentials", "code", "step"),
    [
        pytest.param(LOGIN, 250, Step.BODY, id="known"),
        pytest.param(Credentials(username="postroad", secret="env:WRONG"), 535, Step.AUTH, id="wrong"),
        pytest.param(Credentials(username="postroad", secret="env:UNSET"), 0, Step.AUTH, id="a secret not to be had"),
        pytest.param(None, 530, Step.MAIL, id="none, but asked for"),
    ],
)
async def test_auth(
    transport: SmtpTransport, certificate: Certificate, credentials: Credentials | None, code: int, step: Step
) -> None:
    async with SmtpSink(certificate=certificate, users={"postroad": "open sesame"}) as sink:
        plan = plan_for(sink, security=Security.STARTTLS, ca_file=str(certificate.ca_file), credentials=credentials)
        answer = await transport.send(plan, MESSAGE)
    assert outcome(answer) == (code, step)
    assert [message.user for message in sink.messages] == (["postroad"] if code == 250 else [])
    assert "open sesame" not in answer.reply.text


@pytest.mark.parametrize(
    ("mechanisms", "code"),
    [
        pytest.param(("LOGIN",), 250, id="LOGIN alone"),
        pytest.param(("PLAIN",), 250, id="PLAIN alone"),
        pytest.param(("XOAUTH2",), 0, id="nothing for a password"),
    ],
)
async def test_mechanisms(transport: SmtpTransport, mechanisms: tuple[str, ...], code: int) -> None:
    async with SmtpSink(users={"postroad": "open sesame"}, mechanisms=mechanisms) as sink:
        answer = await transport.send(plan_for(sink, credentials=LOGIN), MESSAGE)
    assert answer.reply.code == code
    assert code or "the server offers XOAUTH2" in answer.reply.text


async def test_a_wrong_password_is_shown_once(transport: SmtpTransport) -> None:
    """Not by every mechanism in turn: that locks accounts."""
    wrong = Credentials(username="postroad", secret="env:WRONG")
    async with SmtpSink(users={"postroad": "open sesame"}) as sink:
        assert outcome(await transport.send(plan_for(sink, credentials=wrong), MESSAGE)) == (535, Step.AUTH)
    assert sink.commands.count("AUTH") == 1


@pytest.mark.parametrize(
    ("server", "refused"),
    [
        pytest.param({"host": "mx.example"}, True, id="another host, in the clear"),
        pytest.param({"host": "192.0.2.1"}, True, id="another address, in the clear"),
        pytest.param({"host": "mx.example", "credentials": None}, False, id="nothing to lose"),
        pytest.param({"host": "mx.example", "security": Security.STARTTLS}, False, id="STARTTLS"),
        pytest.param({"host": "mx.example", "security": Security.TLS}, False, id="TLS"),
        pytest.param({"host": "localhost"}, False, id="this host by its name"),
        pytest.param({"host": "127.0.0.9"}, False, id="this host"),
        pytest.param({"host": "::1"}, False, id="this host, IPv6"),
    ],
)
def test_whether_a_password_would_be_exposed(server: dict[str, Any], refused: bool) -> None:
    row = replace(Smarthost(name="sink", host="", credentials=LOGIN), **server)
    assert bool(exposed(row)) is refused


async def test_a_password_is_never_sent_in_the_clear(transport: SmtpTransport) -> None:
    row = Smarthost(name="far", host="mx.example", credentials=LOGIN)
    answer = await transport.send(Plan(row, "", MARY, MARY, "", "bob@example.org"), MESSAGE)
    assert (answer.failure, answer.status, answer.step) == (FailureType.CONFIGURATION, "5.7.11", Step.AUTH)
    assert "set its security to starttls or tls" in answer.reply.text


TOKEN = {"env:TOKEN": b"Bearer a-token", "env:REFRESH": b"refresh"}


async def test_an_access_token_goes_by_xoauth2() -> None:
    transport = SmtpTransport("client.test", TOKEN.get, lambda: AT, Timeouts(2, 2, 2))
    bearer = Credentials(username="postroad", secret="env:TOKEN")
    async with SmtpSink(users={"postroad": "-"}, tokens=["a-token"]) as sink:
        assert outcome(await transport.send(plan_for(sink, credentials=bearer), MESSAGE)) == (250, Step.BODY)
    async with SmtpSink(users={"postroad": "-"}, tokens=["another"]) as sink:
        assert outcome(await transport.send(plan_for(sink, credentials=bearer), MESSAGE)) == (535, Step.AUTH)
    async with SmtpSink(users={"postroad": "-"}, mechanisms=["PLAIN"]) as sink:
        answer = await transport.send(plan_for(sink, credentials=bearer), MESSAGE)
    assert "XOAUTH2; the server offers PLAIN" in answer.reply.text
    await transport.close()


@pytest.mark.parametrize(
    ("tokens", "answers", "outcomes", "shown"),
    [
        pytest.param(["token-1"], [], [(250, Step.BODY)] * 2, ["token-1"] * 2, id="a kept one is used again"),
        pytest.param(["token-2"], [], [(250, Step.BODY)], ["token-1", "token-2"], id="535: once more with another"),
        pytest.param([], [], [(535, Step.AUTH)], ["token-1", "token-2"], id="535 twice"),
        pytest.param([], [(503, b"")], [(0, Step.AUTH)], [], id="no token to be had now: later"),
        pytest.param([], [(400, b'{"error": "invalid_grant"}')], [(0, Step.AUTH)], [], id="no token any more"),
    ],
)
async def test_oauth2(
    tokens: list[str], answers: list[Any], outcomes: list[tuple[int, Step]], shown: list[str]
) -> None:
    """RFC 6749 6; a token that the server refuses may have been revoked."""
    transport = SmtpTransport("client.test", TOKEN.get, lambda: AT, Timeouts(2, 2, 2))
    with token_endpoint() as endpoint:
        endpoint.answers.extend(answers)
        oauth2 = OAuth2(token_url=endpoint.url, client_id="postroad")
        login = Credentials(username="postroad", secret="env:REFRESH", oauth2=oauth2)
        async with SmtpSink(users={"postroad": "-"}, tokens=tokens) as sink:
            plan = plan_for(sink, credentials=login, mails_per_connection=1)
            got = [await transport.send(plan, MESSAGE) for _ in outcomes]
    assert [outcome(answer) for answer in got] == outcomes
    assert sink.shown == shown
    refused = [answer.failure for answer in got if "invalid_grant" in answer.reply.text]
    assert refused == [FailureType.CONFIGURATION] * (answers[:1] == [(400, b'{"error": "invalid_grant"}')])
    await transport.close()
