"""I2 before a store that takes its time: nobody is answered, and nothing marked, until it is done."""

import asyncio
import smtplib
from pathlib import Path

from postroad.ingest.doors.mailboxes import Mailboxes
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Smtp
from postroad.runtime.config import Mailboxes as Settings
from postroad_schemas.directory import Protocol, row_key
from tests.ingest.acceptance import MAIL, World
from tests.support.dovecot import dovecot
from tests.support.polling import BOTH, left, until

A_WHILE = 0.3  # seconds


def sent(port: int) -> int:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo("client.example")
        client.mail("anna@example.org")
        client.rcpt("sales@example.com")
        return client.data(MAIL)[0]


async def test_smtp_waits_for_a_slow_store() -> None:
    world = World()
    world.store.open.clear()
    door = SmtpDoor(world.tools(Config(smtp=Smtp(port=0, hostname="mx.example.com"))))
    await door.start()
    try:
        sending = asyncio.create_task(asyncio.to_thread(sent, door.port))
        await world.store.asked.wait()
        await asyncio.sleep(A_WHILE)
        assert (sending.done(), world.events) == (False, [])
        world.store.open.set()
        assert await sending == 250
    finally:
        await door.stop()
    assert len(world.events) == 1


@BOTH
async def test_a_mail_stays_in_its_mailbox_until_a_slow_store_is_done(tmp_path: Path, protocol: Protocol) -> None:
    world = World()
    world.store.open.clear()
    given = world.tools(Config(mailboxes=Settings(folder=str(tmp_path))))
    with dovecot() as server:
        row = server.mailbox(protocol)
        server.append(row, MAIL)
        given.views.apply("directory", row_key(row), row)
        door = Mailboxes(given)
        await door.start()
        try:
            await world.store.asked.wait()
            await asyncio.sleep(A_WHILE)
            assert await asyncio.to_thread(left, server, row) == [1]
            assert world.events == []
            world.store.open.set()
            await until(lambda: not left(server, row))
        finally:
            await door.stop()
    assert len(world.events) == 1
