"""Rows and positions in a changelog, and the agenda of what is due."""

import pytest

from postroad.runtime.kafka.changelog import Agenda, Part, state_key
from postroad.runtime.kafka.jobs import Offsets, waits
from postroad_schemas import TOPICS


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"a@example.org", id="an address"),
        pytest.param(b"\x00position mail.received", id="one that looks like a position"),
        pytest.param(b"\x00\x00x", id="NULs"),
    ],
)
def test_a_key_comes_back_as_it_was(key: bytes) -> None:
    part = Part()
    part.take(state_key(key), b"row")

    assert part.rows == {key: b"row"}
    assert not part.positions


def test_positions_are_kept_by_topic_and_the_newest_stands() -> None:
    part = Part()
    for value in (b"5", b"9"):
        part.take(b"\x00position mail.received", value)
    part.take(b"\x00position message.sought", b"2")

    assert part.positions == {"mail.received": 9, "message.sought": 2}


def test_a_tombstone_ends_a_row() -> None:
    part = Part()
    part.take(b"k", b"row")
    part.take(b"k", None)

    assert part.rows == {}


def falling(dues: dict[bytes, float], now: float, agenda: Agenda) -> list[bytes]:
    return list(agenda.fallen_due(now, dues.get))


def test_what_is_due_is_given_once_the_earliest_first() -> None:
    dues, agenda = {b"b": 2.0, b"a": 1.0, b"c": 3.0}, Agenda()
    for key, due in dues.items():
        agenda.note(key, due)

    assert falling(dues, 2.0, agenda) == [b"a", b"b"]
    assert falling(dues, 2.0, agenda) == []


def test_a_key_that_moved_later_is_asked_again_then() -> None:
    dues, agenda = {b"a": 1.0}, Agenda()
    agenda.note(b"a", 1.0)
    dues[b"a"] = 5.0
    agenda.note(b"a", 5.0)

    assert falling(dues, 4.0, agenda) == []
    assert falling(dues, 5.0, agenda) == [b"a"]


def test_a_key_that_moved_earlier_is_given_once() -> None:
    dues, agenda = {b"a": 9.0}, Agenda()
    agenda.note(b"a", 9.0)
    dues[b"a"] = 1.0
    agenda.note(b"a", 1.0)

    assert falling(dues, 20.0, agenda) == [b"a"]


def test_a_key_that_is_gone_is_not_due() -> None:
    agenda = Agenda()
    agenda.note(b"a", 1.0)

    assert falling({}, 5.0, agenda) == []


def test_a_busy_key_has_one_entry() -> None:
    agenda = Agenda()
    for due in range(1000):
        agenda.note(b"a", 5.0 + due)

    assert len(agenda._entries) == 1


@pytest.mark.parametrize(
    ("done", "lowest"),
    [
        pytest.param([], 10, id="nothing is done"),
        pytest.param([11, 12], 10, id="the first is not done"),
        pytest.param([10, 12], 11, id="a gap"),
        pytest.param([12, 11, 10, 20], 21, id="all, with offsets missing between"),
    ],
)
def test_the_lowest_offset_not_done_is_committed(done: list[int], lowest: int) -> None:
    offsets = Offsets(10)
    for offset in (10, 11, 12, 20):
        offsets.begin(offset)
    for offset in done:
        offsets.done(offset)

    assert offsets.lowest == lowest


def test_only_tiers_are_delays() -> None:
    """A grant for tomorrow must not hold up the grants behind it."""
    assert {name for name in TOPICS if waits(name)} == {
        name for name in TOPICS if name.startswith("outbound.deferred.")
    }
