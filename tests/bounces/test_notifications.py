"""Each notification's fate (B1, B2)."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.bounces.fate import COMPLAINED, DELAYED, FAILED, OURS, PLANNED, SENT, Report
from postroad.bounces.notifications import KEEP, NOTIFICATIONS, Notification
from postroad.views import Views
from postroad_schemas import read, record
from postroad_schemas.address import AddressFailed, AddressLeft
from postroad_schemas.chatter import NotificationComplained, NotificationDelayed, NotificationFailed, NotificationSent
from postroad_schemas.outbound import Action, LeaveAsked, Source
from postroad_schemas.values import FailureType, Stream
from tests.bounces.reports import ADA, START, Address, Fates, at, complained, dispatched, refused, reported, tick, words

DELAY = dispatched("d0", Action.DELAYED, status="4.2.0", next_attempt_at=at(1))
RELAYED = dispatched("d1", Action.RELAYED, 1)
REFUSED = refused("d2", 2)
DSN = reported("r1")
WEBHOOK = reported("w1", minute=6, source=Source.WEBHOOK)
COMPLAINT = complained("c1")


@pytest.mark.parametrize(
    ("reports", "fate", "said"),
    [
        pytest.param([], PLANNED, [], id="nothing yet"),
        pytest.param([DELAY], DELAYED, ["notification.delayed"], id="delays do not count"),
        pytest.param([DELAY, RELAYED], SENT, ["notification.delayed", "notification.sent"], id="delayed, then sent"),
        pytest.param(
            [DELAY, dispatched("d9", Action.DELAYED, 1)], DELAYED, ["notification.delayed"], id="delayed once more"
        ),
        pytest.param([RELAYED, DELAY], SENT, ["notification.sent"], id="what comes late changes nothing"),
        pytest.param([REFUSED], FAILED, ["notification.failed", "address.failed"], id="refused at once"),
        pytest.param(
            [RELAYED, DSN],
            FAILED,
            ["notification.sent", "notification.failed", "address.failed"],
            id="a report after it was sent",
        ),
        pytest.param(
            [REFUSED, DSN, WEBHOOK],
            FAILED,
            ["notification.failed", "address.failed"],
            id="three sides count once",
        ),
        pytest.param(
            [RELAYED, DSN, WEBHOOK, COMPLAINT],
            COMPLAINED,
            [
                "notification.sent",
                "notification.failed",
                "address.failed",
                "notification.complained",
                "address.failed by complaint",
            ],
            id="up to the complaint",
        ),
        pytest.param([DSN], PLANNED, ["address.failed"], id="never sent: counts for the address alone"),
        pytest.param([DSN, WEBHOOK], PLANNED, ["address.failed"], id="never sent: once"),
        pytest.param([reported("r0", recipient="")], PLANNED, [], id="nobody is named: it waits"),
        pytest.param(
            [reported("r0", recipient=""), RELAYED],
            FAILED,
            ["notification.sent", "notification.failed", "address.failed"],
            id="nobody was named until dispatch spoke",
        ),
        pytest.param(
            [reported("r0", Action.DELAYED), RELAYED],
            SENT,
            ["notification.delayed", "notification.sent"],
            id="a delay that was ahead of dispatch",
        ),
        pytest.param(
            [reported("r0", Action.DELIVERED), DELAY],
            SENT,
            ["notification.delayed", "notification.sent"],
            id="a delivery that was ahead of dispatch",
        ),
    ],
)
def test_a_notification_only_escalates(reports: list[Report], fate: int, said: list[str]) -> None:
    fates = Fates(*reports)
    assert fates.state.fate == fate
    assert words(fates.out) == said


@pytest.mark.parametrize("order", list(permutations([RELAYED, DSN, WEBHOOK, COMPLAINT])))
def test_the_order_of_the_sides_does_not_matter(order: tuple[Report, ...]) -> None:
    """B1: same fate, the address counted once for the failure and once for the complaint."""
    fates = Fates(*order)
    assert fates.state.fate == COMPLAINED
    assert fates.address_failures == {(ADA, "n1", False), (ADA, "n1", True)}


@pytest.mark.parametrize("weak", [{"recipient": ""}, {"proven": False}], ids=["names nobody", "proves nothing"])
@pytest.mark.parametrize("dispatch", [RELAYED, REFUSED], ids=["sent", "refused"])
def test_nor_when_one_side_says_less(weak: dict[str, Any], dispatch: Report) -> None:
    """B4: what counts on the address is the proven failure, with its stream. A repeat takes nothing back."""
    for order in permutations([dispatch, reported("r0", **weak), WEBHOOK]):
        fates = Fates(*order, *order)
        assert fates.state.fate == FAILED
        (failure,) = Address(*(e for e in fates.out if isinstance(e, AddressFailed))).state.failures
        assert (failure.notification_id, failure.proven, failure.stream) == ("n1", True, "chatter")


def test_the_red_envelope_names_author_and_thread() -> None:
    """B2."""
    fates = Fates(RELAYED)
    failed, _ = fates.take(DSN)
    assert isinstance(failed, NotificationFailed)
    assert (failed.author, failed.thread, failed.recipient) == ("c1", "ticket/7", ADA)
    assert (failed.failure, failed.status, failed.diagnostic) == (FailureType.REFUSED, "5.1.1", "no such user")
    assert (failed.message_id, failed.stream, failed.occurred_at) == (
        "<m@example.com>",
        Stream.CHATTER,
        DSN.occurred_at,
    )


def test_what_dispatch_says_is_told_on() -> None:
    delayed, sent, said = *Fates(DELAY).out, *Fates(RELAYED).out, Fates(RELAYED, COMPLAINT).out[1]
    assert isinstance(delayed, NotificationDelayed)
    assert isinstance(sent, NotificationSent)
    assert isinstance(said, NotificationComplained)
    assert (delayed.status, delayed.next_attempt_at) == ("4.2.0", at(1))
    assert (sent.server, sent.reply.code) == ("main", 250)
    assert (said.feedback_type, said.thread) == ("abuse", "ticket/7")


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        pytest.param(refused("d"), True, id="a refusal"),
        pytest.param(refused("d", failure=None), True, id="a failure without a type"),
        pytest.param(refused("d", expired=True), True, id="expired, with their words"),
        pytest.param(refused("d", failure=FailureType.CONNECTION, expired=True), False, id="expired, nobody answered"),
        pytest.param(refused("d", recipient=""), False, id="no address"),
        *(pytest.param(refused("d", failure=failure), False, id=f"ours: {failure}") for failure in sorted(OURS)),
    ],
)
def test_only_what_the_receiving_side_stated_counts(report: Report, counts: bool) -> None:
    """B3."""
    fates = Fates(report)
    assert fates.state.fate == FAILED
    assert bool(fates.address_failures) is counts


def test_a_relays_report_of_expiry_counts() -> None:
    """B3: the report is the word of a server, whichever way it gave up."""
    assert Fates(RELAYED, reported("r", failure=FailureType.EXPIRED)).address_failures


def test_the_return_path_says_who_the_report_what() -> None:
    """P4: dispatch's recipient is blamed, wherever it was forwarded to."""
    assert Fates(RELAYED, reported("r", recipient="forwarded@example.info")).address_failures == {(ADA, "n1", False)}


def test_a_count_that_was_ahead_of_dispatch_is_told_again_with_its_stream() -> None:
    fates = Fates(DSN, dispatched("d1", Action.RELAYED, 1, stream=Stream.BULK, thread="", mailing="spring"))
    counted = [e for e in fates.out if isinstance(e, AddressFailed)]
    assert [(e.notification_id, e.stream) for e in counted] == [("n1", None), ("n1", Stream.BULK)]
    assert len({e.event_id for e in counted}) == 2


def test_a_notice_that_fails_marks_nothing() -> None:
    """L8: only its address is counted."""
    assert words(Fates(refused("d", stream=Stream.NOTICE, thread="")).out) == ["address.failed"]


EVENTS: list[Report] = [
    DELAY,
    RELAYED,
    REFUSED,
    DSN,
    WEBHOOK,
    COMPLAINT,
    complained("c2", recipient=""),
    reported("r0", recipient=""),
    reported("r2", Action.DELAYED),
    reported("r3", Action.DELIVERED),
    reported("r4", recipient="other@example.info"),
]


@given(order=st.lists(st.sampled_from(EVENTS), max_size=8))
def test_the_same_event_twice(order: list[Report]) -> None:
    """State and output as before; and what is repeated later says nothing new."""
    fates = Fates()
    for report in order:
        said, state = fates.take(report), fates.state
        assert fates.take(report) == said
        assert fates.state == state
    told, state = list(fates.out), fates.state
    for report in order:
        for emission in fates.take(report):
            known = isinstance(emission, AddressFailed) and emission.stream is not None
            assert emission in told or known
    assert fates.state == state
    assert len(msgspec.json.encode(state)) < 6_000


@given(order=st.permutations(EVENTS))
def test_any_order_ends_alike(order: list[Report]) -> None:
    fates = Fates(*order)
    assert fates.state.fate == COMPLAINED
    assert {key for key in fates.address_failures if key[0] == ADA} == {(ADA, "n1", False), (ADA, "n1", True)}


def test_every_emission_is_one_of_the_stage_and_reads_back() -> None:
    for emission in Fates(*EVENTS).out:
        wire = record(emission)
        assert wire.value is not None
        assert wire.topic in NOTIFICATIONS.writes
        assert read(wire.topic, wire.value) == emission


def test_it_is_forgotten_after_30_days() -> None:
    assert NOTIFICATIONS.due is not None
    assert NOTIFICATIONS.sweep is not None
    state = Fates(RELAYED, DSN).state
    due = DSN.occurred_at + KEEP
    assert NOTIFICATIONS.due(state) == due
    assert NOTIFICATIONS.due(Notification()) is None
    assert NOTIFICATIONS.sweep(tick(due - timedelta(seconds=1)), state, Views()).state == state
    assert NOTIFICATIONS.sweep(tick(due), state, Views()).state == Notification()
    assert Fates(RELAYED).state.seen == START.timestamp() + 60


LEAVE = LeaveAsked(event_id="l1", occurred_at=at(3), trace_id="t4", notification_id="n1", how="one-click")
BULK = dispatched("d1", Action.RELAYED, 1, stream=Stream.BULK, thread="", mailing="news-1", list_name="news")
LATER = BULK.occurred_at + KEEP


def left(fates: Fates) -> list[tuple[str, str, str]]:
    return [(e.address, e.list_name, e.how) for e in fates.out if isinstance(e, AddressLeft)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([BULK, LEAVE], 1, id="O6 of a message that is known"),
        pytest.param([LEAVE, BULK], 1, id="O6 ahead of dispatch it waits"),
        pytest.param([LEAVE], 0, id="O6 of a message never heard of"),
        pytest.param([RELAYED, LEAVE], 0, id="O6 of chatter, which is of no list"),
        pytest.param([LEAVE, RELAYED], 0, id="O6 of chatter, ahead of dispatch"),
    ],
)
def test_a_leave_is_told_to_the_address(events: list[Report | LeaveAsked], expected: int) -> None:
    fates = Fates(*events)
    assert left(fates) == [(ADA, "news", "one-click")] * expected
    assert fates.state.fate == (SENT if len(events) > 1 else PLANNED)
    assert fates.address_failures == set()


@pytest.mark.parametrize("events", list(permutations([BULK, LEAVE])), ids=["in order", "ahead"])
def test_a_repeated_leave_says_the_same_again(events: tuple[Report | LeaveAsked, ...]) -> None:
    fates = Fates(*events)
    before, said = fates.state, {e.event_id for e in fates.out if isinstance(e, AddressLeft)}
    again = [emission for event in events for emission in fates.take(event)]
    assert fates.state == before
    assert {e.event_id for e in again if isinstance(e, AddressLeft)} == said


@pytest.mark.parametrize(
    ("events", "days", "expected"),
    [
        pytest.param([BULK], 29, 1, id="its fate is kept"),
        pytest.param([BULK], 31, 1, id="of its fate nothing is left but its list"),
        pytest.param([BULK], 181, 0, id="links end"),
        pytest.param([RELAYED], 31, 0, id="nothing is left of chatter"),
    ],
)
def test_how_long_one_can_leave(events: list[Report], days: float, expected: int) -> None:
    fates = Fates(*events)
    now = events[0].occurred_at + timedelta(days=days)
    assert NOTIFICATIONS.due is not None
    assert NOTIFICATIONS.sweep is not None
    while (due := NOTIFICATIONS.due(fates.state)) is not None and due <= now:
        fates.state = NOTIFICATIONS.sweep(tick(due), fates.state, Views()).state
    fates.take(LEAVE)
    assert len(left(fates)) == expected


def test_a_late_report_counts_for_the_address_alone_though_the_list_is_kept() -> None:
    """B2, and O6: what is kept for leave links says nothing of the message."""
    fates = Fates(BULK)
    assert NOTIFICATIONS.sweep is not None
    fates.state = NOTIFICATIONS.sweep(tick(LATER), fates.state, Views()).state
    assert words(fates.take(DSN)) == ["address.failed"]
    fates.take(LEAVE)
    assert left(fates) == [(ADA, "news", "one-click")]
