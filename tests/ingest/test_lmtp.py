"""The LMTP door with real sessions (RFC 2033): an answer for each recipient, after acceptance and not before (I2)."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from smtplib import LMTP
from typing import BinaryIO

import msgspec
import pytest

from postroad.ingest.doors.lmtp import LmtpDoor
from postroad.runtime.config import Config, Lmtp, Smtp
from postroad.runtime.named import digest
from postroad.runtime.worker import Unavailable
from tests.ingest.acceptance import MAIL, NOT_NOW, World, hanging, killed_once_stored
from tests.ingest.dialog import closed

ANY_PORT = Lmtp(port=0)
SMTP = Smtp(hostname="mx.example.com", max_connections=3)
BODY = MAIL + b".\r\n"
SALES, CATCHALL = b"RCPT TO:<sales@example.com>", b"RCPT TO:<catchall@example.com>"
BEGIN = (b"LHLO a.example", b"MAIL FROM:<anna@example.org>")


@asynccontextmanager
async def door(world: World, lmtp: Lmtp = ANY_PORT, size: int = 0, smtp: Smtp = SMTP) -> AsyncIterator[LmtpDoor]:
    opened = LmtpDoor(world.tools(Config(lmtp=lmtp, smtp=smtp), size))
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


def replies(where: int | str, sent: Sequence[bytes], after: int) -> list[str]:
    """Sent one after another, each once the one before it is answered: so many replies to the last."""
    address = ("127.0.0.1", where) if isinstance(where, int) else where
    family = socket.AF_INET if isinstance(where, int) else socket.AF_UNIX
    with socket.socket(family) as connection:
        connection.settimeout(60)
        connection.connect(address)
        with connection.makefile("rb") as lines:
            read(lines)
            for line in sent[:-1]:
                connection.sendall(line + b"\r\n")
                read(lines)
            connection.sendall(sent[-1] if sent[-1].endswith(b"\r\n") else sent[-1] + b"\r\n")
            return [read(lines) for _ in range(after)]


def read(lines: BinaryIO) -> str:
    """A reply, its last line."""
    while line := lines.readline():
        if line[3:4] != b"-":
            return line.decode().rstrip()
    return ""


async def ask(where: int | str, *sent: bytes, after: int = 1) -> list[str]:
    return await asyncio.to_thread(replies, where, sent, after)


async def test_each_recipient_is_answered_after_the_event_is_acknowledged() -> None:
    world = World()
    async with door(world) as opened:
        answers = await ask(opened.port, *BEGIN, SALES, CATCHALL, b"DATA", BODY, after=2)
        world.order.append("answered")
    [event] = world.events
    assert world.order == ["acknowledged", "answered"]
    assert answers == [f"250 2.0.0 accepted as {event.event_id}"] * 2
    assert (event.door, event.raw) == ("lmtp", digest(MAIL))
    assert event.envelope.rcpt_to == ("sales@example.com", "catchall@example.com")
    assert event.peer == "127.0.0.1"


@pytest.mark.parametrize("make", NOT_NOW)
async def test_what_is_not_durable_is_answered_not_now_for_each(make: Callable[[], World]) -> None:
    world = make()
    async with door(world) as opened:
        answers = await ask(opened.port, *BEGIN, SALES, CATCHALL, b"DATA", BODY, after=2)
    assert [answer[:9] for answer in answers] == ["451 4.3.0"] * 2
    assert world.events == []


async def test_a_slow_store_is_waited_for() -> None:
    world = World()
    world.store.open.clear()
    async with door(world) as opened:
        asking = asyncio.create_task(ask(opened.port, *BEGIN, SALES, b"DATA", BODY))
        await world.store.asked.wait()
        done, _ = await asyncio.wait([asking], timeout=0.2)
        assert not done
        world.store.open.set()
        assert [answer[:3] for answer in await asking] == ["250"]


async def test_killed_between_store_and_event_the_server_got_no_yes(tmp_path: Path) -> None:
    with hanging("lmtp", tmp_path) as (port, process):
        asking = asyncio.create_task(ask(port, *BEGIN, SALES, b"DATA", BODY))
        await asyncio.to_thread(killed_once_stored, process)
        try:
            answers = await asking
        except ConnectionError:
            answers = [""]
    assert answers == [""]
    name = digest(MAIL).ref.removeprefix("sha256/")
    stored = await asyncio.to_thread(lambda: [found.read_bytes() for found in tmp_path.rglob(name)])
    assert stored == [MAIL]


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        pytest.param([b"EHLO a.example"], ["500 5.5.1"], id="EHLO is SMTP's (RFC 2033 4.1)"),
        pytest.param([b"HELO a.example"], ["500 5.5.1"], id="so is HELO"),
        pytest.param([b"LHLO a.example"], ["250 HELP"], id="LHLO"),
        pytest.param([b"LHLO"], ["501 5.5.4"], id="LHLO without a domain"),
        pytest.param([BEGIN[1]], ["503 5.5.1 LHLO comes first"], id="MAIL before LHLO"),
        pytest.param([*BEGIN, b"RCPT TO:<nobody@example.com>"], ["550 5.1.1"], id="an unknown recipient"),
        pytest.param([*BEGIN, b"RCPT TO:<zoe@elsewhere.example>"], ["550 5.7.1"], id="relaying"),
        pytest.param([*BEGIN, b"RCPT TO:<nobody@example.com>", b"DATA"], ["503 5.5.1"], id="no accepted recipient"),
        pytest.param(
            [
                *BEGIN,
                SALES,
                b"RCPT TO:<nobody@example.com>",
                CATCHALL,
                b"DATA",
                BODY,
            ],
            ["250 2.0.0", "250 2.0.0"],
            id="only those that were accepted are answered",
        ),
        pytest.param([*BEGIN, SALES, SALES, b"DATA", BODY], ["250 2.0.0"] * 2, id="one that is named twice, twice"),
        pytest.param(
            [*BEGIN, SALES, CATCHALL, b"DATA", MAIL + b"x\r\n" * 1000 + b".\r\n"],
            ["552 5.3.4"] * 2,
            id="too large, for each",
        ),
        pytest.param(
            [*BEGIN, SALES, b"DATA", MAIL + b"a\n.\nb\r\n.\r\n"],
            ["250 2.0.0"],
            id="bare newlines are not returned to senders",
        ),
        pytest.param([b"LHLO a.example", b"QUIT"], ["221 2.0.0"], id="QUIT"),
    ],
)
async def test_what_is_said(sent: list[bytes], answers: list[str]) -> None:
    async with door(World(), size=1000) as opened:
        found = await ask(opened.port, *sent, after=len(answers))
    assert [answer[: len(words)] for answer, words in zip(found, answers, strict=True)] == answers


async def test_the_library_of_others_speaks_with_it() -> None:
    world = World()

    def talk(port: int) -> None:
        with LMTP("127.0.0.1", port, timeout=60) as client:
            client.sendmail("", ["sales@example.com"], MAIL)
            assert client.has_extn("pipelining")
            client.sendmail("anna@example.org", ["sales@example.com"], MAIL)

    async with door(world) as opened:
        await asyncio.to_thread(talk, opened.port)
    assert [event.envelope.mail_from for event in world.events] == ["", "anna@example.org"]
    assert len({event.event_id for event in world.events}) == 2


async def test_a_unix_socket_for_any_number_of_sessions_one_after_another(tmp_path: Path) -> None:
    world, path = World(), tmp_path / "lmtp"
    async with door(world, Lmtp(path=str(path))):
        for _ in range(5):  # more than may be there at once
            assert [answer[:3] for answer in await ask(str(path), *BEGIN, SALES, b"DATA", BODY)] == ["250"]
        assert path.stat().st_mode & 0o777 == 0o666
    assert len(world.events) == 5
    assert {event.peer for event in world.events} == {"localhost"}
    assert not path.exists()


async def test_a_socket_that_was_left_behind_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with door(World(), Lmtp(path=str(path))):
        assert (await ask(str(path), b"LHLO a.example"))[0].startswith("250")


async def test_a_socket_that_is_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    async with door(World(), Lmtp(path=str(path))):
        second = LmtpDoor(World().tools(Config(lmtp=Lmtp(path=str(path)))))
        with pytest.raises(Unavailable, match=r"another process.*\[lmtp\]"):
            await second.start()
        await second.stop()
        assert (await ask(str(path), b"LHLO a.example"))[0].startswith("250")


@pytest.mark.parametrize(
    ("lmtp", "why"),
    [
        pytest.param(Lmtp(path="{folder}/none/lmtp"), "No such file", id="no folder"),
        pytest.param(Lmtp(path="{folder}/file"), "in use", id="a file that is no socket"),
        pytest.param(Lmtp(host="192.0.2.1"), "Cannot assign", id="no address of this machine"),
    ],
)
async def test_where_it_cannot_listen_is_named(tmp_path: Path, lmtp: Lmtp, why: str) -> None:
    (tmp_path / "file").write_text("kept")
    given = msgspec.structs.replace(lmtp, path=lmtp.path.format(folder=tmp_path))
    opened = LmtpDoor(World().tools(Config(lmtp=given)))
    with pytest.raises(Unavailable, match=rf"{why}.*\[lmtp\]"):
        await opened.start()
    await opened.stop()
    assert (tmp_path / "file").read_text() == "kept"


async def test_limits_for_strangers_do_not_hold_here() -> None:
    strict = msgspec.structs.replace(SMTP, max_connections_per_peer=1, mails_per_minute=1, require_tls=True, proxy=True)
    world = World()
    async with door(world, smtp=strict) as opened:
        with socket.create_connection(("127.0.0.1", opened.port)) as first:
            assert (await asyncio.to_thread(first.recv, 100)).startswith(b"220")
            for _ in range(2):
                assert [answer[:3] for answer in await ask(opened.port, *BEGIN, SALES, b"DATA", BODY)] == ["250"]


async def test_a_stop_finishes_what_is_being_taken_in() -> None:
    world = World()
    world.store.open.clear()
    async with door(world) as opened:
        asking = asyncio.create_task(ask(opened.port, *BEGIN, SALES, CATCHALL, b"DATA", BODY, after=2))
        await world.store.asked.wait()
        stopping = asyncio.create_task(opened.stop())
        await closed(opened.port)
        world.store.open.set()
        assert [answer[:3] for answer in await asking] == ["250", "250"]
        await asyncio.wait_for(stopping, 60)


async def test_a_stop_does_not_wait_for_ever_and_what_it_cuts_got_no_yes() -> None:
    world = World()
    world.store.open.clear()
    async with door(world) as opened:
        asking = asyncio.create_task(ask(opened.port, *BEGIN, SALES, b"DATA", BODY))
        await world.store.asked.wait()
        await asyncio.wait_for(opened.stop(), 4)
        assert [answer[:3] for answer in await asking] == ["421"]
    assert world.events == []
