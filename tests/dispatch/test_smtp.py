"""SMTP out against a real server: every step that can end a transaction, TLS, AUTH, pooled sessions (O8-O11)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.dispatch.attempt import Answer, Plan, Step
from postroad.dispatch.transports.session import Timeouts
from postroad.dispatch.transports.smtp import SmtpTransport
from postroad_schemas.directory import Credentials, Security, Smarthost
from postroad_schemas.values import FailureType, Mailbox
from tests.dispatch.made import AT
from tests.support.smtp_sink import ANSWER_AND_DROP, DROP, KEEP_AND_DROP, Certificate, SmtpSink, make_certificate

MESSAGE = b"Subject: hi\r\n\r\nHello\r\n.\r\n..dots\r\n"
PLAIN = b"Subject: hi\r\n\r\nHello\r\n"  # nothing to stuff: aiosmtpd counts the stuffed dots too
MARY = Mailbox(address="mary@example.com")
SECRETS = {"env:PASSWORD": b"open sesame", "env:WRONG": b"wrong"}
LOGIN = Credentials(username="postroad", secret="env:PASSWORD")


@pytest.fixture
async def transport() -> AsyncIterator[SmtpTransport]:
    made = SmtpTransport("client.test", SECRETS.get, lambda: AT, Timeouts(2, 2, 2))
    yield made
    await made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def plan_for(sink: SmtpSink, recipient: str = "bob@example.org", *, smtputf8: bool = False, **server: Any) -> Plan:
    row = replace(Smarthost(name="sink", host=sink.host, port=sink.port), **server)
    return Plan(row, "no filter", MARY, MARY, "bounce+abc@example.com", recipient, smtputf8)


def outcome(answer: Answer) -> tuple[int, Step]:
    return answer.reply.code, answer.step


async def test_delivers_the_message_byte_for_byte(transport: SmtpTransport) -> None:
    async with SmtpSink() as sink:
        answer = await transport.send(plan_for(sink), MESSAGE)
    (message,) = sink.messages
    assert outcome(answer) == (250, Step.BODY)
    assert (message.mail_from, message.rcpt_tos) == ("bounce+abc@example.com", ("bob@example.org",))
    assert message.content == MESSAGE
    assert f"MAIL FROM:<bounce+abc@example.com> SIZE={len(MESSAGE)}" in sink.commands
    assert "EHLO client.test" in sink.commands


async def test_sends_notices_from_the_null_reverse_path(transport: SmtpTransport) -> None:
    async with SmtpSink() as sink:
        plan = plan_for(sink)
        await transport.send(Plan(plan.server, "", MARY, MARY, "", "bob@example.org"), MESSAGE)
    assert sink.messages[0].mail_from == ""
    assert sink.commands[1].startswith("MAIL FROM:<> ")


@pytest.mark.parametrize(
    ("script", "code", "step"),
    [
        pytest.param({"connect": "421 4.3.2 later"}, 421, Step.CONNECT, id="refused in the greeting"),
        pytest.param({"connect": DROP}, 0, Step.CONNECT, id="lost before the greeting"),
        pytest.param({"helo": "550 5.7.1 not you"}, 550, Step.HELO, id="refused at EHLO and HELO"),
        pytest.param({"mail": "451 4.3.0 not now"}, 451, Step.MAIL, id="deferred at MAIL"),
        pytest.param({"mail": DROP}, 0, Step.MAIL, id="lost at MAIL"),
        pytest.param({"rcpt": {"bob@example.org": "550 5.1.1 no"}}, 550, Step.RCPT, id="refused at RCPT"),
        pytest.param({"rcpt": {"*": DROP}}, 0, Step.RCPT, id="lost at RCPT"),
        pytest.param({"rcpt": {"*": "251 5.1.1 elsewhere"}}, 503, Step.DATA, id="no recipient after all"),
        pytest.param({"greylist": "450 4.7.1 greylisted"}, 450, Step.RCPT, id="greylisted"),
        pytest.param({"data": "554 5.5.1 no"}, 554, Step.DATA, id="refused at DATA"),
        pytest.param({"data": "250 what"}, 250, Step.DATA, id="anything but 354 at DATA"),
        pytest.param({"body": "552 5.2.2 full"}, 552, Step.BODY, id="refused after the body"),
        pytest.param({"body": DROP}, 0, Step.BODY, id="O10: lost before the 250"),
        pytest.param({"body": ANSWER_AND_DROP}, 250, Step.BODY, id="O10: lost after the 250 is sent"),
    ],
)
async def test_names_the_step_that_ended_it(
    transport: SmtpTransport, script: Mapping[str, Any], code: int, step: Step
) -> None:
    async with SmtpSink(**script) as sink:
        answer = await transport.send(plan_for(sink), MESSAGE)
    assert outcome(answer) == (code, step)
    assert answer.failure is None
    assert answer.reply.text


async def test_nobody_listens(transport: SmtpTransport) -> None:
    async with SmtpSink() as sink:
        plan = plan_for(sink)
    assert outcome(await transport.send(plan, MESSAGE)) == (0, Step.CONNECT)


async def test_a_tarpit_ends_with_our_patience(transport: SmtpTransport) -> None:
    hasty = SmtpTransport("client.test", SECRETS.get, lambda: AT, Timeouts(0.05, 0.05, 0.05))
    async with SmtpSink(tarpit=5) as sink:
        assert outcome(await hasty.send(plan_for(sink), MESSAGE)) == (0, Step.CONNECT)
    async with SmtpSink(tarpit=0.01) as sink:
        assert outcome(await transport.send(plan_for(sink), MESSAGE)) == (250, Step.BODY)


async def test_one_bad_recipient_touches_no_other(transport: SmtpTransport) -> None:
    """O8: on the same session, one transaction after the other."""
    async with SmtpSink(rcpt={"b@x.test": "550 5.1.1 no"}) as sink:
        answers = [await transport.send(plan_for(sink, f"{one}@x.test"), MESSAGE) for one in "abc"]
    assert [answer.reply.code for answer in answers] == [250, 550, 250]
    assert (sink.connections, sink.commands.count("RSET")) == (1, 2)


async def test_an_idle_session_that_the_server_closed_is_no_failure(transport: SmtpTransport) -> None:
    async with SmtpSink() as sink:
        for _ in range(3):
            assert outcome(await transport.send(plan_for(sink), MESSAGE)) == (250, Step.BODY)
            sink.drop_all()
    assert (len(sink.messages), sink.connections) == (3, 3)


async def test_a_session_that_answers_rset_with_421_is_replaced(transport: SmtpTransport) -> None:
    async with SmtpSink(rset="421 4.4.2 idle too long") as sink:
        for _ in range(2):
            assert outcome(await transport.send(plan_for(sink), MESSAGE)) == (250, Step.BODY)
    assert sink.connections == 2


async def test_sessions_are_pooled_within_their_limits(transport: SmtpTransport) -> None:
    """O11."""
    async with SmtpSink(tarpit=0.005) as sink:
        plan = plan_for(sink, connections=3, mails_per_connection=5)
        answers = await asyncio.gather(*(transport.send(plan, MESSAGE) for _ in range(30)))
        assert {outcome(answer) for answer in answers} == {(250, Step.BODY)}
        assert len(sink.messages) == 30
        assert 6 <= sink.connections <= 8


async def test_no_more_connections_at_once_than_allowed(transport: SmtpTransport) -> None:
    async with SmtpSink(tarpit=0.02) as sink:
        sending = [asyncio.create_task(transport.send(plan_for(sink, connections=2), MESSAGE)) for _ in range(8)]
        while not all(task.done() for task in sending):
            assert sink.open_connections <= 2
            await asyncio.sleep(0.005)
    assert len(sink.messages) == 8


async def test_keeps_to_the_rate(transport: SmtpTransport) -> None:
    async with SmtpSink() as sink:
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(transport.send(plan_for(sink, rate=20), MESSAGE) for _ in range(5)))
        assert asyncio.get_running_loop().time() - started >= 0.2


async def test_idle_sessions_leave_with_quit() -> None:
    transport = SmtpTransport("client.test", SECRETS.get, lambda: AT, Timeouts(2, 2, 2), idle=0.02)
    async with SmtpSink() as sink:
        await transport.send(plan_for(sink), MESSAGE)
        await sink.seen("QUIT")


async def test_a_changed_row_gets_sessions_of_its_own(transport: SmtpTransport) -> None:
    async with SmtpSink() as one, SmtpSink() as other:
        await transport.send(plan_for(one), MESSAGE)
        await transport.send(plan_for(other), MESSAGE)
    assert (len(one.messages), len(other.messages)) == (1, 1)


async def test_a_cancelled_transaction_leaves_no_session_behind(transport: SmtpTransport) -> None:
    async with SmtpSink(tarpit=0.1) as sink:
        sending = asyncio.create_task(transport.send(plan_for(sink), MESSAGE))
        await sink.seen("MAIL")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await transport.send(plan_for(sink), MESSAGE)
        assert sink.connections == 2


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


async def test_smtputf8_is_asked_for_only_where_it_is_needed(transport: SmtpTransport) -> None:
    """O9, RFC 6531."""
    utf8 = "To: jürgen@example.org\r\n\r\n".encode()
    async with SmtpSink() as sink:
        await transport.send(plan_for(sink, "jürgen@example.org", smtputf8=True), utf8)
        await transport.send(plan_for(sink), MESSAGE)
    assert [set(message.mail_options) & {"SMTPUTF8", "BODY=8BITMIME"} for message in sink.messages] == [
        {"SMTPUTF8", "BODY=8BITMIME"},
        set(),
    ]
    assert sink.messages[0].rcpt_tos == ("jürgen@example.org",)


async def test_without_smtputf8_that_mail_alone_fails(transport: SmtpTransport) -> None:
    async with SmtpSink(smtputf8=False) as sink:
        alone = await transport.send(plan_for(sink, "jürgen@example.org", smtputf8=True), MESSAGE)
        other = await transport.send(plan_for(sink), MESSAGE)
    assert (alone.failure, alone.status) == (FailureType.SMTPUTF8_NEEDED, "5.6.7")
    assert (outcome(other), sink.connections) == ((250, Step.BODY), 1)


@pytest.mark.parametrize(
    ("announced", "ours", "sent"),
    [
        pytest.param(len(PLAIN), 0, True, id="exactly the announced size"),
        pytest.param(len(PLAIN) - 1, 0, False, id="one octet more"),
        pytest.param(10**6, len(PLAIN) - 1, False, id="more than the row's own limit"),
    ],
)
async def test_size(transport: SmtpTransport, announced: int, ours: int, sent: bool) -> None:
    """O14, RFC 1870."""
    async with SmtpSink(size=announced) as sink:
        answer = await transport.send(plan_for(sink, size_limit=ours), PLAIN)
    assert (answer.failure is None) is sent
    assert len(sink.messages) == sent


async def test_kept_but_unanswered_is_the_one_window_that_stays_open(transport: SmtpTransport) -> None:
    """O10: the repeat has the same Message-ID, so the receiving side can see that it is one."""
    async with SmtpSink(body=[KEEP_AND_DROP]) as sink:
        first = await transport.send(plan_for(sink), MESSAGE)
        second = await transport.send(plan_for(sink), MESSAGE)
    assert [outcome(first), outcome(second)] == [(0, Step.BODY), (250, Step.BODY)]
    assert sink.messages[0].content == sink.messages[1].content
