"""Who puts everything off is left alone for a while; one is let through when it is over; a success ends it."""

from datetime import timedelta

import pytest

from postroad.dispatch.transports.pauses import DESTINATION, Pauses
from tests.dispatch.made import AT

MINUTE = timedelta(minutes=1)
DOMAIN = "example.org"


def put_off(pauses: Pauses, times: int, after: timedelta = timedelta()) -> None:
    for _ in range(times):
        pauses.put_off(DOMAIN, "451 4.3.0 later", "4.3.0", AT + after)


def tried(pauses: Pauses, after: timedelta = timedelta(), name: str = DOMAIN) -> bool:
    return pauses.ask(name, AT + after) is None


@pytest.mark.parametrize(
    ("events", "goes_on"),
    [
        pytest.param("dddd", True, id="one short of the limit"),
        pytest.param("ddddd", False, id="the fifth in a row"),
        pytest.param("ddddad", True, id="an answer in between"),
        pytest.param("dddddddd", False, id="what was in flight comes back too"),
        pytest.param("ddddda", True, id="a success of one in flight"),
        pytest.param("ddddnd", False, id="one that did not come so far tells nothing"),
    ],
)
def test_pauses_after_five_in_a_row(events: str, goes_on: bool) -> None:
    pauses = Pauses(DESTINATION)
    book = {
        "d": lambda: put_off(pauses, 1),
        "a": lambda: pauses.answered(DOMAIN),
        "n": lambda: pauses.not_asked(DOMAIN),
    }
    for event in events:
        book[event]()
    assert tried(pauses) is goes_on
    assert tried(pauses, name="example.net"), "others are not touched"


def test_says_what_was_answered_last() -> None:
    pauses = Pauses(DESTINATION)
    put_off(pauses, 6)
    streak = pauses.ask(DOMAIN, AT)
    assert streak is not None
    assert (streak.length, streak.words, streak.status) == (6, "451 4.3.0 later", "4.3.0")


def test_lets_one_through_and_waits_twice_as_long_each_time() -> None:
    pauses, at, pause = Pauses(DESTINATION), timedelta(), MINUTE
    put_off(pauses, 5)
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        pause = minutes * MINUTE
        assert not tried(pauses, at + pause - timedelta(seconds=1))
        at += pause * 1.11
        assert [tried(pauses, at) for _ in range(3)] == [True, False, False]
        put_off(pauses, 1, at)
        put_off(pauses, 3, at)  # stragglers make it no longer
    assert pause == DESTINATION.longest


def test_a_probe_that_did_not_come_so_far_lets_another_through() -> None:
    pauses = Pauses(DESTINATION)
    put_off(pauses, 5)
    assert [tried(pauses, 2 * MINUTE), tried(pauses, 2 * MINUTE)] == [True, False]
    pauses.not_asked(DOMAIN)
    assert tried(pauses, 2 * MINUTE)


def test_a_success_forgets_all() -> None:
    pauses = Pauses(DESTINATION)
    put_off(pauses, 5)
    assert tried(pauses, 2 * MINUTE)
    pauses.answered(DOMAIN)
    put_off(pauses, 4, 2 * MINUTE)
    assert tried(pauses, 2 * MINUTE)


def test_a_clock_that_was_set_back_does_not_keep_it_waiting() -> None:
    pauses = Pauses(DESTINATION)
    put_off(pauses, 5)
    assert tried(pauses, -timedelta(days=1))


def test_memory_is_bounded() -> None:
    pauses = Pauses(DESTINATION, most=2)
    put_off(pauses, 5)
    for name in ("a.test", "b.test"):
        pauses.put_off(name, "", "", AT)
    assert len(pauses._streaks) == 2
    assert tried(pauses), "the one heard from longest ago is forgotten"


def test_jitter_is_the_names_own() -> None:
    ends = {DESTINATION.first}
    for number in range(50):
        pauses = Pauses(DESTINATION)
        for _ in range(5):
            pauses.put_off(f"{number}.test", "", "", AT)
        streak = pauses.ask(f"{number}.test", AT)
        assert streak is not None
        assert streak.until is not None
        ends.add(streak.until - AT)
    assert len(ends) > 45
    assert max(ends) <= DESTINATION.first * 1.1
