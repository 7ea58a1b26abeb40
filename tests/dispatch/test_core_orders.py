"""What operators order of a message that waits: held, let go, ended, tried now (O5, O8)."""

from datetime import timedelta
from typing import Any

import pytest

from postroad_schemas.directory import Smarthost
from postroad_schemas.outbound import (
    Action,
    OutboundCancelled,
    OutboundHeld,
    OutboundReleased,
    OutboundRetried,
    OutboundSubmitted,
    SettledState,
    SettledSubmission,
)
from postroad_schemas.values import FailureType, Reply
from tests.dispatch.made import AT, DOMAIN, KEY, parameter, running, says, submitted, views_of

OPEN = Smarthost(name="open", host="open.test")
VIEWS = views_of(DOMAIN, OPEN, KEY)


def about(order: type[Any], number: int = 1) -> Any:
    submission = submitted(number)
    return order(
        event_id=f"{order.__name__} {number}",
        occurred_at=AT,
        trace_id="t",
        recipient=submission.recipient,
        submission_id=submission.event_id,
    )


def again(submission: OutboundSubmitted | None = None, order: str = "r1") -> OutboundRetried:
    """An operator has it tried now."""
    found = submission or submitted()
    return OutboundRetried(
        event_id=order, occurred_at=AT, trace_id="t", recipient=found.recipient, submission=found, by="olga"
    )


@pytest.mark.parametrize(
    ("events", "answers", "actions", "attempts"),
    [
        pytest.param([OutboundHeld, None], [], [], 0, id="held before it came"),
        pytest.param([None, OutboundHeld], [451], ["delayed"], 1, id="held while it waits for its next attempt"),
        pytest.param([OutboundHeld, None, OutboundReleased], [], ["relayed"], 1, id="held, come, released"),
        pytest.param([OutboundHeld, OutboundReleased, None], [], ["relayed"], 1, id="held, released, come"),
        pytest.param(
            [None, OutboundHeld, OutboundReleased], [451], ["delayed", "relayed"], 2, id="released before its next time"
        ),
        pytest.param(
            [None, OutboundHeld, OutboundReleased, None], [451], ["delayed", "relayed"], 2, id="released, repeated"
        ),
        pytest.param([OutboundHeld, None, OutboundReleased, OutboundReleased], [], ["relayed"], 1, id="released twice"),
        pytest.param([OutboundCancelled, None], [], ["failed"], 0, id="cancelled before it came"),
        pytest.param([None, OutboundCancelled], [451], ["delayed", "failed"], 1, id="cancelled while it waits"),
        pytest.param([OutboundHeld, None, OutboundCancelled], [], ["failed"], 0, id="held, then cancelled"),
        pytest.param([OutboundHeld, None, OutboundCancelled, OutboundReleased], [], ["failed"], 0, id="no way back"),
        pytest.param([None, OutboundCancelled, OutboundHeld], [250], ["relayed"], 1, id="what is done stays done"),
    ],
)
async def test_orders(events: list[type[Any] | None], answers: list[int], actions: list[str], attempts: int) -> None:
    runner = running(VIEWS, *map(says, answers))
    for event in events:
        await runner.take(submitted() if event is None else about(event))
    await runner.pass_time(timedelta(days=1))
    await runner.take(submitted())  # and it never comes back
    assert [report.action for report in runner.reports] == actions
    assert [attempt.number for attempt in runner.attempts] == list(range(1, attempts + 1))
    assert all(report.failure is FailureType.CANCELLED for report in runner.reports if report.action == "failed")


async def test_a_released_message_goes_on_counting_its_attempts() -> None:
    runner = running(VIEWS, says(451), says(451))
    await runner.take(submitted(), about(OutboundHeld))
    await runner.pass_time(timedelta(hours=1))
    await runner.take(about(OutboundReleased))
    await runner.pass_time(timedelta(days=1))
    assert [attempt.number for attempt in runner.attempts] == [1, 2, 3]
    assert len({report.event_id for report in runner.reports}) == 3


async def test_what_is_known_of_a_message_that_waits() -> None:
    """For operators: when, where, and what the server said. Of what is done nothing of that stays."""
    runner = running(VIEWS, says(451, "4.3.0 busy"))
    await runner.take(submitted())
    (entry,) = runner.states["bob@example.org"].submissions
    assert entry == SettledSubmission(
        submission_id=submitted().event_id,
        state=SettledState.DEFERRED,
        attempt=1,
        at=AT,
        not_before=runner.reports[0].next_attempt_at,
        server="open",
        reply=Reply(code=451, text="4.3.0 busy"),
        first_attempt_at=AT,
    )
    await runner.take(about(OutboundHeld))
    (entry,) = runner.states["bob@example.org"].submissions
    assert (entry.state, entry.reply.code, entry.server) == (SettledState.HELD, 451, "open")
    await runner.take(about(OutboundReleased))
    await runner.pass_time(timedelta(hours=1))
    (entry,) = runner.states["bob@example.org"].submissions
    done = SettledSubmission(submission_id=submitted().event_id, state=SettledState.DONE, attempt=2, at=entry.at)
    assert entry == done


@pytest.mark.parametrize(
    ("events", "answers", "at_once", "in_the_end"),
    [
        pytest.param([submitted(), again()], [451], 2, 2, id="tried now, and its former time passes"),
        pytest.param([submitted(), again(), again()], [451, 451], 2, 3, id="the same order twice is obeyed once"),
        pytest.param(
            [submitted(), again(), again(order="r2")], [451, 451, 451], 3, 4, id="another order is obeyed too"
        ),
        pytest.param([submitted(), again()], [250], 1, 1, id="what is done stays done"),
        pytest.param([again(), submitted()], [250], 1, 1, id="of what never came nothing is tried"),
        pytest.param([submitted(), about(OutboundHeld), again()], [451], 1, 1, id="held means held"),
        pytest.param([submitted(), about(OutboundCancelled), again()], [451], 1, 1, id="cancelled means cancelled"),
        pytest.param([submitted(), again(submitted(2))], [451], 1, 2, id="of another submission"),
    ],
)
async def test_an_operator_has_it_tried_now(
    events: list[Any], answers: list[int], at_once: int, in_the_end: int
) -> None:
    runner = running(VIEWS, *map(says, answers))
    await runner.take(*events)
    assert [attempt.number for attempt in runner.attempts] == list(range(1, at_once + 1))
    await runner.pass_time(timedelta(days=1))
    assert [attempt.number for attempt in runner.attempts] == list(range(1, in_the_end + 1))


async def test_tried_early_its_retry_time_is_not_longer() -> None:
    """O8: the five days run from the first attempt, whoever asked for those that follow."""
    runner = running(VIEWS, *[says(451)] * 40)
    await runner.take(submitted())
    for day in range(1, 5):
        await runner.pass_time(timedelta(days=1))
        await runner.take(again(order=f"day {day}"))
    await runner.pass_time(timedelta(days=3))
    last = runner.reports[-1]
    assert (last.action, last.expired) == (Action.FAILED, True)
    assert last.occurred_at - AT <= timedelta(days=5)


async def test_tried_now_does_not_pass_the_daily_limit() -> None:
    """O5: what waits for the next day asks again, and waits again."""
    runner = running(views_of(DOMAIN, parameter("mail.daily.limit", "1")))
    await runner.take(submitted(9, "ann@example.org"), submitted(), again(), again())
    assert len(runner.attempts) == 1
    (entry,) = runner.states["bob@example.org"].submissions
    assert (entry.state, entry.attempt, entry.server, entry.retried) == (SettledState.DEFERRED, 0, "default", "r1")
    assert entry.not_before == AT.replace(hour=0) + timedelta(days=1)
    await runner.pass_time(timedelta(days=2))
    assert [attempt.submission.recipient for attempt in runner.attempts] == ["ann@example.org", "bob@example.org"]


async def test_tried_now_after_a_raise_of_the_daily_limit_it_goes() -> None:
    """O5: what waited for the next day is granted its place today; nothing is sent twice when that day comes."""
    views = views_of(DOMAIN, parameter("mail.daily.limit", "1"))
    runner = running(views)
    await runner.take(submitted(9, "ann@example.org"), submitted(), submitted(2, "carl@example.org"))
    views.apply("directory", "parameter/mail.daily.limit", parameter("mail.daily.limit", "2"))
    await runner.take(again(), again(submitted(2, "carl@example.org"), order="r2"))
    assert [attempt.submission.recipient for attempt in runner.attempts] == ["ann@example.org", "bob@example.org"]
    await runner.pass_time(timedelta(days=2))
    assert [attempt.submission.recipient for attempt in runner.attempts][2:] == ["carl@example.org"]


@pytest.mark.parametrize(
    ("order", "actions"),
    [
        pytest.param(OutboundHeld, ["delayed"], id="held"),
        pytest.param(OutboundCancelled, ["delayed", "failed"], id="cancelled"),
    ],
)
async def test_an_order_reaches_a_message_that_waits_for_the_next_day(order: type[Any], actions: list[str]) -> None:
    runner = running(views_of(DOMAIN, parameter("mail.daily.limit", "1")))
    await runner.take(submitted(9, "ann@example.org"))
    await runner.take(submitted())
    await runner.take(about(order))
    await runner.pass_time(timedelta(days=1))
    assert [report.action for report in runner.reports[1:]] == actions
    if order is OutboundHeld:
        await runner.take(about(OutboundReleased))
        assert runner.reports[-1].action is Action.RELAYED
