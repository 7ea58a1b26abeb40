"""A real Postfix as our smarthost: STARTTLS with its own CA, pipelining, refusals in the middle of a session."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from postroad.dispatch.attempt import Answer, Plan, Step
from postroad.dispatch.transports.smtp import SmtpTransport
from postroad_schemas.directory import Security, Smarthost
from tests.dispatch.made import AT
from tests.dispatch.test_smtp import MARY, MESSAGE
from tests.support.postfix import Postfix, postfix
from tests.support.smtp_sink import SmtpSink

ACCESS = {"no@far.test": "550 5.1.1 no such user", "later@far.test": "450 4.2.1 later"}
RULES = ", ".join(f"{{ {address} = {reply} }}" for address, reply in ACCESS.items())
SETTINGS = {"smtpd_recipient_restrictions": f"check_recipient_access inline:{{ {RULES} }}, permit_mynetworks, reject"}


@dataclass
class Relayed:
    peer: Postfix
    sink: SmtpSink
    transport: SmtpTransport

    async def send(self, recipient: str, message: bytes = MESSAGE, ca_file: str | None = None) -> Answer:
        trusted = str(self.peer.certificate.ca_file) if ca_file is None else ca_file
        row = Smarthost(
            name="postfix",
            host="127.0.0.1",
            port=self.peer.port,
            security=Security.STARTTLS,
            ca_file=trusted,
            connections=1,
        )
        return await self.transport.send(Plan(row, "", MARY, MARY, "bounce@example.com", recipient), message)


@asynccontextmanager
async def relayed() -> AsyncIterator[Relayed]:
    async with SmtpSink() as sink:
        with postfix((sink.host, sink.port), settings=SETTINGS) as peer:
            transport = SmtpTransport("client.test", lambda _: None, lambda: AT)
            yield Relayed(peer, sink, transport)
            await transport.close()


async def test_what_it_takes_arrives_and_what_it_refuses_is_told() -> None:
    wanted = ["a", "no", "b", "later", "c", "no", "d"]
    async with relayed() as way:
        answers = [await way.send(f"{one}@far.test") for one in wanted]
        arrived = await way.sink.wait(4, 30)
        log = way.peer.log()
    assert [answer.reply.code for answer in answers] == [250, 550, 250, 450, 250, 550, 250]
    assert {answer.step for answer in answers if answer.reply.code != 250} == {Step.RCPT}
    assert {message.rcpt_tos for message in arrived} == {(f"{one}@far.test",) for one in "abcd"}
    assert all(message.content.endswith(b"\r\n\r\nHello\r\n.\r\n..dots\r\n") for message in arrived)
    session = log.partition("lost connection after CONNECT")[2]  # of who looked whether it listens
    assert session.count(": connect from") == 1, "one session for all"
    assert "improper command pipelining" not in session
    assert "lost connection" not in session


async def test_a_certificate_that_nobody_vouches_for() -> None:
    async with relayed() as way:
        answer = await way.send("a@far.test", ca_file="")
        assert (answer.step, answer.reply.code) == (Step.TLS, 0)
        assert not way.sink.messages


async def test_many_at_once() -> None:
    async with relayed() as way:
        answers = await asyncio.gather(*(way.send(f"{number}@far.test") for number in range(100)))
        arrived = await way.sink.wait(100, 60)
    assert {answer.reply.code for answer in answers} == {250}
    assert len({message.rcpt_tos for message in arrived}) == 100
