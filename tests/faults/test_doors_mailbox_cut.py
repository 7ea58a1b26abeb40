"""I2, I4: the connection to a mailbox is cut at every command, before the server hears it or before we hear of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from postroad.ingest.doors import mailboxes
from postroad_schemas.directory import Protocol
from tests.support.dovecot import dovecot
from tests.support.mailservers import MailServer, mail
from tests.support.polling import BOTH, World, left, until

MAILS = 8
FAR = 10**6  # more commands than any poll has


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with dovecot() as running:
        yield running


@dataclass
class Cutter:
    """A way to the server that ends at one command of a session: `heard` says on which side of the server's work.

    One session is cut at its first command, the next at its second, and so on until one is not cut.
    """

    server: int
    heard: bool
    at: int = 1
    whole: int = 0  # sessions that were not cut
    cut: list[bytes] = field(default_factory=list)  # the commands at which it was

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        opened = await asyncio.start_server(self._session, "127.0.0.1", 0)
        try:
            yield opened.sockets[0].getsockname()[1]
        finally:
            opened.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_server = await asyncio.open_connection("127.0.0.1", self.server)
        back = asyncio.create_task(self._back(there, writer))
        limit, self.at = self.at, self.at + 1
        number, last = 0, b""
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                number, last = number + 1, line
                if number == limit:
                    self.cut.append(line)
                    if self.heard:
                        back.cancel()  # what it answers is not passed on
                        to_server.write(line)
                        await asyncio.wait_for(there.read(1), 5)
                    break
                to_server.write(line)
            else:
                self.whole += "QUIT" in last.decode() or "LOGOUT" in last.decode()
        back.cancel()
        for side in (writer, to_server):
            side.transport.abort()

    async def _back(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while octets := await there.read(65536):
                writer.write(octets)


@BOTH
@pytest.mark.parametrize(
    "heard", [pytest.param(False, id="it is not heard"), pytest.param(True, id="its answer is not heard")]
)
async def test_cut_at_every_command_each_mail_is_accepted_once(
    server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: Protocol, heard: bool
) -> None:
    monkeypatch.setattr(mailboxes, "LOOK", 0.05)
    world = World(tmp_path / "mailboxes")
    row = server.mailbox(protocol, interval=0)  # again at once
    server.append(row, *(mail(number) for number in range(MAILS)))
    cutter = Cutter(row.port, heard)
    async with cutter.listening() as port:
        world.declare(msgspec.structs.replace(row, port=port))
        async with world.door():
            await until(lambda: cutter.whole and not left(server, row), 40)
    assert len(cutter.cut) > 5
    accepted = [event.event_id for event in world.events]
    assert len(set(accepted)) == MAILS
    assert len(accepted) == MAILS  # the checkpoint, too, knows what was taken
