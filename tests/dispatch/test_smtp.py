"""SMTP out against a real server: every step that can end a transaction, pooled sessions, extensions (O8-O11)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.dispatch.attempt import Answer, Plan, Step
from postroad.dispatch.transports.session import Timeouts
from postroad.dispatch.transports.smtp import SmtpTransport
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import FailureType, Mailbox
from tests.dispatch.made import AT
from tests.support.scripted import scripted
from tests.support.smtp_sink import ANSWER_AND_DROP, DROP, KEEP_AND_DROP, SmtpSink

MESSAGE = b"Subject: hi\r\n\r\nHello\r\n.\r\n..dots\r\n"
PLAIN = b"Subject: hi\r\n\r\nHello\r\n"  # nothing to stuff: aiosmtpd counts the stuffed dots too
MARY = Mailbox(address="mary@example.com")
SECRETS = {"env:PASSWORD": b"open sesame", "env:WRONG": b"wrong"}


@pytest.fixture
async def transport() -> AsyncIterator[SmtpTransport]:
    made = SmtpTransport("client.test", SECRETS.get, lambda: AT, Timeouts(2, 2, 2))
    yield made
    await made.close()


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
@pytest.mark.parametrize("pipelining", [True, False], ids=["all at once", "one by one"])
async def test_names_the_step_that_ended_it(
    transport: SmtpTransport, script: Mapping[str, Any], code: int, step: Step, pipelining: bool
) -> None:
    async with SmtpSink(**script, pipelining=pipelining) as sink:
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


@pytest.mark.parametrize("pipelining", [True, False], ids=["all at once", "one by one"])
@pytest.mark.parametrize("data", ["", "354 for nobody"], ids=["DATA refused too", "DATA asked for all the same"])
async def test_one_bad_recipient_touches_no_other(transport: SmtpTransport, data: str, pipelining: bool) -> None:
    """O8: on the same session, one transaction after the other. RFC 2920 3.1: a message for nobody is a bare dot."""
    script = ["", data, ""] if pipelining else ()
    async with SmtpSink(rcpt={"b@x.test": "550 5.1.1 no"}, data=script, pipelining=pipelining) as sink:
        answers = [await transport.send(plan_for(sink, f"{one}@x.test"), MESSAGE) for one in "abc"]
    assert [answer.reply.code for answer in answers] == [250, 550, 250]
    assert (sink.connections, sink.commands.count("RSET")) == (1, 2)
    assert sink.commands.count(".") == bool(pipelining and data)


async def test_a_server_that_refused_the_sender_gets_no_dot(transport: SmtpTransport) -> None:
    """It may have taken the recipient, who would get an empty message."""
    async with SmtpSink(mail="550 5.7.1 not you", rcpt={"*": "250 but you"}, data="354 go on") as sink:
        assert outcome(await transport.send(plan_for(sink), MESSAGE)) == (550, Step.MAIL)
        await transport.send(plan_for(sink), MESSAGE)
    assert "." not in sink.commands
    assert sink.connections == 2
    assert not sink.messages


async def test_commands_go_out_together_only_where_that_is_offered(transport: SmtpTransport) -> None:
    """RFC 2920: seen by a server that answers nothing before it has read all there is."""
    for offered, seen in ((True, ["RSET", "MAIL", "RCPT", "DATA"]), (False, ["RSET"])):
        async with SmtpSink(pipelining=offered) as sink:
            await transport.send(plan_for(sink), MESSAGE)
            sink.tarpit = 0.3
            sending = asyncio.create_task(transport.send(plan_for(sink), MESSAGE))
            await asyncio.sleep(0.1)
            got = sink.received[-1].split(b"\r\n")
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        assert [line[:4].decode() for line in got if line] == seen


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
    async with SmtpSink(tarpit=0.02) as sink:
        sending = asyncio.create_task(transport.send(plan_for(sink), MESSAGE))
        await sink.seen("MAIL")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await transport.send(plan_for(sink), MESSAGE)
        assert sink.connections == 2


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


@pytest.mark.parametrize(
    ("offer", "option"),
    [
        pytest.param("SIZE", " SIZE=", id="without a number"),
        pytest.param("SIZE lots", " SIZE=", id="with a number that is none"),
        pytest.param("SIZE 0", " SIZE=", id="0: no fixed limit (RFC 1870 4)"),
        pytest.param("HELP", "", id="not offered"),
    ],
)
async def test_a_size_that_says_nothing_refuses_nothing(transport: SmtpTransport, offer: str, option: str) -> None:
    script = [("EHLO", f"250-sink.test\r\n250 {offer}"), ("MAIL", "552 5.3.4 too big all the same")]
    async with scripted("220 sink.test", script) as (port, lines):
        row = Smarthost(name="sink", host="127.0.0.1", port=port)
        answer = await transport.send(Plan(row, "", MARY, MARY, "", "bob@example.org"), MESSAGE)
    assert (outcome(answer), answer.failure) == ((552, Step.MAIL), None)
    assert lines[-1] == f"MAIL FROM:<>{option and option + str(len(MESSAGE))}"


async def test_kept_but_unanswered_is_the_one_window_that_stays_open(transport: SmtpTransport) -> None:
    """O10: the repeat has the same Message-ID, so the receiving side can see that it is one."""
    async with SmtpSink(body=[KEEP_AND_DROP]) as sink:
        first = await transport.send(plan_for(sink), MESSAGE)
        second = await transport.send(plan_for(sink), MESSAGE)
    assert [outcome(first), outcome(second)] == [(0, Step.BODY), (250, Step.BODY)]
    assert sink.messages[0].content == sink.messages[1].content
