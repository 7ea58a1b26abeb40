"""The SMTP door with real sessions: 250 after acceptance and not before."""

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Smtp
from postroad.runtime.worker import Unavailable
from postroad_schemas.directory import Parameter
from postroad_schemas.mail import MailReceived
from postroad_schemas.values import ObjectRef
from tests.support.declared import tools

MAIL = b"From: anna@example.org\r\nTo: sales@example.com\r\nMessage-ID: <1@example.org>\r\nSubject: Hi\r\n\r\nHello\r\n"


class Broken:
    """A store that cannot be written to."""

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        return [await self.put(content) for content in contents]

    async def put(self, content: bytes) -> ObjectRef:
        raise Unavailable("the disk is full")

    async def get(self, ref: str) -> bytes:
        raise LookupError(ref)

    async def delete(self, ref: str) -> None:
        raise Unavailable("the disk is full")


@asynccontextmanager
async def door(
    publish: Callable[[Sequence[Any]], Awaitable[None]], store: Any = None, **smtp: Any
) -> AsyncIterator[SmtpDoor]:
    config = Config(smtp=Smtp(port=0, hostname="mx.example.com", **smtp))
    given = tools(publish, config=config)
    if store is not None:
        given = type(given)(given.publish, given.views, store, given.clock, given.config)
    opened = SmtpDoor(given)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


def session(port: int, talk: Callable[[smtplib.SMTP], Any]) -> Any:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.ehlo("client.example")
        return talk(client)


def data(client: smtplib.SMTP, raw: bytes = MAIL, recipient: str = "sales@example.com") -> tuple[int, bytes]:
    client.mail("anna@example.org")
    client.rcpt(recipient)
    return client.data(raw)


async def test_250_comes_after_the_event_is_acknowledged() -> None:
    order: list[str] = []
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        await asyncio.sleep(0.05)
        published.extend(events)
        order.append("acknowledged")

    async with door(publish) as opened:
        code, text = await asyncio.to_thread(session, opened.port, data)
        order.append("answered")

    [event] = published
    assert isinstance(event, MailReceived)
    assert (code, event.event_id in text.decode()) == (250, True)
    assert order == ["acknowledged", "answered"]
    assert event.envelope.rcpt_to == ("sales@example.com",)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("anna@example.org", "anna@example.org", id="an address"),
        pytest.param("", "", id="the null reverse-path"),
    ],
)
async def test_the_reverse_path_is_kept_as_given(given: str, kept: str) -> None:
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    def talk(client: smtplib.SMTP) -> None:
        client.sendmail(given, ["sales@example.com"], MAIL)

    async with door(publish) as opened:
        await asyncio.to_thread(session, opened.port, talk)

    assert [event.envelope.mail_from for event in published] == [kept]


async def test_each_acceptance_is_an_event_of_its_own() -> None:
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    async with door(publish) as opened:
        await asyncio.to_thread(session, opened.port, lambda client: (data(client), data(client)))

    assert len({event.event_id for event in published}) == 2
    assert len({event.raw.ref for event in published}) == 1


@pytest.mark.parametrize(
    ("store", "broker", "code"),
    [
        pytest.param(Broken(), None, 451, id="store unwritable"),
        pytest.param(None, Unavailable("no broker"), 451, id="broker away"),
        pytest.param(None, ValueError("a fault of ours"), 451, id="an unforeseen error is not an acceptance"),
    ],
)
async def test_what_is_not_durable_is_answered_not_now(store: Any, broker: Exception | None, code: int) -> None:
    async def publish(events: Sequence[Any]) -> None:
        if broker is not None:
            raise broker

    async with door(publish, store) as opened:
        answer = await asyncio.to_thread(session, opened.port, data)

    assert (answer[0], answer[1].split()[0]) == (code, b"4.3.0")


SIZE = Parameter(name="mail.smtp.size", value="1000000")


async def nothing(events: Sequence[Any]) -> None:
    """Acknowledges everything."""


@pytest.mark.parametrize(
    ("talk", "code", "status"),
    [
        pytest.param(lambda c: c.docmd("RCPT", "TO:<sales@example.com>"), 503, "5.5.1", id="RCPT before MAIL"),
        pytest.param(
            lambda c: (c.mail("a@example.org"), c.rcpt("nobody@example.com"))[1], 550, "5.1.1", id="unknown recipient"
        ),
        pytest.param(
            lambda c: (c.mail("a@example.org"), c.rcpt("anna@elsewhere.example"))[1], 550, "5.7.1", id="relaying"
        ),
        pytest.param(
            lambda c: (c.mail("a@example.org"), c.rcpt("nobody@example.com"), c.docmd("DATA"))[2],
            503,
            "5.5.1",
            id="DATA without an accepted recipient",
        ),
        pytest.param(
            lambda c: c.docmd("MAIL", "FROM:<a@example.org> SIZE=99999999"), 552, "5.3.4", id="announced too large"
        ),
        pytest.param(lambda c: data(c, MAIL + b"x\r\n" * 400_000), 552, "5.3.4", id="too large while read"),
        pytest.param(lambda c: data(c, MAIL + b"x" * 200_000), 500, "5.6.0", id="a line too long"),
    ],
)
async def test_each_refusal_has_an_enhanced_status(talk: Any, code: int, status: str) -> None:
    async with door(nothing) as opened:
        opened._tools.views.apply("directory", "parameter/mail.smtp.size", SIZE)
        answer = await asyncio.to_thread(session, opened.port, talk)

    assert (answer[0], answer[1].split()[0].decode()) == (code, status)


async def test_too_many_connections_are_told_so() -> None:
    async with door(nothing, max_connections=1) as opened:
        with socket.create_connection(("127.0.0.1", opened.port)) as first:
            await asyncio.to_thread(first.recv, 200)
            with socket.create_connection(("127.0.0.1", opened.port)) as second:
                assert (await asyncio.to_thread(second.recv, 200)).startswith(b"421 4.7.0")


async def test_too_many_recipients_are_asked_to_come_later() -> None:
    def talk(client: smtplib.SMTP) -> int:
        client.mail("a@example.org")
        client.rcpt("sales@example.com")
        return client.rcpt("catchall@example.com")[0]

    async with door(nothing, max_recipients=1) as opened:
        assert await asyncio.to_thread(session, opened.port, talk) == 452


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(b"\n.\n", id="bare LF"),
        pytest.param(b"\r.\r", id="bare CR"),
        pytest.param(b"\n.\r\n", id="LF dot CRLF"),
        pytest.param(b"\r\n.\n", id="CRLF dot LF"),
        pytest.param(b"\r\n.\r", id="CRLF dot CR"),
    ],
)
async def test_no_message_is_smuggled_behind_another_ending(ending: bytes) -> None:
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    inner = b"MAIL FROM:<b@example.org>\r\nRCPT TO:<sales@example.com>\r\nDATA\r\n" + MAIL
    async with door(publish) as opened:

        def talk() -> bytes:
            with socket.create_connection(("127.0.0.1", opened.port), timeout=10) as raw, raw.makefile("rb") as lines:
                lines.readline()
                for command in (
                    b"HELO c.example",
                    b"MAIL FROM:<a@example.org>",
                    b"RCPT TO:<sales@example.com>",
                    b"DATA",
                ):
                    raw.sendall(command + b"\r\n")
                    lines.readline()
                raw.sendall(MAIL + ending + inner + b"\r\n.\r\n")
                return lines.readline()

        assert (await asyncio.to_thread(talk)).startswith(b"250")

    assert len(published) == 1


async def test_a_stop_finishes_what_is_being_taken_in() -> None:
    started = asyncio.Event()

    async def publish(events: Sequence[Any]) -> None:
        started.set()
        await asyncio.sleep(0.3)

    async with door(publish) as opened:
        sending = asyncio.create_task(asyncio.to_thread(session, opened.port, data))
        await started.wait()
        await opened.stop()
        assert (await sending)[0] == 250
