"""The embedded runner's parts where a fault would be a loss: progress of senders, backlogs between memory and file."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroad.runtime.embedded import backlog
from postroad.runtime.embedded.backlog import Backlog, States
from postroad.runtime.embedded.commits import Commits
from postroad.runtime.embedded.log import Changes, Kept, SqliteLog, Stored
from postroad.runtime.embedded.senders import Progress
from postroad_schemas import Record

Do = tuple[Callable[[Progress, int], object], tuple[int, ...]]


def take(*offsets: int) -> Do:
    return Progress.take, offsets


def conclude(*offsets: int) -> Do:
    return Progress.conclude, offsets


def done_before(*offsets: int) -> Do:
    return Progress.done_before, offsets


@pytest.mark.parametrize(
    ("steps", "position"),
    [
        pytest.param([], 5, id="nothing read"),
        pytest.param([take(6, 7)], 5, id="nothing concluded"),
        pytest.param([take(6, 7), conclude(6)], 6, id="in order"),
        pytest.param([take(6, 7, 8), conclude(7, 8)], 5, id="the first is still open"),
        pytest.param([take(6, 7, 8), conclude(7, 8, 6)], 8, id="the first comes last"),
        pytest.param([take(6, 7, 8), conclude(6, 8)], 6, id="one open between"),
        pytest.param([take(6, 9), conclude(9, 6)], 9, id="offsets with gaps"),
        pytest.param(
            [done_before(9), take(6), conclude(6)], 6, id="what lies before one done earlier was not read yet"
        ),
        pytest.param([done_before(7), take(6, 7, 8), conclude(6)], 7, id="one done earlier is passed"),
        pytest.param([done_before(7), take(6, 7, 8), conclude(8)], 5, id="one done earlier waits like others"),
    ],
)
def test_the_position_is_never_behind_something_open(steps: Sequence[Do], position: int) -> None:
    progress = Progress(5)
    for step, offsets in steps:
        for offset in offsets:
            step(progress, offset)
    assert progress.position == position


def test_what_was_concluded_earlier_is_not_done_again() -> None:
    progress = Progress(5)
    progress.done_before(7)
    assert [progress.take(offset) for offset in (6, 7, 8)] == [True, False, True]


def made(number: int) -> Record:
    return Record("thread.sought", b"crm", b"%d" % number)


async def opened(path: Path, backlogs: list[Backlog]) -> Commits:
    def offer(stored: Sequence[Stored]) -> None:
        for it in stored:
            for each in backlogs:
                each.offer(it)

    commits = Commits(path / "log.sqlite", lambda: datetime.now(UTC), offer)
    await commits.open()
    return commits


async def test_nothing_is_missed_or_read_twice_between_file_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small limits make the reader fall behind and catch up all the time while another writes."""
    monkeypatch.setattr(backlog, "IN_MEMORY", 4)
    monkeypatch.setattr(backlog, "PAGE", 3)
    mine = Backlog("thread.sought", 0)
    commits = await opened(tmp_path, [mine])
    seen: list[int] = []

    async def write() -> None:
        for first in range(0, 600, 2):
            await commits.write(Changes(records=[made(first), made(first + 1)]))

    async def read() -> None:
        while len(seen) < 600:
            if await mine.fill(commits):
                seen.append(int(mine.items.popleft().value or b""))
                if len(seen) % 7:
                    continue
            await asyncio.sleep(0)

    await asyncio.gather(write(), read())
    assert seen == list(range(600))
    assert mine.empty
    await commits.close()


async def test_a_record_that_came_with_a_page_is_not_taken_in_again(tmp_path: Path) -> None:
    mine = Backlog("thread.sought", 0)
    commits = await opened(tmp_path, [mine])
    await commits.write(Changes(records=[made(1)]))
    assert await mine.fill(commits)
    mine.offer(mine.items[0])
    assert len(mine.items) == 1
    await commits.close()


def test_what_is_committed_survives_a_loss_of_power(tmp_path: Path) -> None:
    """SQLite with a write-ahead log syncs every commit only under FULL (2)."""
    log = SqliteLog.open(tmp_path / "log.sqlite")
    settings = {name: log._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert settings == {"journal_mode": "wal", "synchronous": 2}
    log.close()


async def test_what_waits_together_goes_into_one_transaction(tmp_path: Path) -> None:
    transactions: list[int] = []
    commits = Commits(
        tmp_path / "log.sqlite", lambda: datetime.now(UTC), lambda stored: transactions.append(len(stored))
    )
    await commits.open()
    await asyncio.gather(*(commits.write(Changes(records=[made(n)])) for n in range(100)))
    assert sum(transactions) == 100
    assert len(transactions) <= 2
    await commits.close()


async def test_whoever_gives_up_waiting_takes_nothing_from_the_others(tmp_path: Path) -> None:
    commits = await opened(tmp_path, [])
    given_up = asyncio.create_task(commits.write(Changes(records=[made(1)])))
    others = asyncio.create_task(commits.write(Changes(records=[made(2)])))
    await asyncio.sleep(0)
    given_up.cancel()
    await others
    assert commits.ends["thread.sought"] == 2
    await commits.close()


async def test_states_beyond_the_memory_are_found_in_the_file(tmp_path: Path) -> None:
    commits = await opened(tmp_path, [])
    changes = Changes()
    for n in range(10):
        key = b"%d" % n
        changes.states["core", key] = Kept("core", key, b"state %d" % n, None)
    await commits.write(changes)
    states = States("core", capacity=3)
    await states.load([b"%d" % n for n in range(10)], commits)
    states.trim()
    await states.load([b"0", b"absent"], commits)
    assert (states[b"0"], states[b"absent"]) == (b"state 0", None)
    states.trim()
    with pytest.raises(KeyError):
        states[b"5"]
    await commits.close()
