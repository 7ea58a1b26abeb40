"""Each address's fate: failures, signs of life, the blacklist (B3-B6)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.bounces.addresses import ADDRESSES, KEEP, AddressLog, Observed
from postroad.bounces.blacklist import KEPT, BlacklistPolicy, Counted, evidence, logged, policy
from postroad.bounces.notifications import NOTIFICATIONS
from postroad.bounces.worker import WORKER
from postroad.views import Views
from postroad_schemas import read, record
from postroad_schemas.address import (
    AddressBarred,
    AddressBlacklisted,
    AddressFailed,
    AddressHeardFrom,
    AddressLeft,
    AddressPardoned,
    ListLeft,
)
from postroad_schemas.values import Stream
from tests.bounces.reports import ADA, Address, day, failed_on, tick, views

SPREAD = [0, 1, 2, 3, 8]


def heard_on(number: float) -> AddressHeardFrom:
    return AddressHeardFrom(event_id=f"h{number}", occurred_at=day(number), trace_id="t", address=ADA)


def barred_on(number: float, note: str = "") -> AddressBarred:
    return AddressBarred(
        event_id=f"b{number}", occurred_at=day(number), trace_id="t", address=ADA, by="op@example.com", note=note
    )


def pardoned_on(number: float) -> AddressPardoned:
    return AddressPardoned(event_id=f"p{number}", occurred_at=day(number), trace_id="t", address=ADA, by="op")


def complaint_on(number: float) -> AddressFailed:
    return AddressFailed(
        event_id=f"c{number}",
        occurred_at=day(number),
        trace_id="t",
        address=ADA,
        notification_id=f"n{number}",
        diagnostic="abuse",
        complaint=True,
        stream=Stream.CHATTER,
    )


@pytest.mark.parametrize(
    ("days", "listed"),
    [
        pytest.param(SPREAD, True, id="five, more than a week apart"),
        pytest.param([0, 1, 2, 8], False, id="four"),
        pytest.param([0, 1, 2, 3, 4], False, id="five in one bad week of theirs"),
        pytest.param([0, 1, 2, 3, 7], False, id="exactly a week is not more than a week"),
        pytest.param([0, 1, 2, 3, 7.001], True, id="a little more than a week is"),
        pytest.param([0, 1, 2, 3, 31], False, id="the first has aged out"),
        pytest.param([0, 1, 2, 3, 30], False, id="exactly 30 days ago has aged out"),
        pytest.param([0, 1, 2, 3, 29.9], True, id="just within 30 days"),
        pytest.param([0, 1, 2, 2, 8], False, id="a repeated report counts once"),
        pytest.param([8, 3, 2, 1, 0], True, id="told in reverse"),
        pytest.param([0, 8, 1, 3, 2], True, id="one in the middle told last"),
    ],
)
def test_blacklists_after_five_failures_spread_over_a_week(days: list[float], listed: bool) -> None:
    """B4."""
    assert Address(*map(failed_on, days)).listed is listed


@pytest.mark.parametrize(
    ("fields", "listed"),
    [
        pytest.param({"stream": Stream.CHATTER}, False, id="bulk only"),
        pytest.param({"stream": None}, False, id="an unknown stream is not bulk"),
        pytest.param({"permanent": False, "hard": False, "status": "4.2.2"}, False, id="temporary"),
        pytest.param({"hard": False, "status": "5.7.1"}, False, id="about policy"),
        pytest.param({"hard": False, "status": "5.2.1"}, True, id="about the mailbox"),
        pytest.param({"hard": False, "status": "5.1.0"}, True, id="about the address"),
        pytest.param({"hard": False, "status": "5.1.7"}, False, id="about the sender's address (RFC 3463 3.2)"),
        pytest.param({"hard": False, "status": "5.1.8"}, False, id="about the sender's domain"),
        pytest.param({"hard": False, "status": ""}, False, id="about nothing"),
        pytest.param({"status": "5.4.4"}, True, id="no such host"),
        pytest.param({"proven": False}, False, id="not proven"),
    ],
)
def test_which_failures_count(fields: dict[str, object], listed: bool) -> None:
    """B4: each of the five failures is of this kind."""
    assert Address(*(failed_on(number, **fields) for number in SPREAD)).listed is listed


@pytest.mark.parametrize(
    ("parameters", "fields", "listed"),
    [
        pytest.param({"count": "6"}, {}, False, id="count"),
        pytest.param({"window_days": "8"}, {}, False, id="window"),
        pytest.param({"span_days": "8"}, {}, False, id="span"),
        pytest.param({"streams": "bulk,chatter"}, {"stream": Stream.CHATTER}, True, id="streams"),
        pytest.param({"streams": "bulk,chatter"}, {"stream": None}, False, id="two streams, an unknown one"),
        pytest.param({"streams": "bulk, chatter, notice"}, {"stream": None}, True, id="every stream, an unknown one"),
        pytest.param({"failures": "hard"}, {"hard": False}, False, id="hard only"),
        pytest.param({"failures": "all"}, {"permanent": False, "hard": False, "status": "4.7.1"}, True, id="all"),
        pytest.param({"proven": "false"}, {"proven": False}, True, id="unproven ones too"),
    ],
)
def test_settings(parameters: dict[str, str], fields: dict[str, object], listed: bool) -> None:
    """B4, D5."""
    failures = [failed_on(number, **fields) for number in SPREAD]
    assert Address(*failures, rules=views(**parameters)).listed is listed


def test_the_documented_defaults_are_the_parameters_defaults() -> None:
    assert policy(Views().directory) == BlacklistPolicy()
    assert policy(views(failures="hard", count="3").directory).failures is Counted.HARD


@pytest.mark.parametrize(
    ("observed", "listed"),
    [
        pytest.param([*map(failed_on, [0, 1, 2, 3]), heard_on(4), failed_on(8)], False, id="heard from in between"),
        pytest.param([heard_on(-1), *map(failed_on, SPREAD)], True, id="heard from before"),
        pytest.param(
            [*map(failed_on, [1, 2, 3, 4]), heard_on(0), failed_on(9)], True, id="heard from before, told late"
        ),
        pytest.param([*map(failed_on, [0, 1, 2, 3]), heard_on(3), failed_on(8)], False, id="heard from at that moment"),
        pytest.param([heard_on(4), *map(failed_on, SPREAD)], False, id="failures told late are cleared too"),
        pytest.param([*map(failed_on, SPREAD), heard_on(9)], True, id="a sign of life lifts nothing"),
        pytest.param([*map(failed_on, SPREAD), pardoned_on(9)], False, id="lifted by hand"),
        pytest.param(
            [*map(failed_on, SPREAD), pardoned_on(9), failed_on(10)], False, id="what came before is forgotten"
        ),
        pytest.param(
            [*map(failed_on, SPREAD), pardoned_on(9), *map(failed_on, [10, 11, 12, 13, 18])],
            True,
            id="a later entry revives the row",
        ),
        pytest.param([barred_on(0)], True, id="barred by hand"),
        pytest.param([barred_on(0), pardoned_on(1)], False, id="barred and pardoned"),
        pytest.param([barred_on(1), pardoned_on(1)], False, id="pardoned at the same moment"),
        pytest.param([pardoned_on(1), barred_on(1)], True, id="barred at the same moment, told after it"),
        pytest.param([pardoned_on(1), complaint_on(1)], True, id="a complaint of the same moment, told after it"),
        pytest.param([heard_on(0), *map(failed_on, SPREAD)], True, id="a failure of the moment of a mail, after it"),
        pytest.param([failed_on(0), heard_on(0), *map(failed_on, SPREAD[1:])], False, id="the same, before it"),
        pytest.param(
            [failed_on(0), heard_on(0), *map(failed_on, SPREAD)], False, id="the same, told again after the mail"
        ),
        pytest.param([pardoned_on(1), barred_on(0)], False, id="barred and pardoned, told in reverse"),
        pytest.param([barred_on(1), pardoned_on(0)], True, id="pardoned before it was barred"),
        pytest.param([barred_on(2), pardoned_on(1), pardoned_on(3)], False, id="pardoned twice"),
        pytest.param([complaint_on(0)], True, id="a complaint, at once"),
        pytest.param([complaint_on(0), heard_on(1)], True, id="a complaint stays after a sign of life"),
        pytest.param([pardoned_on(1), complaint_on(0)], False, id="a complaint from before the pardon"),
        pytest.param([complaint_on(0), pardoned_on(1), complaint_on(2)], True, id="a complaint after the pardon"),
    ],
)
def test_what_becomes_of_an_address(observed: list[Observed], listed: bool) -> None:
    """B3-B5. Every event twice is as good as once."""
    assert Address(*observed).listed is listed
    assert Address(*(event for event in observed for _ in range(2))).listed is listed


def test_a_blacklisting_carries_its_evidence_and_a_note() -> None:
    """B5."""
    [row] = Address(failed_on(-40), *map(failed_on, SPREAD)).rows
    assert isinstance(row, AddressBlacklisted)
    assert (row.address, row.rule, row.active, row.occurred_at) == (ADA, "B4", True, day(8))
    assert [failure.at for failure in row.evidence] == [day(number) for number in SPREAD]
    assert {(failure.status, failure.diagnostic, failure.hard) for failure in row.evidence} == {
        ("5.1.1", "no such user", True)
    }
    assert row.note == (
        "Bulk mail stopped: 5 failures between 2026-03-02 and 2026-03-10, the last one 5.1.1: no such user"
    )


def test_a_blacklisting_is_said_again_on_a_repeat_only() -> None:
    address = Address(*map(failed_on, SPREAD))
    [row] = address.rows
    assert address.take(failed_on(8)) == [row]
    assert address.take(failed_on(3)) == []
    assert address.take(failed_on(9)) == []
    assert address.take(complaint_on(10)) == []
    address.rules = views(count="9")
    assert address.take(failed_on(8)) == [row]  # kept, not judged again


def test_a_repeat_is_not_judged_again_when_the_rules_have_changed() -> None:
    address = Address(*map(failed_on, [0, 1, 8]))
    address.rules = views(count="3")
    assert address.take(failed_on(8)) == []
    assert len(address.take(failed_on(9))) == 1


def test_rows_by_hand_name_who_and_why() -> None:
    """B5."""
    barred = Address(failed_on(0), barred_on(1, note="asked on the phone")).rows[-1]
    assert isinstance(barred, AddressBlacklisted)
    assert (barred.rule, barred.by, barred.note) == ("B5", "op@example.com", "asked on the phone")
    assert len(barred.evidence) == 1
    lifted = Address(pardoned_on(2)).rows[-1]
    assert isinstance(lifted, AddressBlacklisted)
    assert (lifted.active, lifted.by, lifted.note) == (False, "op", "Lifted by op on 2026-03-04")


def test_a_complaint_names_itself() -> None:
    """B5."""
    [row] = Address(complaint_on(0)).rows
    assert isinstance(row, AddressBlacklisted)
    assert (row.rule, row.note) == ("B5", "Bulk mail stopped: a complaint (abuse) on 2026-03-02")


def test_a_list_left_is_a_row_of_its_own() -> None:
    """O6."""
    left = AddressLeft(event_id="l", occurred_at=day(0), trace_id="t", address=ADA, list_name="news", how="one-click")
    address = Address(left)
    [row] = address.rows
    assert isinstance(row, ListLeft)
    assert (row.address, row.list_name, row.how) == (ADA, "news", "one-click")
    assert address.state == AddressLog()
    assert record(row).key == b"ada@example.net news"


@pytest.mark.parametrize("late", [pytest.param(False, id="then with it"), pytest.param(True, id="then without it")])
def test_a_failure_told_again_keeps_its_stream(late: bool) -> None:
    """B1: what came ahead of dispatch is told again; it stays one failure."""
    without, known = failed_on(3, stream=None), failed_on(3, event_id="again")
    address = Address(*map(failed_on, [0, 1, 2, 8]), *((known, without) if late else (without, known)))
    assert address.listed
    assert [entry.stream for entry in address.state.failures] == ["bulk"] * 5


def test_the_same_history_under_other_numbers() -> None:
    """B6."""
    log = tuple(logged(failed_on(number)) for number in [0, 20, 40, 60, 80])
    assert evidence(log, BlacklistPolicy()) == ()
    assert evidence(log, BlacklistPolicy(window=timedelta(days=91))) == log
    assert evidence(log, BlacklistPolicy(count=2)) == log[3:]


def test_a_long_history_is_cut() -> None:
    """B3: up to 100, up to 180 days."""
    address = Address(*(failed_on(number / 100, stream=Stream.CHATTER) for number in range(KEPT + 20)))
    assert len(address.state.failures) == KEPT
    assert address.state.failures[0].at == day(0.2).timestamp()
    address.take(failed_on(181, stream=Stream.CHATTER))
    assert [entry.at for entry in address.state.failures][-1] == day(181).timestamp()
    assert address.state.failures[0].at > day(1).timestamp()


def test_what_is_old_is_forgotten_but_not_the_blacklisting() -> None:
    assert ADDRESSES.due is not None
    assert ADDRESSES.sweep is not None
    state = Address(heard_on(0), failed_on(1), barred_on(2)).state
    assert ADDRESSES.due(state) == day(0) + KEEP
    assert ADDRESSES.sweep(tick(day(-1) + KEEP), state, Views()).state == state
    younger = ADDRESSES.sweep(tick(day(0) + KEEP), state, Views()).state
    assert ADDRESSES.due(younger) == day(1) + KEEP
    oldest = ADDRESSES.sweep(tick(day(2) + KEEP), younger, Views()).state
    assert ADDRESSES.due(oldest) is None
    assert oldest == AddressLog(row=state.row)
    pardoned = Address(pardoned_on(0)).state
    assert ADDRESSES.sweep(tick(day(0) + KEEP), pardoned, Views()).state == AddressLog()


OBSERVED: list[Observed] = [
    *map(failed_on, [0, 1, 2, 3, 8, 9, 15]),
    heard_on(2),
    heard_on(12),
    barred_on(5),
    pardoned_on(6),
    complaint_on(7),
]


@given(order=st.lists(st.sampled_from(OBSERVED), max_size=16))
def test_the_same_event_twice(order: list[Observed]) -> None:
    address = Address()
    for event in order:
        said, state = address.take(event), address.state
        assert address.take(event) == said
        assert address.state == state
    for row in address.rows:
        wire = record(row)
        assert wire.value is not None
        assert wire.topic in ADDRESSES.writes
        assert read(wire.topic, wire.value) == row


@given(order=st.permutations([*map(failed_on, SPREAD), failed_on(4), heard_on(-1), heard_on(0.1)]))
def test_order_of_arrival_does_not_matter_while_the_address_is_silent(order: list[Observed]) -> None:
    """A sign of life clears the same failures whenever it is told."""
    address = Address(*order)
    assert [entry.notification_id for entry in address.state.failures] == ["n1", "n2", "n3", "n4", "n8"]
    assert address.state.cleared_at == day(0.1).timestamp()


@given(days=st.permutations([0, 1, 2, 3, 4, 8, 20]))
def test_failures_list_whatever_the_order_they_are_told_in(days: list[int]) -> None:
    assert Address(*map(failed_on, days)).listed


def test_the_worker_runs_both_stages() -> None:
    assert WORKER.stages == (NOTIFICATIONS, ADDRESSES)
