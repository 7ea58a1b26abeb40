"""Mails of one batch are stored side by side and published in their order; each has its own fate (I2-I4)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.doors.mailboxes import Polled
from postroad.runtime.worker import Unavailable
from postroad_schemas.directory import Protocol
from postroad_schemas.mail import MailReceived
from postroad_schemas.values import ObjectRef
from tests.ingest.test_mailboxes_scripted import IMAP, row
from tests.support.mailservers import mail
from tests.support.polling import World, until
from tests.support.scripted import scripted


class Store:
    """Takes its time for some mails, or never has them."""

    def __init__(self, inner: Any, wait: dict[bytes, float], away: set[bytes]) -> None:
        self._inner, self._wait, self._away = inner, wait, away

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        for content in contents:
            await asyncio.sleep(self._wait.get(content, 0))
            if content in self._away:
                raise Unavailable("the disk is full")
        found: list[ObjectRef] = await self._inner.put_all(contents)
        return found


MAILS = [mail(number) for number in range(4)]


def polled(world: World, wait: dict[bytes, float], away: set[bytes]) -> Polled:
    store: Any = Store(world.tools.store, wait, away)
    return Polled(row(port=1, protocol=Protocol.IMAP), replace(world.tools, store=store), asyncio.get_running_loop())


@pytest.mark.parametrize(
    ("wait", "away", "refused", "published"),
    [
        pytest.param({}, set(), set(), [0, 1, 2, 3], id="all alike"),
        pytest.param({MAILS[0]: 0.2, MAILS[2]: 0.1}, set(), set(), [0, 1, 2, 3], id="the first is stored last"),
        pytest.param({}, {MAILS[0]}, set(), [1, 2, 3], id="one cannot be stored"),
        pytest.param({MAILS[0]: 0.1}, {MAILS[0]}, set(), [1, 2, 3], id="nor after a while"),
        pytest.param({MAILS[0]: 0.1}, set(), {1}, [0, 2, 3], id="one cannot be published"),
    ],
)
async def test_published_in_order(
    wait: dict[bytes, float], away: set[bytes], refused: set[int], published: list[int], tmp_path: Path
) -> None:
    world = World(tmp_path)
    world.trouble = lambda event: Unavailable("no") if event.subject in {f"Mail {it}" for it in refused} else None
    found = await polled(world, wait, away)._accept(dict(enumerate(MAILS)), 7)
    assert world.subjects == [f"Mail {number}" for number in published]
    taken = [number for number, event in enumerate(found) if isinstance(event, MailReceived)]
    assert taken == published
    assert all(isinstance(event, MailReceived | Unavailable) for event in found)


async def test_all_are_on_their_way_before_the_first_is_acknowledged(tmp_path: Path) -> None:
    """The log is asked for many at once; an acknowledgement takes its time."""
    world, begun, acknowledged = World(tmp_path), list[str](), asyncio.Event()

    async def publish(events: Sequence[Any]) -> None:
        begun.extend(event.subject for event in events)
        await acknowledged.wait()

    world.tools = replace(world.tools, publish=publish)
    accepting = asyncio.create_task(polled(world, {MAILS[1]: 0.05}, set())._accept(dict(enumerate(MAILS)), 7))
    await until(lambda: len(begun) == len(MAILS))
    assert not accepting.done()
    acknowledged.set()
    await accepting
    assert begun == [f"Mail {number}" for number in range(4)]


async def test_a_batch_is_fetched_and_marked_together(tmp_path: Path) -> None:
    """One FETCH and one STORE for both."""
    world = World(tmp_path / "mailboxes")
    async with scripted("* OK", IMAP) as (port, lines):
        world.declare(row(port=port, protocol=Protocol.IMAP, confirmed=True))
        async with world.door():
            await until(lambda: [line for line in lines if "LOGOUT" in line])
    assert len(world.events) == 2
    said = [line.partition(" ")[2] for line in lines]
    assert [line for line in said if "BODY" in line] == ["UID FETCH 1,2 (BODY.PEEK[])"]
    assert [line for line in said if "STORE" in line] == ["UID STORE 1,2 +FLAGS.SILENT (\\Seen)"]
