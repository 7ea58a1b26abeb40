"""The sliding window."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.window import Recent

WINDOW = 120


def counted(*times: float) -> Recent:
    recent = Recent()
    for ordinal, at in enumerate(times):
        recent = recent.with_(f"m{ordinal}", at)
    return recent


@pytest.mark.parametrize(
    ("times", "at", "amount", "fits"),
    [
        pytest.param([], 0, 1, True, id="nothing yet"),
        pytest.param([], 0, 3, True, id="exactly the limit at once"),
        pytest.param([], 0, 4, False, id="more than the limit at once"),
        pytest.param([0, 1], 2, 1, True, id="one short of the limit"),
        pytest.param([0, 1, 2], 3, 1, False, id="one over the limit"),
        pytest.param([0, 1, 2], 119.9, 1, False, id="the first is still within the window"),
        pytest.param([0, 1, 2], 120, 1, True, id="the first has just left it"),
        pytest.param([0, 1, 2], 120, 2, False, id="the second has not"),
        pytest.param([100, 101, 102], 0, 1, False, id="late: too many came after it"),
        pytest.param([0, 1, 118, 119], 60, 1, False, id="late: too many around it"),
        pytest.param([0, 0, 240, 240], 120, 1, True, id="late: between two full windows"),
        pytest.param([0, 50, 120], 60, 1, True, id="late: first and last exactly a window apart"),
        pytest.param([60, 60, 60], 60, 1, False, id="all in one moment"),
    ],
)
def test_fits(times: list[float], at: float, amount: int, fits: bool) -> None:
    assert counted(*times).fits(at, amount, WINDOW, 3) is fits


def test_nothing_fits_into_a_limit_of_none() -> None:
    assert not Recent().fits(0, 1, WINDOW, 0)


@pytest.mark.parametrize(
    ("at", "count"),
    [
        pytest.param(119, 4, id="all within the window"),
        pytest.param(120, 3, id="exactly a window ago is not within"),
        pytest.param(10, 3, id="now is within"),
        pytest.param(9, 2, id="what is later does not count"),
    ],
)
def test_count(at: float, count: int) -> None:
    assert counted(0, 5, 10, 60).count(at, WINDOW) == count


def test_amounts_are_added() -> None:
    recent = Recent().with_("a", 0, 2).with_("b", 1, 3)
    assert recent.count(1, WINDOW) == 5
    assert not recent.fits(2, 1, WINDOW, 5)
    assert recent.fits(2, 1, WINDOW, 6)


def test_a_repeat_counts_once_and_what_is_taken_out_is_gone() -> None:
    recent = counted(0, 1)
    assert recent.with_("m1", 1) == recent
    assert "m1" in recent
    assert recent.has("m1", 1)
    assert not recent.has("m1", 0)
    assert not recent.has("m2", 2)
    assert recent.without("m1") == counted(0)


def test_since_is_later_than() -> None:
    assert counted(0, 1, 2).since(1).entries == ((2, "m2", 1),)


def test_it_is_a_small_row() -> None:
    assert msgspec.json.decode(msgspec.json.encode(counted(1.5)), type=Recent) == counted(1.5)


times = st.lists(st.integers(0, 600), max_size=40)


@given(arrivals=times, limit=st.integers(1, 5))
def test_never_more_than_the_limit_in_any_window(arrivals: list[int], limit: int) -> None:
    recent = Recent()
    for ordinal, at in enumerate(arrivals):
        if recent.fits(at, 1, WINDOW, limit):
            recent = recent.with_(f"m{ordinal}", at)
    for start in arrivals:
        assert sum(start <= entry[0] < start + WINDOW for entry in recent.entries) <= limit


@given(arrivals=times, at=st.integers(0, 600), limit=st.integers(1, 5))
def test_what_is_blocked_would_have_been_too_much(arrivals: list[int], at: int, limit: int) -> None:
    recent = Recent()
    for ordinal, when in enumerate(arrivals):
        if recent.fits(when, 1, WINDOW, limit):
            recent = recent.with_(f"m{ordinal}", when)
    after = [entry[0] for entry in recent.with_("new", at).entries]
    fullest = max(sum(start <= when < start + WINDOW for when in after) for start in after)
    assert recent.fits(at, 1, WINDOW, limit) is (fullest <= limit)


@given(arrivals=st.permutations(range(8)))
def test_order_of_arrival_does_not_matter(arrivals: list[int]) -> None:
    recent = Recent()
    for when in arrivals:
        recent = recent.with_(f"m{when}", when)
    assert recent == counted(*range(8))
