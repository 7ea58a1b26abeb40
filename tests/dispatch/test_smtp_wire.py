"""Replies as they come off a connection (RFC 5321 4.2, RFC 2920): in pieces, several at once, unasked, endless."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from postroad.dispatch.transports.wire import Lost, Wire
from postroad_schemas.values import Reply


@asynccontextmanager
async def wire_to(*pieces: bytes, keep: bool = True) -> AsyncIterator[Wire]:
    """A connection to a server that says these pieces one after another once it got a line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        if keep:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
    wire = Wire(transport)
    try:
        yield wire
    finally:
        wire.close()
        server.close()
        await asyncio.sleep(0.02)  # the other side sees its end


@pytest.mark.parametrize(
    ("pieces", "replies"),
    [
        pytest.param((b"250 2.1.0 ok\r\n",), [(250, "2.1.0 ok")], id="one"),
        pytest.param((b"250 a\r\n550 b\r\n354 c\r\n",), [(250, "a"), (550, "b"), (354, "c")], id="three at once"),
        pytest.param((b"25", b"0 a\r", b"\n5", b"50 b\r\n"), [(250, "a"), (550, "b")], id="in pieces"),
        pytest.param((b"550-5.1.1 no\r\n550-such\r\n550 user\r\n",), [(550, "5.1.1 no\nsuch\nuser")], id="lines"),
        pytest.param((b"550-a\r\n", b"550 b\r\n250 c\r\n"), [(550, "a\nb"), (250, "c")], id="lines in pieces"),
        pytest.param((b"250\r\n",), [(250, "")], id="no words"),
        pytest.param((b"250 a\n",), [(250, "a")], id="a bare line feed"),
        pytest.param((b"550 caf\xe9\r\n",), [(550, "caf\N{REPLACEMENT CHARACTER}")], id="words that are not UTF-8"),
        pytest.param((b"550 " + b"x" * 9000 + b"\r\n",), [(550, "x" * 2000)], id="long words"),
    ],
)
async def test_reads(pieces: tuple[bytes, ...], replies: list[tuple[int, str]]) -> None:
    async with wire_to(*pieces) as wire:
        wire.say(*[b"NOOP"] * len(replies))
        assert [await wire.reply(2) for _ in replies] == [Reply(code=code, text=text) for code, text in replies]
        assert wire.is_open


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        pytest.param((b"HTTP/1.1 400 Bad Request\r\n",), "no reply of SMTP: HTTP/1.1", id="another protocol"),
        pytest.param((b"150 wait\r\n",), "no reply of SMTP", id="a code that is none (RFC 5321 4.2.1)"),
        pytest.param((b"250=ok\r\n",), "no reply of SMTP", id="a mark that is none"),
        pytest.param((b"250-x\r\n" * 9000,), "a reply without end", id="lines without end"),
        pytest.param((b"2" * 40_000,), "a reply without end", id="a line without end"),
    ],
)
async def test_nonsense_ends_the_connection(pieces: tuple[bytes, ...], why: str) -> None:
    async with wire_to(*pieces) as wire:
        wire.say(b"NOOP")
        with pytest.raises(Lost, match=why):
            await wire.reply(2)
        assert not wire.is_open


async def test_a_reply_that_nobody_asked_for_ends_the_connection() -> None:
    async with wire_to(b"250 a\r\n", b"421 4.4.2 idle too long\r\n") as wire:
        wire.say(b"NOOP")
        assert (await wire.reply(2)).code == 250
        await asyncio.sleep(0.1)
        assert not wire.is_open
        with pytest.raises(Lost, match=r"out of turn: 421 .* idle"):
            wire.say(b"NOOP")


async def test_what_came_before_the_end_is_still_read() -> None:
    async with wire_to(b"250 a\r\n550 b\r\n", keep=False) as wire:
        wire.say(b"MAIL", b"RCPT", b"DATA")
        await asyncio.sleep(0.05)
        assert [(await wire.reply(2)).code for _ in range(2)] == [250, 550]
        with pytest.raises(Lost, match="connection lost"):
            await wire.reply(2)


async def test_patience_ends() -> None:
    async with wire_to() as wire:
        wire.say(b"NOOP")
        with pytest.raises(Lost, match=r"no reply within 0\.05 s"):
            await wire.reply(0.05)
        assert not wire.is_open, "a reply that comes later would be taken for another one's"
