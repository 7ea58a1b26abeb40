"""The doors IMAP and POP3 against foreign servers: taken once durable, marked after that, each mailbox for itself."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.ingest.checkpoint import Checkpoint, file_name
from postroad.ingest.doors import imap
from postroad.ingest.doors import mailboxes as door_file
from postroad.ingest.doors.mailboxes import open_session
from postroad.runtime.config import Config
from postroad.runtime.config import Mailboxes as Settings
from postroad.runtime.worker import Unavailable
from postroad_schemas.directory import Credentials, IncomingMailbox, Parameter, Protocol, Security
from postroad_schemas.mail import Door, MailReceived
from tests.support.mailservers import MailServer, mail
from tests.support.polling import BOTH, SERVERS, World, left, until

IMAP, POP3 = Protocol.IMAP, Protocol.POP3


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(door_file, "LOOK", 0.05)
    monkeypatch.setattr(door_file, "RETRY", 0.2)
    return World(tmp_path / "mailboxes")


@BOTH
async def test_i4_a_mail_is_taken_and_marked_after_that(server: MailServer, world: World, protocol: Protocol) -> None:
    row = server.mailbox(protocol, record_type="crm.lead", keep_original=True)
    server.append(row, mail(1), mail(2))
    world.declare(row)
    async with world.door():
        await until(lambda: len(world.events) == 2 and (protocol is POP3 or len(server.seen(row)) == 2))
    assert world.subjects == ["Mail 1", "Mail 2"]
    assert left(server, row) == []
    [first, second] = world.events
    assert (first.door, first.mailbox, first.record_type) == (Door(protocol.value), row.name, "crm.lead")
    [original] = first.contents.attachments  # M9
    assert (original.name, original.content, first.original) == ("original_email.eml", first.raw, first.raw)
    assert await world.tools.store.get(first.raw.ref) == mail(1)
    assert first.event_id != second.event_id
    assert first.envelope.mail_from is None


@BOTH
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(mail(3, ".\r\n..\r\n.x"), id="lines that begin with a dot"),
        pytest.param(mail(3, "x" * 100_000), id="a long line"),
        pytest.param(mail(3, "\xe4\xf6\xfc").decode().encode("latin-1"), id="octets of no character set"),
    ],
)
async def test_i2_byte_for_byte(server: MailServer, world: World, protocol: Protocol, raw: bytes) -> None:
    row = server.mailbox(protocol)
    server.append(row, raw)
    world.declare(row)
    async with world.door():
        [event] = await until(lambda: world.events)
    assert await world.tools.store.get(event.raw.ref) == raw


async def test_i4_only_unseen_at_first_and_later_all_above(server: MailServer, world: World) -> None:
    row = server.mailbox(interval=1)
    server.append(row, mail(1), flags="(\\Seen)")
    server.append(row, mail(2))
    world.declare(row)
    async with world.door():
        await until(lambda: world.subjects == ["Mail 2"] and server.seen(row) == [1, 2])
        server.append(row, mail(3), flags="(\\Seen)")  # read by a person before we look
        await until(lambda: world.subjects == ["Mail 2", "Mail 3"])
        server.append(row, mail(4))
        await until(lambda: world.subjects[2:] == ["Mail 4"])


@BOTH
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Unavailable("no broker"), id="broker away"),
        pytest.param(ValueError("a fault of ours"), id="an unforeseen error"),
    ],
)
async def test_i2_what_is_not_accepted_stays(
    server: MailServer, world: World, protocol: Protocol, trouble: Exception
) -> None:
    """I3: the one that cannot be taken holds up none of the others, and is taken once it can be."""
    row = server.mailbox(protocol)
    server.append(row, mail(1), mail(2), mail(3))
    world.declare(row)
    world.trouble = lambda event: trouble if event.subject == "Mail 1" else None
    async with world.door():
        await until(lambda: world.subjects == ["Mail 2", "Mail 3"] and len(left(server, row)) == 1)
        world.trouble = lambda _: None
        await until(lambda: world.subjects == ["Mail 2", "Mail 3", "Mail 1"] and left(server, row) == [])


@BOTH
async def test_i2_store_unwritable(server: MailServer, world: World, protocol: Protocol) -> None:
    """Nothing is marked; what a person reads meanwhile is taken all the same."""
    row = server.mailbox(protocol)
    server.append(row, mail(1))
    world.declare(row)
    tried = []

    def away(event: MailReceived) -> Exception:
        tried.append(event.event_id)
        return Unavailable("the disk is full")

    world.trouble = away
    async with world.door():
        await until(lambda: len(tried) >= 2)
        await until(lambda: len(left(server, row)) == 1)
        if protocol is IMAP:
            server.store(row, 1, "+FLAGS", "(\\Seen)")
        world.trouble = lambda _: None
        [event] = await until(lambda: world.events)
    assert set(tried) == {event.event_id}  # I8


@BOTH
async def test_i2_killed_between_acceptance_and_its_mark(server: MailServer, world: World, protocol: Protocol) -> None:
    """Nothing is lost, and the repeat has the same event id (I8), so that it changes nothing."""
    row = server.mailbox(protocol)
    server.append(row, mail(1), mail(2))
    killed = await asyncio.to_thread(_killed_at_acceptance, world.folder, row)
    assert len(killed) == 1
    assert len(left(server, row)) == 2
    world.declare(row)
    async with world.door():
        await until(lambda: len(world.events) == 2 and left(server, row) == [])
    assert [event.event_id for event in world.events][:1] == killed
    assert world.subjects == ["Mail 1", "Mail 2"]


def _killed_at_acceptance(folder: Path, row: IncomingMailbox) -> list[str]:
    """Event ids that a process had acknowledged when it was killed."""
    acknowledged = folder.with_name("acknowledged")
    process = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_poller", folder, acknowledged, msgspec.json.encode(row)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "services:schemas:."},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    return acknowledged.read_text().split()


async def test_the_flag_that_was_not_set_is_set_without_taking_the_mail_again(server: MailServer, world: World) -> None:
    row = server.mailbox(interval=1)
    server.append(row, mail(1))
    world.declare(row)
    async with world.door():
        await until(lambda: server.seen(row) == [1])
    known = world.checkpoint(row)
    server.store(row, 1, "-FLAGS", "(\\Seen)")
    (world.folder / file_name(row)).write_bytes(msgspec.json.encode(msgspec.structs.replace(known, unmarked=(1,))))
    async with world.door():
        await until(lambda: server.seen(row) == [1])
    assert world.subjects == ["Mail 1"]
    assert world.checkpoint(row).unmarked == ()


async def test_another_folder_of_the_same_name_starts_anew(server: MailServer, world: World) -> None:
    """UIDVALIDITY: what was known of the former one keeps nothing away."""
    row = server.mailbox(interval=1)
    server.append(row, mail(1))
    server.append(row, mail(2), flags="(\\Seen)")
    world.folder.mkdir()
    former = Checkpoint(uidvalidity=1, high=1000, pending=(2,))
    (world.folder / file_name(row)).write_bytes(msgspec.json.encode(former))
    world.declare(row)
    async with world.door():
        await until(lambda: world.events)
        await until(lambda: world.checkpoint(row).unmarked == () and server.seen(row) == [1, 2])
    assert world.subjects == ["Mail 1"]
    assert (world.checkpoint(row).high, world.checkpoint(row).uidvalidity) == (2, world.checkpoint(row).uidvalidity)
    assert world.checkpoint(row).uidvalidity != 1


@BOTH
async def test_too_large_is_left_and_told_of_once(
    server: MailServer, world: World, protocol: Protocol, capsys: pytest.CaptureFixture[str]
) -> None:
    row = server.mailbox(protocol, interval=1)
    server.append(row, mail(1, "x" * 5000), mail(2))
    world.declare(row, Parameter(name="mail.smtp.size", value="2000"))
    async with world.door():
        await until(lambda: world.subjects == ["Mail 2"])
        server.append(row, mail(3))
        await until(lambda: world.subjects == ["Mail 2", "Mail 3"])
        await until(lambda: len(left(server, row)) == 1)
        assert capsys.readouterr().out.count("mail left") == 1
        world.declare(Parameter(name="mail.smtp.size", value="10000"))
        await until(lambda: world.subjects[2:] == ["Mail 1"])


async def test_idle_takes_a_mail_when_it_comes(server: MailServer, world: World) -> None:
    row = server.mailbox(idle=True, interval=300)
    world.declare(row)
    async with world.door() as opened:
        await until(lambda: opened._polled and opened._polled[row.name]._idling)
        server.append(row, mail(1))
        await until(lambda: world.subjects == ["Mail 1"] and server.seen(row) == [1])
        await until(lambda: opened._polled[row.name]._idling)
        server.append(row, mail(2))
        await until(lambda: world.subjects[1:] == ["Mail 2"])
        started = time.monotonic()
    assert time.monotonic() - started < 60  # a stop does not wait for what is only waited for


async def test_idle_is_renewed(server: MailServer, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "RENEW", 0.3)
    row = server.mailbox(idle=True, interval=300)
    session = await asyncio.to_thread(open_session, row)
    try:
        for _ in range(3):
            assert await asyncio.to_thread(session.wait, 300)
        server.append(row, mail(1))
        assert (await asyncio.to_thread(session.look, None)).pending == (1,)
    finally:
        await asyncio.to_thread(session.close)


@BOTH
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(
            {"credentials": Credentials(username="nobody", secret="env:POSTROAD_TEST_NOTHING")}, id="no secret"
        ),
        pytest.param({"port": 1}, id="nobody listens"),
        pytest.param({"ca_file": "/no/such.pem", "security": Security.STARTTLS}, id="no CA"),
    ],
)
async def test_i4_one_mailboxs_failure_touches_no_other(
    server: MailServer, world: World, protocol: Protocol, broken: dict[str, Any]
) -> None:
    good, bad = server.mailbox(protocol), server.mailbox(protocol, **{"name": "bad", **broken})
    server.append(good, mail(1))
    world.declare(bad, good)
    async with world.door():
        await until(lambda: world.subjects == ["Mail 1"])


async def test_i4_a_server_that_never_answers_touches_no_other(server: MailServer, world: World) -> None:
    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    silent = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    good = server.mailbox()
    server.append(good, mail(1))
    world.declare(server.mailbox(name="bad", port=port), server.mailbox(POP3, name="worse", port=port), good)
    async with world.door():
        await until(lambda: world.subjects == ["Mail 1"])
    silent.close()


@BOTH
async def test_d8_follows_the_directory(server: MailServer, world: World, protocol: Protocol) -> None:
    """Confirmed ones start, changed ones are begun anew, removed ones stop: each within a second."""
    row = server.mailbox(protocol, confirmed=False, interval=1)
    server.append(row, mail(1))
    world.declare(row)
    async with world.door() as opened:
        await asyncio.sleep(0.3)
        assert not opened._polled  # a draft is not polled
        world.declare(msgspec.structs.replace(row, confirmed=True))
        await until(lambda: world.subjects == ["Mail 1"])
        world.declare(msgspec.structs.replace(row, confirmed=True, version=9))
        former = opened._polled[row.name]
        await asyncio.sleep(0.2)
        assert opened._polled[row.name] is former  # nothing that matters changed
        world.declare(msgspec.structs.replace(row, confirmed=True, record_type="crm.lead"))
        await until(lambda: opened._polled.get(row.name) not in (None, former))
        server.append(row, mail(2))
        await until(lambda: world.subjects[1:] == ["Mail 2"])
        assert world.events[1].record_type == "crm.lead"
        world.remove(row)
        await until(lambda: not opened._polled and not opened._ending)
        server.append(row, mail(3))
        await asyncio.sleep(1.3)
    assert len(world.events) == 2


async def test_where_the_checkpoint_cannot_be_kept_nothing_is_taken(
    server: MailServer, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    row = server.mailbox()
    server.append(row, mail(1))
    world.folder.write_text("not a folder")
    world.declare(row)
    said: list[str] = []

    def told() -> bool:
        said.append(capsys.readouterr().out)
        return "cannot be read" in "".join(said)

    async with world.door():
        await until(told)
        assert world.events == []
        world.folder.unlink()
        await until(lambda: world.subjects == ["Mail 1"])


async def test_disabled_it_polls_nothing(server: MailServer, tmp_path: Path) -> None:
    given = World(tmp_path)
    given.tools = dataclasses.replace(
        given.tools, config=Config(mailboxes=Settings(enabled=False, folder=str(tmp_path)))
    )
    given.declare(server.mailbox())
    async with given.door() as opened:
        await asyncio.sleep(0.1)
        assert not opened._polled
