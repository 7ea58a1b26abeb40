"""What runners tell of their stages: ages, what waits, mails without outcome, budgets near their limit."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from postroad.loop_guard.budget import Ledger
from postroad.runtime.observe import metrics
from postroad.runtime.observe.held import HeldTable
from postroad.runtime.observe.watch import Standing, Watch, sample, worth_since
from postroad.stage import Decision, Emission
from postroad.window import Recent
from postroad_schemas import Event
from postroad_schemas.mail import Budget, Door, HeldMail, MailReceived, MailRouted, Release, Scope
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.outbound import OutboundDeferred, OutboundSubmitted
from postroad_schemas.values import Author, ObjectRef, Post

AT = datetime(2026, 3, 1, tzinfo=UTC)
NOW = AT.timestamp()


def about(number: int = 1) -> dict[str, Any]:
    return {"event_id": f"{number:032x}", "trace_id": f"{number:032x}", "occurred_at": AT}


def received(number: int = 1, release: Release | None = None) -> MailReceived:
    raw = ObjectRef(ref="sha256/0", size=1)
    return MailReceived(**about(number), door=Door.SMTP, message_id=f"<{number}@x>", raw=raw, release=release)


def settled(number: int = 1) -> MessageSettled:
    mail_id = f"{number:032x}"
    return MessageSettled(**about(100 + number), settled=f"<{number}@x>", mail_id=mail_id, outcome=Outcome.DELIVERED)


def routed(budget: Budget) -> MailRouted:
    return MailRouted(
        **about(),
        mail_id="1",
        message_id="<1@x>",
        received_at=AT,
        rule="R9",
        post=Post(author=Author(address="a@x.example")),
        mail=received(),
        budgets=(budget,),
    )


def deferred(until: datetime) -> OutboundDeferred:
    message = OutboundSubmitted(**about(), recipient="ann@x.example", message_id="<1@x>")
    return OutboundDeferred(**about(), submission=message, step="1m", attempt=1, not_before=until, first_attempt_at=AT)


class State(msgspec.Struct, frozen=True):
    """Of a stage that keeps nothing."""


def told(watch: Watch, event: Event, state: msgspec.Struct | None = None, emit: tuple[Emission, ...] = ()) -> None:
    watch.taken(event, Decision(state or State(), emit), AT + timedelta(seconds=2), changed=state is not None)


class Runner:
    def __init__(self, watch: Watch, *standing: Standing) -> None:
        self.watch = watch
        self.ready = True
        self._standing = standing

    def standing(self, now: float) -> Iterable[Standing]:
        return self._standing


@pytest.mark.parametrize(
    ("event", "since"),
    [
        pytest.param(received(), AT, id="since it happened: what follows from a mail has the mail's time"),
        pytest.param(deferred(AT + timedelta(hours=1)), AT + timedelta(hours=1), id="O8: what was put off, since due"),
    ],
)
def test_the_age_of_an_event(event: Event, since: datetime) -> None:
    assert worth_since(event) == since


def test_age_is_counted_by_stage_and_is_never_negative() -> None:
    watch = Watch("ages")
    told(watch, received())
    watch.taken(received(), None, AT - timedelta(seconds=5), changed=False)  # another machine's clock
    counts, total = metrics.AGE.read_series()["ages",]
    assert (sum(counts), counts[0], total) == (2, 1, 2.0)


@pytest.mark.parametrize(
    ("state", "emit", "counted"),
    [
        pytest.param(None, (), 1, id="nothing followed"),
        pytest.param(State(), (), 0, id="the state changed"),
        pytest.param(None, (settled(),), 0, id="something was told again"),
    ],
)
def test_an_event_without_effect_is_counted(
    state: msgspec.Struct | None, emit: tuple[Emission, ...], counted: int
) -> None:
    before = metrics.WITHOUT_EFFECT.read().get(("effects",), 0)
    told(Watch("effects"), received(), state, emit)
    assert metrics.WITHOUT_EFFECT.read()["effects",] - before == counted


@pytest.mark.parametrize(
    ("events", "open_mails"),
    [
        pytest.param([received()], 1, id="read"),
        pytest.param([received(), received()], 1, id="read twice"),
        pytest.param([received(), settled()], 0, id="settled"),
        pytest.param([received(), settled(), received(), settled()], 0, id="all of it again"),
        pytest.param([received(1), received(2), settled(1)], 1, id="another one is settled"),
    ],
)
def test_acknowledged_and_without_outcome(events: Sequence[Event], open_mails: int) -> None:
    """R16: every accepted mail ends in exactly one outcome; until then it is counted."""
    watch = Watch("routing")
    for event in events:
        told(watch, event)
    sample([Runner(watch)], NOW + 30)
    assert metrics.UNSETTLED.read()[()] == open_mails
    assert metrics.UNSETTLED_AGE.read()[()] == (30 if open_mails else 0)
    watch.forget()
    sample([Runner(watch)], NOW + 30)
    assert metrics.UNSETTLED.read()[()] == 0, "its keys are others' now"


def test_a_release_is_counted() -> None:
    before = metrics.RELEASED.read()[()]
    told(Watch("routing"), received(release=Release(held="1", rule="L1")))
    assert metrics.RELEASED.read()[()] == before + 1


@pytest.mark.parametrize(
    ("used", "scope", "after", "near"),
    [
        pytest.param(7, Scope.AUTHOR, 0, 0, id="L1: seven of ten"),
        pytest.param(8, Scope.AUTHOR, 0, 1, id="L1: eight of ten"),
        pytest.param(10, Scope.AUTHOR, 0, 1, id="L1: all of it"),
        pytest.param(8, Scope.AUTHOR, 3600, 0, id="L1: when the window is over, none"),
        pytest.param(8, Scope.FINGERPRINT, 0, 0, id="L6: a fingerprint is no limit that fills"),
    ],
)
def test_budgets_near_their_limit(used: int, scope: Scope, after: float, near: int) -> None:
    watch = Watch("budgets")
    recent = Recent(entries=tuple((NOW - used + number, str(number), 1) for number in range(used)))
    told(watch, routed(Budget(key="author a b", scope=scope, limit=10, window=3600)), Ledger(recent=recent))
    sample([Runner(watch)], NOW + after)
    assert sum(metrics.NEAR_LIMIT.read().values()) == near


def test_what_waits_is_told_by_stage_and_topic() -> None:
    routing, dispatch = Watch("routing"), Watch("dispatch")
    sample(
        [
            Runner(routing, Standing("mail.received", 3, NOW - 60), Standing("message.settled", 0)),
            Runner(dispatch, Standing("outbound.deferred.1m", 7, None, NOW + 30)),
        ],
        NOW,
    )
    assert metrics.WAITING.read()["routing", "mail.received"] == 3
    assert metrics.WAITING_AGE.read() == {("routing",): 60, ("dispatch",): 0}
    assert metrics.RETRY_DUE.read() == {("1m",): 30}
    sample([Runner(routing), Runner(dispatch)], NOW)
    assert metrics.WAITING.read() == {}
    assert metrics.WAITING_AGE.read() == {("routing",): 0, ("dispatch",): 0}


def test_held_mails_are_counted_while_their_rows_stand() -> None:
    """R17: a row goes when its mail is released or dropped."""
    held = HeldTable()
    for number, rule in ((1, "L1"), (2, "L1"), (3, "R11")):
        held.apply("held", str(number), HeldMail(**about(number), mail=received(number), rule=rule, reason="over"))
    held.apply("directory", "4", HeldMail(**about(4), mail=received(4), rule="L1", reason="another table"))
    held.sample(NOW + 10)
    assert {rule: count for (rule,), count in metrics.HELD_NOW.read().items()} == {"L1": 2, "R11": 1}
    assert metrics.HELD_AGE.read()[()] == 10
    for number in (1, 2, 3, 3):
        held.apply("held", str(number), None)
    held.sample(NOW + 10)
    assert (metrics.HELD_NOW.read(), metrics.HELD_AGE.read()[()]) == ({}, 0)
