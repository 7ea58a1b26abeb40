"""What the door takes at once: connections, octets, mails a minute; and how it closes (I5)."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from postroad.ingest.doors.limits import Flight, Peers, Share, network, slow_at
from postroad.ingest.doors.replies import Says
from postroad.runtime.config import Smtp
from tests.ingest.dialog import MAIL, TRANSACTION, client, door, greeted, look_often


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"max_connections": 1}, Says.TOO_MANY_CONNECTIONS, id="in total"),
        pytest.param({"max_connections_per_peer": 1}, Says.TOO_MANY_OF_PEER, id="of one peer"),
    ],
)
async def test_too_many_connections_are_told_so_until_one_leaves(settings: dict[str, Any], says: Says) -> None:
    async with door(**settings) as opened:
        async with greeted(opened.port) as first:
            async with client(opened.port) as second:
                assert await second.reply() == says
                assert await second.reply() == ""
            assert (await first.say("NOOP")).startswith("250")
        await opened._desk.left()
        async with greeted(opened.port):
            pass


async def test_octets_in_flight_are_limited_while_they_are_read_and_when_they_are_announced() -> None:
    async with door(in_flight=500_000) as opened, greeted(opened.port) as first, greeted(opened.port) as second:
        await first.say(*TRANSACTION)
        first.writer.write(MAIL + b"x\r\n" * 150_000)
        await first.writer.drain()
        while opened._desk.flight.octets < 200_000:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await second.say("EHLO c.example", "MAIL FROM:<a@example.org> SIZE=450000") == Says.TOO_MUCH
        assert await second.mail(MAIL + b"y\r\n" * 150_000) == Says.TOO_MUCH
        assert (await second.mail()).startswith("250"), "a small one fits"
        assert (await first.raw(b".\r\n")).startswith("250")
        assert (await second.mail(MAIL + b"y\r\n" * 200_000)).startswith("250"), "one alone, whatever its size"


async def test_slow_senders_do_not_keep_others_waiting() -> None:
    async with door() as opened, greeted(opened.port) as slow, greeted(opened.port) as quick:
        await slow.say(*TRANSACTION)
        slow.writer.write(b"Subject: sl")
        started = time.monotonic()
        assert (await quick.mail()).startswith("250")
        assert time.monotonic() - started < 60


async def test_who_reads_no_replies_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch)
    monkeypatch.setattr("postroad.ingest.doors.connection.LINGER", 0.05)
    async with door(command_timeout=0.2, max_commands=10**9) as opened, greeted(opened.port) as deaf:
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        deaf.writer.write(b"HELP\r\n" * 500_000)
        async with asyncio.timeout(60):
            await opened._desk.left()


async def test_a_stop_tells_who_is_idle_and_finishes_what_is_being_taken_in() -> None:
    started, published = asyncio.Event(), list[Any]()

    async def publish(events: Sequence[Any]) -> None:
        started.set()
        await asyncio.sleep(0.3)
        published.extend(events)

    async with (
        door(publish) as opened,
        greeted(opened.port) as idle,
        greeted(opened.port) as busy,
        greeted(opened.port) as reading,
    ):
        sending = asyncio.create_task(busy.mail())
        await reading.say(*TRANSACTION)
        await started.wait()
        stopping = asyncio.create_task(opened.stop())
        assert await idle.reply() == Says.CLOSING
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", opened.port)
        assert (await sending).startswith("250")
        assert await busy.reply() == Says.CLOSING
        assert (await reading.raw(MAIL + b".\r\n")).startswith("250")
        await stopping
    assert len(published) == 2


async def test_what_is_not_finished_in_time_gets_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.ingest.doors.smtp.DRAIN", 0.1)

    async def publish(events: Sequence[Any]) -> None:
        await asyncio.Event().wait()

    async with door(publish) as opened, greeted(opened.port) as stuck, greeted(opened.port) as reading:
        sending = asyncio.create_task(stuck.mail())
        await reading.say(*TRANSACTION)
        await asyncio.sleep(0.1)
        await opened.stop()
        assert await sending == Says.CLOSING
        assert await reading.reply() == Says.CLOSING


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", id="IPv4"),
        pytest.param("2001:db8:1:2:3::4", "2001:db8:1:2::/64", id="IPv6: a customer's network"),
        pytest.param("fe80::1%eth0", "fe80::/64", id="with a zone"),
        pytest.param("::ffff:192.0.2.1", "192.0.2.1", id="IPv4 in IPv6"),
        pytest.param("", "", id="a Unix socket"),
    ],
)
def test_who_counts_as_one(peer: str, counted: str) -> None:
    assert network(peer) == counted


def test_mails_are_counted_by_peer_and_minute() -> None:
    peers = Peers(most=9, most_each=9, mails_a_minute=2)
    told = [peers.mail(peer, at) for peer, at in [("a", 0), ("a", 59), ("b", 59), ("a", 59.9), ("a", 60)]]
    assert told == [None, None, None, Says.TOO_FAST, None]


def test_a_share_that_finds_no_room_gives_back_what_it_had() -> None:
    flight = Flight(100)
    one, other = Share(flight), Share(flight)
    assert one.take(60)
    assert other.take(40)
    assert not other.take(1)
    assert (flight.octets, flight.fits(40), flight.fits(41)) == (60, True, False)
    assert one.take(1000), "alone"
    one.give_back()
    assert flight.octets == 0


@pytest.mark.parametrize(
    ("octets", "late"),
    [
        pytest.param(0, 160.0, id="nothing: after the grace"),
        pytest.param(10_000, 170.0, id="each octet buys its time"),
    ],
)
def test_a_message_is_slow_below_the_least_rate(octets: int, late: float) -> None:
    assert slow_at(100.0, octets, Smtp(data_grace=60.0, data_rate=1000)) == late
