"""What would blacklist an address next, and what other numbers say of its history (B4, B6)."""

from datetime import datetime, timedelta

import pytest

from postroad.bounces.blacklist import BlacklistPolicy, Counted, counts, logged, why_not
from postroad.bounces.outlook import outlook, what_if
from postroad.views import Views
from postroad_schemas.address import AddressFailed
from postroad_schemas.values import Stream
from tests.bounces.reports import ADA, Address, day, failed_on
from tests.bounces.test_addresses import SPREAD, barred_on, complaint_on, heard_on, pardoned_on

NOBODY = BlacklistPolicy(count=99)


@pytest.mark.parametrize(
    ("days", "now", "counted", "more", "after"),
    [
        pytest.param([], 0, 0, 5, day(7), id="none yet"),
        pytest.param([0, 1, 2], 3, 3, 2, day(7), id="three, within a week"),
        pytest.param([0, 1, 2, 8], 9, 4, 1, None, id="one short, spread enough"),
        pytest.param([0, 1, 2, 3, 4], 5, 5, 1, day(7), id="enough, in one bad week"),
        pytest.param([0, 20], 31, 1, 4, None, id="the first has aged out"),
    ],
)
def test_what_would_blacklist_it_next(
    days: list[float], now: float, counted: int, more: int, after: datetime | None
) -> None:
    """B4."""
    log = tuple(logged(failed_on(number)) for number in days)
    ahead = outlook(log, BlacklistPolicy(), day(now))
    assert (len(ahead.counted), ahead.more, ahead.after) == (counted, more, after)


@pytest.mark.parametrize("days", [[0], [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 5, 6]])
def test_what_it_foretells_comes_true(days: list[float]) -> None:
    """So many more, the last a little after that time; and not before."""
    log = tuple(logged(failed_on(number)) for number in days)
    now = max(days) + 0.5
    ahead = outlook(log, BlacklistPolicy(), day(now))
    last = max(now, 7.0) + 0.1
    assert (ahead.after is None) is (now > 7)
    further = [failed_on(now + number / 100) for number in range(ahead.more - 1)]
    assert not Address(*map(failed_on, days), *further).listed
    assert Address(*map(failed_on, days), *further, failed_on(last)).listed


@pytest.mark.parametrize(
    ("fields", "rules", "words"),
    [
        pytest.param({}, BlacklistPolicy(), "", id="it counts"),
        pytest.param({"stream": Stream.CHATTER}, BlacklistPolicy(), "chatter mail", id="another stream"),
        pytest.param({"stream": None}, BlacklistPolicy(), "of an unknown stream", id="an unknown stream"),
        pytest.param({"proven": False}, BlacklistPolicy(), "not proven", id="not proven"),
        pytest.param({"hard": False, "permanent": False}, BlacklistPolicy(), "not permanent", id="temporary"),
        pytest.param(
            {"hard": False, "status": "5.7.1"}, BlacklistPolicy(), "about neither mailbox nor host", id="policy"
        ),
        pytest.param({"hard": False, "status": "5.1.8"}, BlacklistPolicy(), "about the sender", id="our own domain"),
        pytest.param({"hard": False}, BlacklistPolicy(failures=Counted.HARD), "not hard", id="hard only"),
        pytest.param({"hard": False, "permanent": False}, BlacklistPolicy(failures=Counted.ALL), "", id="all"),
    ],
)
def test_why_a_failure_does_not_count(fields: dict[str, object], rules: BlacklistPolicy, words: str) -> None:
    """B4."""
    entry = logged(failed_on(0, **fields))
    assert why_not(entry, rules) == words
    assert counts(entry, rules) is not bool(words)


@pytest.mark.parametrize(
    ("observed", "rules", "would", "listed"),
    [
        pytest.param([*map(failed_on, SPREAD)], BlacklistPolicy(), True, True, id="as it is"),
        pytest.param([*map(failed_on, SPREAD)], NOBODY, False, True, id="stricter numbers"),
        pytest.param([*map(failed_on, [0, 8])], BlacklistPolicy(count=2), True, False, id="looser numbers"),
        pytest.param(
            [*map(failed_on, [0, 1, 8]), heard_on(9)], BlacklistPolicy(count=1), False, False, id="heard from"
        ),
        pytest.param([*map(failed_on, SPREAD), pardoned_on(9)], BlacklistPolicy(), False, False, id="lifted"),
        pytest.param([barred_on(0)], NOBODY, True, True, id="barred by hand: numbers do not matter"),
        pytest.param([complaint_on(0)], NOBODY, True, True, id="complained: the same"),
    ],
)
def test_the_same_history_under_other_numbers(
    observed: list[AddressFailed], rules: BlacklistPolicy, would: bool, listed: bool
) -> None:
    """B6."""
    state = Address(*observed, rules=Views()).state
    asked = what_if(ADA, state, rules)
    assert (asked.would, asked.listed) == (would, listed)


def test_a_span_longer_than_the_window_lists_nobody() -> None:
    log = Address(*map(failed_on, SPREAD)).state
    assert what_if(ADA, log, BlacklistPolicy(window=timedelta(days=7), span=timedelta(days=8))).evidence == ()
