"""The HTTP door on raw sockets: connections, slow clients, keep-alive, and peers behind a proxy (I5's limits)."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from postroad.ingest.doors import http
from postroad.ingest.doors.http_connections import forwarded_for, proxies
from postroad.runtime.config import ConfigError
from tests.ingest.acceptance import HTTP, MAIL, TOKEN, World, http_door

HEAD = f"POST /mail HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(MAIL)}\r\n"
POST = HEAD.encode() + b"\r\n" + MAIL


def door(world: World | None = None, **settings: Any) -> AbstractAsyncContextManager[int]:
    return http_door(world or World(), msgspec.structs.replace(HTTP, **settings))


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, octets: bytes) -> None:
        self._writer.write(octets)

    async def status(self) -> int:
        """Of the next answer; 0 when the door has closed."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await self._reader.readexactly(int(length.partition(b":")[2]))
            return int(head.split()[1])
        return 0

    async def ended(self) -> bytes:
        """What still comes, up to the end."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self._reader.read(), 10)
        return b""

    async def drip(self, octets: bytes, every: float) -> None:
        """One octet after another, until the door has enough."""
        for octet in octets:
            if self._reader.at_eof():
                return
            self._writer.write(bytes([octet]))
            await asyncio.sleep(every)


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"max_connections": 2}, id="in total"),
        pytest.param({"max_connections_per_peer": 2}, id="of one peer"),
    ],
)
async def test_one_connection_more_is_refused_and_the_next_let_in_when_one_left(limits: Any) -> None:
    async with door(**limits) as port, client(port) as first:
        first.send(POST)
        assert await first.status() == 202  # and stays connected
        async with client(port) as second:
            second.send(POST)
            assert await second.status() == 202
            async with client(port) as third:
                assert await third.status() == 503
                assert await third.ended() == b""
        for _ in range(20):  # once the door has seen that one left
            async with client(port) as fourth:
                fourth.send(POST)
                if (status := await fourth.status()) == 202:
                    break
                await asyncio.sleep(0.05)
        assert status == 202


@pytest.mark.parametrize(
    ("sent", "before"),
    [
        pytest.param(b"", b"", id="who says nothing"),
        pytest.param(POST[:40], b"", id="who stops in the header"),
        pytest.param(POST[:40], POST, id="the same, in the second request"),
    ],
)
async def test_a_header_that_does_not_come_is_cut(sent: bytes, before: bytes) -> None:
    async with door(header_timeout=0.3, keep_alive=5.0) as port, client(port) as slow:
        if before:
            slow.send(before)
            assert await slow.status() == 202
        started = time.monotonic()
        slow.send(sent)
        assert await slow.status() == 408
        assert await slow.ended() == b""
        assert 0.2 < time.monotonic() - started < 60


async def test_a_header_that_comes_octet_by_octet_is_cut_and_stops_nobody() -> None:
    async with door(header_timeout=0.4) as port, client(port) as slow, client(port) as other:
        dripping = asyncio.create_task(slow.drip(POST, 0.02))
        other.send(POST)
        assert await other.status() == 202
        assert await slow.status() in (408, 0)  # what is still sent may cut the answer off
        await asyncio.wait_for(dripping, 60)


async def test_a_mail_may_come_slower_than_a_header() -> None:
    """Its own time is body_timeout."""
    async with door(header_timeout=1.0, body_timeout=30.0) as port, client(port) as slow:
        slow.send(HEAD.encode() + b"\r\n" + MAIL[:20])
        await asyncio.sleep(1.5)
        slow.send(MAIL[20:])
        assert await slow.status() == 202


async def test_asking_first_takes_as_long_as_a_mail() -> None:
    async with door(header_timeout=1.0, body_timeout=30.0) as port, client(port) as slow:
        slow.send(HEAD.encode() + b"Expect: 100-continue\r\n\r\n")
        await asyncio.sleep(1.5)
        slow.send(MAIL)
        assert b" 202 " in (await asyncio.wait_for(slow._reader.readuntil(b"}"), 20))


@pytest.mark.parametrize(
    ("path", "head", "status"),
    [
        pytest.param("/mail", "Content-Length: 99999999", 401, id="a mail without token"),
        pytest.param("/leave/x", "Content-Length: 99999999", 404, id="a form that is not ours"),
        pytest.param("/webhooks/postmark", "Content-Length: 99999999", 404, id="a webhook that is off"),
        pytest.param("/mail", f"Authorization: Bearer {TOKEN}\r\nContent-Length: 99999999", 413, id="a mail too large"),
    ],
)
async def test_nothing_is_read_of_what_is_refused_by_its_header(
    path: str, head: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "DRAIN", 0.1)
    async with door() as port, client(port) as one:
        one.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        assert await one.status() == status


async def test_a_header_too_large_is_refused() -> None:
    async with door() as port, client(port) as one:
        one.send(b"POST /mail HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
        assert await one.status() in (400, 431)


async def test_many_mails_on_one_connection() -> None:
    world = World()
    async with door(world) as port, client(port) as one:
        for _ in range(5):
            one.send(POST)
            assert await one.status() == 202
        one.send(POST * 3)  # pipelined
        assert [await one.status() for _ in range(3)] == [202] * 3
    assert len(world.events) == 8


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with door(keep_alive=0.3) as port, client(port) as one:
        one.send(POST)
        assert await one.status() == 202
        started = time.monotonic()
        assert await one.ended() == b""
        assert 0.2 < time.monotonic() - started < 60


def forwarded(peer: str) -> bytes:
    return HEAD.encode() + f"X-Forwarded-For: {peer}\r\n\r\n".encode() + MAIL


@pytest.mark.parametrize(
    ("by", "peer"),
    [
        pytest.param((), "127.0.0.1", id="nobody is believed unless he is named"),
        pytest.param(("127.0.0.0/8",), "198.51.100.7", id="a proxy that is named"),
        pytest.param(("192.0.2.1",), "127.0.0.1", id="another one"),
    ],
)
async def test_whom_a_proxy_speaks_for(by: tuple[str, ...], peer: str) -> None:
    world = World()
    async with door(world, forwarded_by=by) as port, client(port) as one:
        one.send(forwarded("198.51.100.7"))
        assert await one.status() == 202
    assert [event.peer for event in world.events] == [peer]


async def test_a_proxy_has_as_many_connections_as_it_has_clients_and_each_client_its_share() -> None:
    world = World()
    world.store.open.clear()
    proxied = door(world, forwarded_by=("127.0.0.1",), max_connections_per_peer=1)
    async with proxied as port, client(port) as first, client(port) as second, client(port) as third:
        first.send(forwarded("198.51.100.7"))
        await world.store.asked.wait()
        second.send(forwarded("198.51.100.7"))
        assert await second.status() == 429
        third.send(forwarded("198.51.100.8"))
        world.store.open.set()
        assert (await first.status(), await third.status()) == (202, 202)
        second.send(forwarded("198.51.100.7"))
        assert await second.status() == 202


@pytest.mark.parametrize(
    ("fields", "peer"),
    [
        pytest.param([], "10.0.0.1", id="no field"),
        pytest.param(["198.51.100.7"], "198.51.100.7", id="one hop"),
        pytest.param(["203.0.113.9, 198.51.100.7"], "198.51.100.7", id="what a client wrote himself is not believed"),
        pytest.param(["203.0.113.9", "198.51.100.7, 10.0.0.2"], "198.51.100.7", id="two proxies, two fields"),
        pytest.param(["198.51.100.7:4711"], "198.51.100.7", id="with a port"),
        pytest.param(["[2001:db8::1]:4711"], "2001:db8::1", id="IPv6 with a port"),
        pytest.param(["2001:db8::1"], "2001:db8::1", id="IPv6"),
        pytest.param(["unknown"], "10.0.0.1", id="no address"),
        pytest.param(["198.51.100.7, nonsense, 10.0.0.2"], "10.0.0.2", id="nothing beyond what is no address"),
        pytest.param(["10.0.0.3, 10.0.0.2"], "10.0.0.3", id="proxies alone"),
    ],
)
def test_the_last_hop_that_is_no_proxy_of_ours(fields: list[str], peer: str) -> None:
    assert forwarded_for(fields, proxies(("10.0.0.0/8",)), "10.0.0.1") == peer


async def test_a_proxy_that_is_no_address_is_told() -> None:
    with pytest.raises(ConfigError, match=r"\[http\] forwarded_by: .*such as 10.0.0.0/8"):
        async with door(forwarded_by=("proxy.example",)):
            pass
