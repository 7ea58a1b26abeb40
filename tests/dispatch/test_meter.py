"""O5: so many a day, counted exactly."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.dispatch.meter import METER, Day, Metered, decide
from postroad.runtime.step import STATE_LIMIT
from postroad_schemas.event import Ticked
from postroad_schemas.outbound import OutboundGranted, OutboundMetered
from tests.dispatch.made import submitted, views_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
VIEWS = views_of()


def asked(number: int, at: datetime = NOON, limit: int = 2) -> OutboundMetered:
    submission = submitted(number)
    return OutboundMetered(
        event_id=f"{number} {at}", occurred_at=at, trace_id="t", server="s", limit=limit, submission=submission
    )


def answers(*questions: OutboundMetered) -> list[OutboundGranted]:
    state, found = Metered(), list[OutboundGranted]()
    for question in questions:
        decision = decide(question, state, VIEWS)
        state = decision.state
        (granted,) = decision.emit
        assert isinstance(granted, OutboundGranted)
        found.append(granted)
    return found


def days(*offsets: float) -> list[OutboundMetered]:
    return [asked(number, NOON + timedelta(days=offset)) for number, offset in enumerate(offsets)]


@pytest.mark.parametrize(
    ("questions", "granted"),
    [
        pytest.param([asked(1)], [True], id="the first"),
        pytest.param([asked(1), asked(2), asked(3)], [True, True, False], id="two are allowed, the third waits"),
        pytest.param([asked(1), asked(1), asked(2), asked(3)], [True, True, True, False], id="a repeat counts once"),
        pytest.param([asked(1), asked(2), asked(3), asked(2)], [True, True, False, True], id="and is granted again"),
        pytest.param(days(0, 0, 0, 1), [True, True, False, True], id="the next day begins anew"),
        pytest.param(days(0, 0, 0.4999, 0.5), [True, True, False, True], id="a day ends at midnight UTC"),
        pytest.param(
            [asked(1, NOON + timedelta(hours=11)), asked(1, NOON + timedelta(hours=13)), *days(0.9, 0.9)],
            [True, True, True, True],
            id="asked again past midnight, it has counted on its own day",
        ),
        pytest.param(days(1, 0, 0, 0), [True, True, True, False], id="what comes late counts on its own day"),
        pytest.param(days(5, 0), [True, False], id="a day no longer kept is to be asked about anew"),
        pytest.param([asked(n, limit=0) for n in range(9)], [True] * 9, id="0 is no limit"),
    ],
)
def test_grants(questions: list[OutboundMetered], granted: list[bool]) -> None:
    assert [answer.not_before is None for answer in answers(*questions)] == granted


def test_what_is_over_waits_for_the_next_utc_day() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=14)))  # there it is the 25th already
    assert answers(asked(1), asked(2), asked(3, east))[-1].not_before == datetime(2026, 11, 25, tzinfo=UTC)


def test_forgets_days_that_are_over() -> None:
    state = decide(asked(1), Metered(), VIEWS).state
    assert METER.due is not None
    assert METER.sweep is not None
    due = METER.due(state)
    assert due == datetime(2026, 11, 26, tzinfo=UTC)
    for at, left in ((due - timedelta(seconds=1), state), (due, Metered())):
        tick = Ticked(event_id="t", occurred_at=at, trace_id="t", stage="meter")
        assert METER.sweep(tick, state, VIEWS).state == left


def test_a_mark_is_found_in_its_place_alone() -> None:
    """Octets of two neighbours are no mark."""
    day = Day(NOON.date(), b"aaaabbbbccccdddd")
    assert [day.has(mark) for mark in (b"aaaabbbb", b"ccccdddd", b"bbbbcccc", b"dddd\x00\x00\x00\x00")] == [
        True,
        True,
        False,
        False,
    ]
    assert Day(NOON.date(), b"xabababa" + b"bxxxxxxx" + b"abababab").has(b"abababab"), "after a place that is none"


def test_a_large_limit_is_kept_and_its_state_still_fits() -> None:
    """Two days of a server that may send 60,000: at the limit the next one waits, and no state is too large."""
    yesterday = Day(NOON.date() - timedelta(days=1), bytes(8 * 50_000), 9_000)
    state = Metered((yesterday, Day(NOON.date(), bytes(8 * 50_000), 9_998)))
    answered = []
    for number in (1, 2, 3):
        decision = decide(asked(number, limit=60_000), state, VIEWS)
        state = decision.state
        answered += [event.not_before is None for event in decision.emit if isinstance(event, OutboundGranted)]
    assert answered == [True, True, False]
    assert [day.granted for day in state.days] == [59_000, 60_000]
    assert len(msgspec.msgpack.encode(state)) < STATE_LIMIT


_ASKED = st.tuples(st.integers(0, 30), st.integers(0, 95))  # who, and in which hour


@given(st.lists(_ASKED, max_size=80), st.integers(1, 4))
def test_never_more_than_the_limit_on_any_day_whatever_comes_when(hours: list[tuple[int, int]], limit: int) -> None:
    """And whoever was granted once is granted whenever asked again within the days that are kept."""
    state, counted, first = Metered(), defaultdict[object, set[int]](set), dict[int, datetime]()
    newest = NOON
    for number, hour in hours:
        question = asked(number, NOON + timedelta(hours=hour), limit)
        newest = max(newest, question.occurred_at)
        decision = decide(question, state, VIEWS)
        assert decide(question, decision.state, VIEWS) == decision, "the same question twice"
        state = decision.state
        (granted,) = decision.emit
        assert isinstance(granted, OutboundGranted)
        if granted.not_before is None and number not in first:
            first[number] = question.occurred_at
            counted[question.occurred_at.date()].add(number)
        if number in first and first[number].date() > newest.date() - timedelta(days=1):
            assert granted.not_before is None
    assert all(len(numbers) <= limit for numbers in counted.values())
