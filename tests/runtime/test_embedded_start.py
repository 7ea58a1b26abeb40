"""The embedded runner starts on its own file only, finds what it left, opens its doors last and drains them first."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from postroad.runtime.worker import Tools, Unavailable
from postroad.stage import Stage
from postroad_schemas import Tombstone
from tests.conformance.stages import (
    COUNTING,
)
from tests.runtime.running import blacklisted, heard, running


async def test_only_one_process_may_use_a_file(path: Path) -> None:
    async with running(path):
        with pytest.raises(Unavailable, match="used by another postroad: stop it first"):
            async with running(path):
                pass
    async with running(path):
        pass


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda path: path.write_bytes(b"not a database" * 1000), "restore the backup", id="another file"),
        pytest.param(lambda path: path.mkdir(), "check the path", id="a folder"),
        pytest.param(
            lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 99"), "newer version", id="newer"
        ),
    ],
)
async def test_a_file_that_is_not_ours_is_refused_with_words(
    path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(path)
    with pytest.raises(Unavailable, match=words):
        async with running(path):
            pass


async def test_a_restart_finds_tables_states_and_positions(path: Path) -> None:
    async with running(path, COUNTING) as runner:
        await runner.publish([heard(1), blacklisted("b@example.org"), blacklisted("c@example.org")])
        await runner.publish([Tombstone("suppressions", "c@example.org")])
        await runner.idle()
    async with running(path, COUNTING) as runner:
        assert runner.views.blacklisted.keys() == {"a@example.org", "b@example.org"}
        await runner.publish([heard(2)])
        await runner.idle()
        assert (await runner.state("counting", "a@example.org")).seen == {heard(1).event_id: 1, heard(2).event_id: 2}
        assert [stored.offset for stored in runner.read("address.observed")] == [1, 2]


class Recorded:
    """A door that notes what the runner does to it."""

    def __init__(self, tools: Tools, notes: list[str], fails: bool = False) -> None:
        self._tools = tools
        self._notes = notes
        self._fails = fails

    async def start(self) -> None:
        if self._fails:
            raise OSError("the port is taken")
        self._notes.append("started")

    async def stop(self) -> None:
        await self._tools.publish([heard(1)])
        self._notes.append("drained")


async def test_doors_open_last_and_drain_first_and_what_they_took_in_is_finished(path: Path) -> None:
    notes: list[str] = []
    async with running(path, COUNTING, doors=[lambda tools: Recorded(tools, notes)]):
        assert notes == ["started"]
    assert notes == ["started", "drained"]
    async with running(path, COUNTING) as runner:
        assert len((await runner.state("counting", "a@example.org")).seen) == 1


async def test_a_door_that_cannot_open_closes_everything(path: Path) -> None:
    notes: list[str] = []
    doors = [lambda tools: Recorded(tools, notes), lambda tools: Recorded(tools, notes, fails=True)]
    with pytest.raises(OSError, match="port is taken"):
        async with running(path, doors=doors):
            pass
    assert notes == ["started", "drained"]
    async with running(path):
        pass


async def test_a_stage_that_would_read_a_table_is_refused(path: Path) -> None:
    stage = Stage("wrong", "trial", ("suppressions",), (), COUNTING.state, COUNTING.decide)
    with pytest.raises(ValueError, match="tables are looked at, not read"):
        async with running(path, stage):
            pass
