"""How commands reach an installation on one machine."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postroad.runtime.config import Config, Kafka, Log
from postroad.runtime.reach import FileReach, KafkaReach, Seen, reach, rows
from postroad.runtime.worker import Unavailable
from postroad_schemas import Record, Tombstone
from tests.runtime.running import blacklisted, heard, running


async def until(holds: Callable[[], bool]) -> None:
    """The inbox is looked at ten times a second."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("settings", "kind"), [(Config(), FileReach), (Config(kafka=Kafka(bootstrap="127.0.0.1:9092")), KafkaReach)]
)
def test_kafka_only_if_a_cluster_is_named(settings: Config, kind: type) -> None:
    assert type(reach(settings)) is kind


def test_without_a_log_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="start `postroad up` once, or name its settings with --config"):
        list(reach(Config(log=Log(path=str(tmp_path / "none")))).records("mail.received"))


def test_what_is_no_log_says_what_to_do(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)
    reached = FileReach(path)
    with pytest.raises(Unavailable, match=r"cannot be read .*restore the backup"):
        list(reached.records("mail.received"))
    with pytest.raises(Unavailable, match=r"cannot be opened .*restore the backup"):
        reached.publish([heard(1)])
    path.write_bytes(b"")  # as a full disk leaves it, or while another process makes it
    with pytest.raises(Unavailable, match="is not there: start `postroad up` once"):
        list(reached.records("mail.received"))


async def test_what_is_published_beside_a_running_process_is_read_at_once(path: Path) -> None:
    async with running(path) as runner:
        reached = FileReach(path)
        reached.publish([heard(1), blacklisted("b@example.org"), blacklisted("c@example.org")])
        reached.publish([Tombstone("suppressions", "c@example.org")])
        await until(lambda: runner.views.blacklisted.keys() == {"b@example.org"})
        assert [seen.event for seen in reached.records("address.observed")] == [heard(1)]
        assert rows(reached, "suppressions").keys() == {"b@example.org"}


async def test_what_is_published_before_the_first_start_waits(path: Path) -> None:
    FileReach(path).publish([heard(1)])
    assert list(FileReach(path).records("address.observed")) == []
    async with running(path) as runner:
        await until(lambda: any(runner.read("address.observed")))
        assert [stored.offset for stored in runner.read("address.observed")] == [1]


async def test_what_cannot_be_read_is_passed_over(path: Path) -> None:
    async with running(path) as runner:
        await runner.append([Record("address.observed", b"k", b"{"), Record("address.observed", b"\xff", b"{}")])
        await runner.publish([heard(1)])
        assert [seen.event for seen in FileReach(path).records("address.observed")] == [heard(1)]


async def test_whether_anybody_answers(path: Path) -> None:
    assert not FileReach(path).answers()
    async with running(path):
        assert FileReach(path).answers()
    assert not FileReach(path).answers()
    async with running(path):  # the look took nothing away
        pass


class Uncompacted(FileReach):
    """A table as a broker may give it back."""

    def records(self, topic: str, after: int = 0) -> Iterator[Seen]:
        yield from (Seen(topic, "a", 1), Seen(topic, "b", 2), Seen(topic, "a", 3), Seen(topic, "b", None))


def test_of_a_table_the_newest_row_of_each_key_stands() -> None:
    assert rows(Uncompacted(Path()), "directory") == {"a": 3}
