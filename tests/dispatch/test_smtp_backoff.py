"""A destination that defers everybody, and a server that cannot be had, are left alone for a while (O8, O11)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from postroad.dispatch.attempt import Answer, Plan, Step
from postroad.dispatch.transports import TRANSPORTS
from postroad.dispatch.transports.session import Timeouts
from postroad.dispatch.transports.smtp import SmtpTransport
from tests.dispatch.made import AT
from tests.dispatch.test_smtp import MESSAGE, plan_for
from tests.support.smtp_sink import DROP, SmtpSink

LATER = "451 4.3.0 later"


class Clock:
    now: datetime = AT

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def transport(clock: Clock) -> AsyncIterator[SmtpTransport]:
    made = TRANSPORTS["smtp"]("client.test", lambda _: None, clock, Timeouts(2, 2, 2))
    assert isinstance(made, SmtpTransport)
    yield made
    await made.close()


async def send(transport: SmtpTransport, sink: SmtpSink, times: int = 1, domain: str = "full.test") -> list[Answer]:
    return [await transport.send(plan_for(sink, f"{number}@{domain}"), MESSAGE) for number in range(times)]


def tried(answers: list[Answer]) -> list[bool]:
    return [not answer.reply.text.startswith("not tried") for answer in answers]


@pytest.mark.parametrize(
    ("script", "times", "goes_on"),
    [
        pytest.param({"rcpt": {"*": LATER}}, 5, False, id="4yz at RCPT"),
        pytest.param({"data": LATER}, 5, False, id="4yz at DATA"),
        pytest.param({"body": LATER}, 5, False, id="4yz after the body"),
        pytest.param({"body": DROP}, 5, False, id="connections lost in the middle"),
        pytest.param({"rcpt": {"*": LATER}}, 4, True, id="one short of five"),
        pytest.param({"body": [LATER] * 4 + ["550 5.7.1 no"]}, 5, True, id="a final no among them"),
        pytest.param({"body": [LATER] * 4}, 5, True, id="a success among them"),
        pytest.param({"mail": LATER}, 9, True, id="4yz at MAIL is about us"),
        pytest.param({"rcpt": {"*": "452 4.2.2 full"}}, 9, True, id="full mailboxes are each their own"),
        pytest.param({"rcpt": {"*": "450 4.7.1 Greylisted, try again"}}, 9, True, id="greylisting is of each pair"),
    ],
)
async def test_after_five_in_a_row(transport: SmtpTransport, script: dict[str, Any], times: int, goes_on: bool) -> None:
    async with SmtpSink(**script) as sink:
        await send(transport, sink, times)
        assert tried(await send(transport, sink)) == [goes_on]
        assert tried(await send(transport, sink, domain="other.test")) == [True]


async def test_is_told_as_deferred_in_the_words_of_the_last_one(transport: SmtpTransport) -> None:
    async with SmtpSink(rcpt={"*": "451 4.7.24 SPF"}) as sink:
        answer = (await send(transport, sink, 6))[-1]
    assert (answer.reply.code, answer.step, answer.failure, answer.status) == (0, Step.RCPT, None, "4.7.24")
    words = "not tried: full.test deferred the last 5 messages, the last one with: 451 4.7.24 SPF"
    assert answer.reply.text == words


async def test_one_is_let_through_and_a_success_clears_it(transport: SmtpTransport, clock: Clock) -> None:
    async with SmtpSink(rcpt={f"{number}@full.test": LATER for number in range(9)}) as sink:
        await send(transport, sink, 5)
        clock.pass_(seconds=70)
        assert tried(await send(transport, sink, 3)) == [True, False, False]
        clock.pass_(seconds=70)
        assert tried(await send(transport, sink)) == [False], "the second pause is two minutes"
        clock.pass_(seconds=70)
        sink.rcpt = {}
        assert tried(await send(transport, sink, 3)) == [True, True, True]
    assert len(sink.messages) == 3


async def test_the_last_attempt_is_always_made(transport: SmtpTransport) -> None:
    """O8: nothing fails without having been tried."""
    async with SmtpSink(rcpt={"*": LATER}) as sink:
        await send(transport, sink, 5)
        answer = await transport.send(plan_for(sink, "a@full.test"), MESSAGE, last=True)
    assert answer.reply.code == 451


async def test_a_probe_that_is_cancelled_lets_another_through(transport: SmtpTransport, clock: Clock) -> None:
    async with SmtpSink(rcpt={"*": LATER}) as sink:
        await send(transport, sink, 5)
        clock.pass_(seconds=70)
        sink.tarpit = 1
        probe = asyncio.create_task(transport.send(plan_for(sink, "a@full.test"), MESSAGE))
        await asyncio.sleep(0.05)
        assert tried(await send(transport, sink)) == [False]
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        sink.tarpit = 0
        assert tried(await send(transport, sink)) == [True]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"connect": "421 4.3.2 busy"}, id="refused in the greeting"),
        pytest.param({"connect": DROP}, id="lost before the greeting"),
        pytest.param({"helo": DROP}, id="lost at EHLO"),
    ],
)
async def test_a_server_that_cannot_be_had(transport: SmtpTransport, clock: Clock, script: dict[str, Any]) -> None:
    async with SmtpSink(**script) as sink:
        assert tried(await send(transport, sink, 5)) == [True, True, True, False, False]
        assert sink.connections == 3
        clock.pass_(seconds=6)
        sink.connect = sink.helo = ()
        (answer,) = await send(transport, sink)
        assert answer.reply.code == 250
        sink.connect = "421 4.3.2 busy"
        assert tried(await send(transport, sink, 3)) == [True] * 3, "the session that is open is used"


async def test_a_server_that_cannot_be_had_answers_at_once(transport: SmtpTransport) -> None:
    """Nobody waits for its time-outs who need not."""
    async with SmtpSink() as sink:
        plan = plan_for(sink)
    answers = await asyncio.gather(*(transport.send(plan, MESSAGE) for _ in range(50)))
    assert {answer.step for answer in answers} == {Step.CONNECT}
    assert 3 <= sum(tried(list(answers))) <= 3 + plan.server.connections
    assert {answer.status for answer in answers if answer.status} == {"4.4.1"}


async def test_a_changed_row_is_tried_at_once(transport: SmtpTransport) -> None:
    async with SmtpSink(connect="421 4.3.2 busy") as sink, SmtpSink() as other:
        assert tried(await send(transport, sink, 4)) == [True] * 3 + [False]
        plan: Plan = plan_for(other)
        assert (await transport.send(plan, MESSAGE)).reply.code == 250
