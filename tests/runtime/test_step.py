"""One record through a stage: what is poison, and what is written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from postroad.runtime.step import EVENT_LIMIT, STATE_LIMIT, Poison, Stepper
from postroad.stage import Decision, Stage
from postroad.views import Views
from postroad_schemas import Ticked, encode, record
from postroad_schemas.address import AddressBlacklisted, AddressHeardFrom
from tests.conformance.stages import CLOSING, COUNTING, Seen, Waiting

AT = datetime(2026, 11, 1, tzinfo=UTC)
HEARD = AddressHeardFrom(event_id="e1", occurred_at=AT, trace_id="e1", address="a@example.org")
TICK = Ticked(event_id="t", occurred_at=AT, trace_id="t", stage="closing")


def stepper(**changed: Any) -> Stepper:
    return Stepper(replace(COUNTING, **changed), Views())


def deciding(decision: Decision[Any]) -> Stepper:
    return stepper(state=Seen, decide=lambda *_: decision)


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        pytest.param("address.observed", b"\xff", "invalid", id="not JSON"),
        pytest.param("address.observed", b'{"type":"address.heard_from"}', "invalid", id="a field is missing"),
        pytest.param("address.observed", b'{"type":"address.sold"}', "unknown_type", id="an event nobody knows"),
        pytest.param("no.such", b"{}", "unknown_topic", id="a topic nobody knows"),
        pytest.param("address.observed", None, "no_value", id="a tombstone on a stream"),
        pytest.param("address.observed", b"[" * 100_000, "invalid", id="100,000 brackets"),
    ],
)
def test_what_cannot_be_read_is_poison(topic: str, value: bytes | None, reason: str) -> None:
    with pytest.raises(Poison) as caught:
        stepper().event(topic, value)

    assert caught.value.reason == reason


def test_what_can_be_read_is_the_event() -> None:
    assert stepper().event("address.observed", encode(HEARD)) == HEARD


def test_a_decision_becomes_a_row_and_records() -> None:
    step = stepper().decide(HEARD, None)

    assert step.row is not None
    assert msgspec.msgpack.decode(step.row, type=COUNTING.state).seen == {"e1": 1}
    assert [made.topic for made in step.records] == ["suppressions"]


def test_the_same_event_on_its_own_row_changes_nothing() -> None:
    step = stepper().decide(HEARD, None)

    assert stepper().decide(HEARD, step.row) == step


def test_an_empty_state_deletes_the_row() -> None:
    assert deciding(Decision(Seen())).decide(HEARD, msgspec.msgpack.encode(Seen(("e0",)))).row is None


def raising(error: BaseException) -> Stage[Any]:
    def decide(event: Any, state: Any, views: Views) -> Decision[Any]:
        raise error

    return replace(COUNTING, decide=decide)


LARGE_ROW = AddressBlacklisted(
    event_id="x", occurred_at=AT, trace_id="x", address="a@example.org", rule="B4", note="x" * EVENT_LIMIT
)


@pytest.mark.parametrize(
    ("made", "row", "reason"),
    [
        pytest.param(Stepper(raising(ValueError("no")), Views()), None, "raised", id="a core that raises"),
        pytest.param(Stepper(raising(RecursionError()), Views()), None, "raised", id="a core that recurses"),
        pytest.param(stepper(), b"\xc1", "state", id="a row that cannot be read"),
        pytest.param(deciding(Decision(Seen(("x" * STATE_LIMIT,)))), None, "too_large", id="a state over the limit"),
        pytest.param(deciding(Decision(Seen(), (LARGE_ROW,))), None, "too_large", id="an event over the limit"),
        pytest.param(deciding(Decision(Seen(), (Seen(),))), None, "raised", id="an emission of no topic"),
    ],
)
def test_what_cannot_be_decided_is_poison(made: Stepper, row: bytes | None, reason: str) -> None:
    with pytest.raises(Poison) as caught:
        made.decide(HEARD, row)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("core", "sweeps"),
    [
        pytest.param(CLOSING, True, id="its own tick"),
        pytest.param(replace(CLOSING, name="another"), False, id="another stage's tick"),
        pytest.param(replace(CLOSING, sweep=None), False, id="a stage that sweeps nothing"),
    ],
)
def test_a_stage_sweeps_on_its_own_ticks(core: Stage[Any], sweeps: bool) -> None:
    assert Stepper(core, Views()).sweeps(TICK) is sweeps


def test_a_sweep_takes_what_is_over_and_names_the_next_time() -> None:
    closing = Stepper(CLOSING, Views())
    row = msgspec.msgpack.encode(Waiting({"early": AT, "late": AT + timedelta(seconds=5)}))
    assert closing.due(row) == AT.timestamp()

    step = closing.sweep(TICK, row)

    assert [made.key for made in step.records] == [b"early"]
    assert step.due == (AT + timedelta(seconds=5)).timestamp()
    assert closing.due(None) is None


def test_records_keep_the_ids_in_their_headers() -> None:
    assert dict(record(HEARD).headers)["event_id"] == b"e1"
