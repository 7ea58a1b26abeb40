"""The memory log runs the trial stages right, in one order and in any."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.runtime.memory import DeadLetter, MemoryLog
from postroad.stage import Emission
from postroad_schemas import Event
from tests.conformance.audit import CORES, Identity, compare, expect, identity
from tests.conformance.stages import SENDER, STAGES, answer, inputs

START = datetime(2026, 3, 1, tzinfo=UTC)


def run(
    events: list[Event], shuffle: random.Random | None
) -> tuple[list[Identity], dict[tuple[str, str], Any], list[DeadLetter]]:
    """All records, states and dead letters after everything that is due was done."""
    log = MemoryLog(STAGES, [(SENDER, answer)], start=START, shuffle=shuffle)
    records: list[Identity] = []
    dead: list[DeadLetter] = []

    def note(topic: str, key: str, emission: Emission | DeadLetter, cause: Event | None) -> None:
        if isinstance(emission, DeadLetter):
            dead.append(emission)
        else:
            records.append(identity(emission))

    log.listen(note)
    log.publish(events)
    log.advance(START + timedelta(days=1))
    states: dict[tuple[str, str], msgspec.Struct] = {
        (core.name, key): state for core in CORES for key, state in log.states(core.name).items()
    }
    return records, states, dead


@pytest.mark.parametrize(
    "shuffle", [pytest.param(None, id="one order"), pytest.param(random.Random(7), id="any order")]
)
def test_every_stage_runs_right(shuffle: random.Random | None) -> None:
    events = [*inputs(60, START)]
    expected = expect(events)
    records, states, dead = run(events, shuffle)
    audit = compare(expected, records, states)
    assert audit.clean, str(audit)
    assert not audit.repeats
    assert {identity(letter.event) for letter in dead} == expected.dead
    assert {letter.reason for letter in dead} == {"raised"}


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 20), st.integers(1, 4))
def test_no_order_of_reading_changes_what_comes_out(shuffle: random.Random, rounds: int, keys: int) -> None:
    """The trial's states commute where events of several keys meet; within a key and topic the order is kept."""
    events = [*inputs(rounds, START, keys)]
    records, states, _ = run(events, shuffle)
    audit = compare(expect(events), records, states)
    assert audit.clean, str(audit)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 10))
def test_a_repeated_event_changes_no_state(shuffle: random.Random, rounds: int) -> None:
    events = [*inputs(rounds, START, 3)]
    records, states, _ = run([*events, *events], shuffle)
    audit = compare(expect(events), records, states)
    assert audit.clean, str(audit)
    assert audit.repeats
