"""The memory log: its order, its clock, its tables, its dead letters. What stages come to: conformance suite."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.runtime.memory import DeadLetter, MemoryLog
from postroad.stage import Decision, Emission, Stage
from postroad.views import Views
from postroad_schemas import Event, Ticked, Tombstone, Unreadable
from postroad_schemas.address import AddressBlacklisted, AddressHeardFrom
from postroad_schemas.outbound import OutboundSubmitted
from tests.conformance.stages import (
    CLOSING,
    COUNTING,
    POISON,
    RETRY_AFTER,
    SENDER,
    SHUT_AFTER,
    STAGES,
    Seen,
    answer,
    inputs,
)

START = datetime(2026, 3, 1, tzinfo=UTC)


def heard(number: int, address: str = "a@example.org") -> AddressHeardFrom:
    return AddressHeardFrom(event_id=f"{number:032x}", occurred_at=START, trace_id=f"{number:032x}", address=address)


def collecting(log: MemoryLog) -> list[tuple[datetime, str, Emission | DeadLetter, Event | None]]:
    """What is appended from now on, with the clock's time."""
    told: list[tuple[datetime, str, Emission | DeadLetter, Event | None]] = []
    log.listen(lambda topic, _, emission, cause: told.append((log.now, topic, emission, cause)))
    return told


def test_everything_is_read_in_the_order_in_which_it_was_appended() -> None:
    seen: list[str] = []

    def note(event: Any, state: Seen, _: Views) -> Decision[Seen]:
        seen.append(event.event_id)
        return Decision(state)

    log = MemoryLog([Stage("any", "trial", ("address.observed",), (), Seen, note)], start=START)
    events = [heard(n, f"{n % 3}@example.org") for n in range(20)]
    log.publish(events)
    log.rest()
    assert seen == [event.event_id for event in events]


def test_any_order_is_another_one_but_within_a_key() -> None:
    seen: list[tuple[str, str]] = []

    def note(event: Any, state: Seen, _: Views) -> Decision[Seen]:
        seen.append((event.address, event.event_id))
        return Decision(state)

    stage = Stage("any", "trial", ("address.observed",), (), Seen, note)
    log = MemoryLog([stage], start=START, shuffle=random.Random(1))
    events = [heard(n, f"{n % 3}@example.org") for n in range(20)]
    log.publish(events)
    log.rest()
    assert [it[1] for it in seen] != [event.event_id for event in events]
    for key in range(3):
        of_key = [it[1] for it in seen if it[0] == f"{key}@example.org"]
        assert of_key == [event.event_id for event in events if event.address == f"{key}@example.org"]


def test_every_order_that_may_be_does_happen() -> None:
    orders = set()
    for seed in range(60):
        log = MemoryLog([COUNTING], start=START, shuffle=random.Random(seed))
        told = collecting(log)
        log.publish([heard(n, f"{n}@example.org") for n in range(3)])
        log.rest()
        orders.add(tuple(emission.address for _, topic, emission, _ in told if topic == "suppressions"))  # type: ignore[union-attr]
    assert len(orders) == 6


def test_a_key_is_swept_at_exactly_its_time_and_the_clock_stands_there() -> None:
    log = MemoryLog([CLOSING], start=START)
    told = collecting(log)
    first, later = (event for event in inputs(2, START, keys=2) if type(event).__name__ == "ThreadClosed")
    log.publish([later, first])
    log.advance(START + timedelta(hours=1))
    rows = [(now, emission.cause_id, cause) for now, topic, emission, cause in told if topic == "closed-threads"]  # type: ignore[union-attr]
    assert [row[:2] for row in rows] == [
        (START + SHUT_AFTER, first.event_id),
        (START + timedelta(seconds=1) + SHUT_AFTER, later.event_id),
    ]
    for now, _, cause in rows:
        assert isinstance(cause, Ticked)
        assert (cause.stage, cause.occurred_at) == ("closing", now)
    assert log.now == START + timedelta(hours=1)
    assert log.states("closing") == {}


def test_what_is_not_due_stays() -> None:
    log = MemoryLog([CLOSING], start=START)
    log.publish([event for event in inputs(1, START) if type(event).__name__ == "ThreadClosed"])
    log.advance(START + SHUT_AFTER - timedelta(microseconds=1))
    assert log.rows("closed-threads") == {}
    log.advance(START + SHUT_AFTER)
    assert len(log.rows("closed-threads")) == 1


def test_a_key_that_stays_due_is_looked_at_once_a_minute() -> None:
    looks: list[datetime] = []

    def look(tick: Ticked, state: Seen, _: Views) -> Decision[Seen]:
        looks.append(tick.occurred_at)
        return Decision(state)

    stage = Stage(
        "stubborn",
        "trial",
        ("address.observed",),
        (),
        Seen,
        lambda event, state, _: Decision(state.with_(event.event_id)),
        due=lambda state: START if state.ids else None,
        sweep=look,
    )
    log = MemoryLog([stage], start=START)
    log.publish([heard(1)])
    log.advance(START + timedelta(minutes=2))
    assert looks == [START + timedelta(minutes=n) for n in range(3)]


def test_a_deferred_message_is_tried_again_at_exactly_its_time() -> None:
    attempts: list[tuple[datetime, int]] = []
    log: MemoryLog

    def call(attempt: Any) -> int:
        attempts.append((log.now, attempt.number))
        return answer(attempt)

    log = MemoryLog([], [(SENDER, call)], start=START)
    submitted = OutboundSubmitted(
        event_id="1" * 32, occurred_at=START, trace_id="1" * 32, recipient="later@example.org", message_id="<1@out>"
    )
    log.publish([submitted])
    log.rest()
    assert attempts == [(START, 1)]
    log.advance(START + timedelta(days=1))
    assert attempts == [(START + n * RETRY_AFTER, n + 1) for n in range(3)]


def test_tables_are_seen_by_views_at_once_and_forget_what_ended() -> None:
    views = Views()
    log = MemoryLog([], views=views, start=START)
    row = AddressBlacklisted(
        event_id="1" * 32, occurred_at=START, trace_id="1" * 32, address="a@example.org", rule="B5"
    )
    log.publish([row])
    assert views.blacklisted == log.rows("suppressions") == {"a@example.org": row}
    log.publish([Tombstone("suppressions", "a@example.org")])
    assert views.blacklisted == log.rows("suppressions") == {}


def emits_no_event(event: Any, state: Seen, _: Views) -> Decision[Seen]:
    return Decision(state.with_(event.event_id), (Seen(),))


def emits_what_nobody_can_read(event: Any, state: Seen, _: Views) -> Decision[Seen]:
    row = AddressBlacklisted(event_id="2" * 32, occurred_at=START, trace_id="", address=event.address, rule=4)  # type: ignore[arg-type]
    return Decision(state.with_(event.event_id), (row,))


def leaves_no_state(event: Any, state: Seen, _: Views) -> Decision[Seen]:
    return Decision(Seen(ids=(object(),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "decide",
    [
        pytest.param(emits_no_event, id="emits what is on no topic"),
        pytest.param(emits_what_nobody_can_read, id="emits a field of a wrong type"),
        pytest.param(leaves_no_state, id="leaves a state that cannot be written"),
    ],
)
def test_a_core_with_a_fault_costs_one_dead_letter_and_changes_nothing(
    decide: Callable[[Any, Seen, Views], Decision[Seen]],
) -> None:
    log = MemoryLog([COUNTING, Stage("faulty", "trial", ("address.observed",), (), Seen, decide)], start=START)
    told = collecting(log)
    log.publish([heard(1)])
    log.rest()
    ((_, _, letter, cause),) = (it for it in told if it[1] == "trial.dead")
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.core, letter.topic, letter.event) == (
        "raised",
        "faulty",
        "address.observed",
        heard(1),
    )
    assert cause == heard(1)
    assert log.states("faulty") == {}
    assert log.state("counting", "a@example.org").seen == {heard(1).event_id: 1}, "its neighbour read it all the same"


def test_the_line_goes_on_behind_a_dead_letter() -> None:
    log = MemoryLog(STAGES, start=START)
    events = [event for event in inputs(14, START, keys=1) if type(event).__name__ == "FollowerSought"]
    assert [event.address == POISON for event in events].index(True) == 12  # type: ignore[attr-defined]
    log.publish(events)
    log.rest()
    assert len(log.state("fragile", "crm/0").ids) == 13


@pytest.mark.parametrize(
    ("emission", "error"),
    [
        pytest.param(Seen(), KeyError, id="on no topic"),
        pytest.param(
            AddressHeardFrom(event_id="2", occurred_at=START, trace_id="", address="a@example.org", message_id=3),  # type: ignore[arg-type]
            Unreadable,
            id="a field of a wrong type",
        ),
    ],
)
def test_what_cannot_be_published_is_raised_and_nothing_of_it_appended(
    emission: Emission, error: type[Exception]
) -> None:
    log = MemoryLog([COUNTING], start=START)
    told = collecting(log)
    with pytest.raises(error):
        log.publish([heard(1), emission])
    log.rest()
    assert told == []
