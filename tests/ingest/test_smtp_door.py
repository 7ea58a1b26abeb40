"""The SMTP door with real sessions: 250 after acceptance and not before."""

import asyncio
import smtplib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from postroad.runtime.worker import Unavailable
from postroad_schemas.mail import MailReceived
from postroad_schemas.values import ObjectRef
from tests.ingest.dialog import MAIL, TRANSACTION, Client, door, greeted


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


def session(port: int, talk: Callable[[smtplib.SMTP], Any]) -> Any:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
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


COMMANDS = b"MAIL FROM:<b@example.org>\r\nRCPT TO:<sales@example.com>\r\nDATA\r\n"


async def test_what_is_pipelined_is_answered_in_order_and_what_stands_behind_a_mail_is_commands() -> None:
    """RFC 2920: DATA is the last of a group; here a client does not even wait for its 354."""
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    async with door(publish) as opened, greeted(opened.port) as client:
        client.writer.write(b"EHLO c.example\r\n" + (COMMANDS + MAIL + b".\r\n") * 2 + b"NOOP\r\nQUIT\r\n")
        codes = [(await client.reply())[:3] for _ in range(11)]

    assert codes == ["250", *("250", "250", "354", "250") * 2, "250", "221"]
    assert len(published) == 2


ENDINGS = [  # as they were published, and NULs that some do not see
    *(b"\n.\n", b"\n.\r\n", b"\n.\r", b"\r.\r", b"\r.\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\r\r\n"),
    *(b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\n\0.\0\n"),
]


async def waiting(client: Client, content: bytes) -> str:
    return await client.mail(content)


async def pipelined(client: Client, content: bytes) -> str:
    """RFC 2920, the message with its commands in one write."""
    client.writer.write("\r\n".join((*TRANSACTION, "")).encode() + content + b".\r\n")
    return [await client.reply() for _ in range(5)][-1]


async def octet_by_octet(client: Client, content: bytes) -> str:
    """Around the ending each octet is a packet of its own."""
    await client.say(*TRANSACTION)
    client.writer.write(content[: len(MAIL)])
    for octet in content[len(MAIL) : len(MAIL) + 10]:
        client.writer.write(bytes([octet]))
        await asyncio.sleep(0.001)
    return await client.raw(content[len(MAIL) + 10 :] + b".\r\n")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("choice", ["refuse", "accept"])
@pytest.mark.parametrize("send", [waiting, pipelined, octet_by_octet])
async def test_no_message_is_smuggled_behind_another_ending(
    ending: bytes, choice: str, send: Callable[[Client, bytes], Awaitable[str]]
) -> None:
    """Refused: nothing comes in. Accepted: one mail, and the other is its text."""
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    async with door(publish, bare_newlines=choice) as opened, greeted(opened.port) as client:
        reply = await send(client, MAIL + ending + COMMANDS + MAIL)
        assert (await client.say("NOOP")).startswith("250")

    assert reply[:3] == ("550" if choice == "refuse" else "250")
    assert len(published) == (choice == "accept")


async def test_lines_that_end_with_lf_alone_are_taken_unchanged() -> None:
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    content = MAIL.replace(b"\r\n", b"\n")
    async with door(publish) as opened, greeted(opened.port) as client:
        assert (await client.mail(content + b"\r\n")).startswith("250")
        assert await opened._tools.store.get(published[0].raw.ref) == content + b"\r\n"


async def test_a_large_mail_is_accepted_as_it_was_sent() -> None:
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    content = MAIL + b"".join(b"line %d\r\n" % number for number in range(70_000))
    async with door(publish) as opened, greeted(opened.port) as client:
        assert (await client.mail(content)).startswith("250")
        assert await opened._tools.store.get(published[0].raw.ref) == content
        assert opened._desk.flight.octets == 0


async def test_who_goes_away_within_a_mail_leaves_nothing() -> None:
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    async with door(publish) as opened:
        async with greeted(opened.port) as client:
            await client.say("EHLO c.example", "MAIL FROM:<a@example.org>", "RCPT TO:<sales@example.com>", "DATA")
            client.writer.write(MAIL + b"x" * 100_000)
            await client.writer.drain()
        await opened._desk.left()
        assert opened._desk.flight.octets == 0
    assert not published


async def test_a_session_has_one_id_and_its_mails_are_counted() -> None:
    """I8: two sessions never give the same event."""
    published: list[Any] = []

    async def publish(events: Sequence[Any]) -> None:
        published.extend(events)

    async def twice(client: Client) -> None:
        for _ in range(2):
            assert (await client.mail()).startswith("250")

    async with door(publish) as opened, greeted(opened.port) as one, greeted(opened.port) as other:
        await asyncio.gather(twice(one), twice(other))

    assert len({event.event_id for event in published}) == 4
