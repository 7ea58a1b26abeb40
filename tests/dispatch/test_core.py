"""The sender of dispatch as a whole, with a pretended world: retries, repeats, skips, the daily limit."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.dispatch.attempt import Step, as_planned
from postroad.stage import Call
from postroad_schemas.chatter import NotificationFailed
from postroad_schemas.directory import Provider, Smarthost
from postroad_schemas.event import event_id, notification_id
from postroad_schemas.outbound import (
    Action,
    DeliveryReported,
    OutboundCancelled,
    OutboundDeferred,
    OutboundHeld,
    OutboundReleased,
    RecipientSettled,
)
from postroad_schemas.values import FailureType, Reply, Stream
from tests.dispatch.made import AT, DOMAIN, KEY, parameter, running, says, submitted, views_of
from tests.dispatch.test_core_orders import OPEN, VIEWS, about, again
from tests.dispatch.test_plan import BLACKLISTED, LEFT

BULK = {"stream": Stream.BULK, "mailing": "news"}


async def test_reports_everything_about_a_message_that_was_sent() -> None:
    runner = running(VIEWS, says(250, "2.0.0 queued as 7"))
    await runner.take(submitted(recipient="Bob@example.org"))
    (report,) = runner.reports
    notification = notification_id("<1@example.com>", "bob@example.org")
    assert report == DeliveryReported(
        event_id=report.event_id,
        occurred_at=AT,
        trace_id=submitted().trace_id,
        cause_id=submitted().event_id,
        notification_id=notification,
        recipient="bob@example.org",
        action=Action.RELAYED,
        status="2.0.0",
        diagnostic="body: 250 2.0.0 queued as 7",
        source=report.source,
        proven=True,
        message_id="<1@example.com>",
        thread="lead/1",
        author="contact-1",
        stream=Stream.CHATTER,
        server="open",
        server_rule="no filter",
        from_before='"Mary" <mary@example.net>',
        from_after='"Mary" <notifications@example.com>',
        envelope_from=runner.attempts[0].plan.envelope_from,
        attempt=1,
        reply=Reply(code=250, text="2.0.0 queued as 7"),
    )
    assert report.envelope_from.startswith(f"bounce+{notification}")


@pytest.mark.parametrize(
    ("answers", "actions"),
    [
        pytest.param([], ["relayed"], id="accepted"),
        pytest.param([says(451)], ["delayed", "relayed"], id="4yz, then accepted"),
        pytest.param([says(0, step=Step.CONNECT)] * 3, ["delayed"] * 3 + ["relayed"], id="no connection, three times"),
        pytest.param([says(550, step=Step.RCPT)], ["failed"], id="5yz: failed at once"),
        pytest.param([says(451), says(550)], ["delayed", "failed"], id="4yz, then 5yz"),
    ],
)
async def test_tries_until_it_is_done(answers: list[Any], actions: list[str]) -> None:
    """O8."""
    runner = running(VIEWS, *answers)
    await runner.take(submitted())
    await runner.pass_time(timedelta(days=6))
    assert [report.action for report in runner.reports] == actions
    assert [attempt.number for attempt in runner.attempts] == list(range(1, len(actions) + 1))


async def test_gives_up_after_five_days_and_says_what_the_last_attempt_was() -> None:
    runner = running(VIEWS, *[says(452, "4.2.2 mailbox full", step=Step.RCPT)] * 100)
    await runner.take(submitted())
    await runner.pass_time(timedelta(days=5))
    *delayed, last = runner.reports
    assert {report.action for report in delayed} == {Action.DELAYED}
    assert (last.action, last.failure, last.status) == (Action.FAILED, FailureType.REFUSED, "4.2.2")
    assert last.expired
    assert last.diagnostic == "expired; last attempt: rcpt: 452 4.2.2 mailbox full"
    assert not last.permanent
    assert timedelta(days=4, hours=15) < last.occurred_at - AT <= timedelta(days=5)
    assert len(runner.attempts) == len(delayed) + 1


async def test_a_delay_names_the_next_attempt() -> None:
    runner = running(VIEWS, says(451))
    await runner.take(submitted())
    deferred = [event for event in runner.emitted if isinstance(event, OutboundDeferred)]
    assert runner.reports[0].next_attempt_at == deferred[0].not_before
    assert (deferred[0].step, deferred[0].attempt, deferred[0].granted) == ("1m", 1, True)


async def test_a_refusal_is_permanent_hard_and_proven() -> None:
    """P6, B4."""
    runner = running(VIEWS, says(550, "5.1.1 no such user", step=Step.RCPT))
    await runner.take(submitted())
    (report,) = runner.reports
    assert (report.permanent, report.hard, report.proven) == (True, True, True)
    assert (report.failure, report.status) == (FailureType.REFUSED, "5.1.1")


async def test_a_refused_mail_from_says_nothing_of_the_recipient() -> None:
    """B3: whatever its words."""
    runner = running(VIEWS, says(550, "5.7.1 no such user", step=Step.MAIL))
    await runner.take(submitted())
    (report,) = runner.reports
    assert (report.failure, report.permanent, report.hard) == (FailureType.REFUSED, True, False)


async def test_the_same_submission_is_sent_once() -> None:
    """O10: repeated at once, while it waits, and when it is done."""
    runner = running(VIEWS, says(451))
    await runner.take(submitted(), submitted())
    await runner.pass_time(timedelta(seconds=10))
    await runner.take(submitted())
    deferred = [event for event in runner.emitted if isinstance(event, OutboundDeferred)]
    await runner.pass_time(timedelta(days=1))
    await runner.take(submitted(), *deferred)
    assert len(runner.attempts) == 2
    assert [report.action for report in runner.reports] == ["delayed", "relayed"]


async def test_a_deferred_message_that_comes_twice_is_tried_once() -> None:
    runner = running(VIEWS, says(451), says(451))
    await runner.take(submitted())
    (first,) = (event for event in runner.emitted if isinstance(event, OutboundDeferred))
    await runner.take(first, first)
    assert [attempt.number for attempt in runner.attempts] == [1, 2]


async def test_a_repeat_after_a_crash_is_the_same_attempt() -> None:
    """The conclusion was lost: what is asked and what is told are the same again."""
    runner = running(VIEWS)
    begun = [runner.sender.begin(submitted(), RecipientSettled(), VIEWS, AT + timedelta(hours=n)) for n in (0, 1)]
    assert isinstance(begun[0], Call)
    assert begun[0] == begun[1]
    concluded = [
        runner.sender.conclude(submitted(), begun[0].request, says(451), RecipientSettled(), VIEWS, AT) for _ in (0, 1)
    ]
    assert concluded[0] == concluded[1]


async def test_a_further_attempt_of_bulk_mail_is_the_same_message() -> None:
    """O6: its leave links are written once."""
    views = views_of(DOMAIN, OPEN, KEY)
    runner = running(views, says(451), says(451))
    await runner.take(submitted(**BULK))
    views.apply("directory", "parameter/mail.links.base", parameter("mail.links.base", "https://mail.example.com"))
    (first,) = (event for event in runner.emitted if isinstance(event, OutboundDeferred))
    await runner.take(again(first.submission))
    await runner.pass_time(timedelta(hours=1))
    assert len(runner.attempts) == 3
    assert len({attempt.submission for attempt in runner.attempts}) == 1
    names = [header.name for header in runner.attempts[0].submission.headers]
    assert names == ["List-Id", "List-Unsubscribe"]


@pytest.mark.parametrize(
    ("suppression", "fields", "failure"),
    [
        pytest.param(BLACKLISTED, {}, FailureType.BLACKLISTED, id="blacklisted"),
        pytest.param(LEFT, {}, FailureType.OPTED_OUT, id="left the list"),
        pytest.param(None, {"recipient": ""}, FailureType.ADDRESS_MISSING, id="no address"),
        pytest.param(None, {"recipient": "bob"}, FailureType.ADDRESS_INVALID, id="invalid address"),
    ],
)
async def test_bulk_mail_is_skipped_and_no_address_is_charged(
    suppression: Any, fields: dict[str, Any], failure: FailureType
) -> None:
    """O6: a NotificationFailed that names why, and no DeliveryReported."""
    runner = running(views_of(DOMAIN, OPEN, suppressions=(suppression,) if suppression else ()))
    await runner.take(submitted(**BULK, **fields))
    (event,) = runner.emitted
    assert isinstance(event, NotificationFailed)
    assert (event.failure, event.mailing, event.stream) == (failure, "news", Stream.BULK)
    await runner.take(submitted(**BULK, **fields))
    assert len(runner.emitted) == 1
    assert not runner.attempts


async def test_one_message_of_a_mailing_for_each_address() -> None:
    """O6: by normalised address, while the first one is still being retried too."""
    runner = running(VIEWS, says(451))
    await runner.take(
        submitted(1, **BULK), submitted(2, "BOB@example.org", **BULK), submitted(3, **BULK | {"mailing": "b"})
    )
    await runner.pass_time(timedelta(hours=1))
    await runner.take(submitted(4, **BULK))
    skips = [event.failure for event in runner.emitted if isinstance(event, NotificationFailed)]
    assert skips == [FailureType.DUPLICATE] * 2
    assert [attempt.submission.mailing for attempt in runner.attempts] == ["news", "b", "news"]


async def test_chatter_that_cannot_be_tried_fails() -> None:
    runner = running(VIEWS)
    await runner.take(submitted(recipient="bob"))
    (report,) = runner.reports
    assert (report.failure, report.status, report.proven) == (FailureType.ADDRESS_INVALID, "5.1.3", False)
    assert (report.thread, report.author, report.stream) == ("lead/1", "contact-1", Stream.CHATTER)


async def test_over_the_daily_limit_waits_visibly_and_uses_up_no_retry_time() -> None:
    """O5."""
    views = views_of(DOMAIN, parameter("mail.daily.limit", "2"))
    runner = running(views)
    submissions = [submitted(number, f"bob{number}@example.org") for number in range(5)]
    await runner.take(*submissions, *submissions)
    assert len(runner.attempts) == 2
    assert [report.action for report in runner.reports] == ["relayed"] * 2 + ["delayed"] * 3
    assert runner.reports[-1].diagnostic == "the daily limit of default is reached"
    await runner.pass_time(timedelta(days=1))
    assert len(runner.attempts) == 4
    await runner.pass_time(timedelta(days=1))
    assert [attempt.number for attempt in runner.attempts] == [1] * 5
    assert [report.action for report in runner.reports].count(Action.RELAYED) == 5


async def test_retries_are_free() -> None:
    """O5: a mail counts when its first attempt is granted, and only then."""
    views = views_of(DOMAIN, parameter("mail.daily.limit", "1"))
    runner = running(views, says(451), says(451))
    await runner.take(submitted())
    await runner.pass_time(timedelta(hours=1))
    assert [report.action for report in runner.reports] == ["delayed", "delayed", "relayed"]


async def test_a_change_of_the_directory_counts_at_the_next_attempt() -> None:
    """D5."""
    views = views_of(DOMAIN, OPEN)
    runner = running(views, says(451))
    await runner.take(submitted())
    views.apply("directory", "smarthost/open", None)
    views.apply("directory", "smarthost/new", Smarthost(name="new", host="new.test"))
    await runner.pass_time(timedelta(hours=1))
    assert [attempt.plan.server.name for attempt in runner.attempts] == ["open", "new"]


async def test_what_a_provider_is_told_goes_to_its_server_alone() -> None:
    """B1: the next attempt may go through another's."""
    views = views_of(DOMAIN, KEY, Smarthost(name="open", host="open.test", provider=Provider.BREVO))
    runner = running(views, says(451))
    await runner.take(submitted())
    views.apply("directory", "smarthost/open", Smarthost(name="open", host="open.test", provider=Provider.SPARKPOST))
    await runner.pass_time(timedelta(hours=1))
    messages = [as_planned(attempt.submission, attempt.plan) for attempt in runner.attempts]
    told = [[header.name for header in message.headers] for message in messages]
    assert told == [["X-Mailin-custom"], ["X-MSYS-API"]]


async def test_forgets_after_eight_days_but_not_what_is_held() -> None:
    runner = running(VIEWS)
    await runner.take(submitted(1, **BULK), about(OutboundHeld, 2), submitted(2))
    await runner.pass_time(timedelta(days=8, seconds=-1))
    runner.sweep()
    assert len(runner.states["bob@example.org"].submissions) == 2
    assert runner.sender.due is not None
    assert runner.sender.due(runner.states["bob@example.org"]) == AT + timedelta(days=8)
    await runner.pass_time(timedelta(seconds=1))
    runner.sweep()
    assert [entry.submission_id for entry in runner.states["bob@example.org"].submissions] == [
        event_id("submission", "2")
    ]
    await runner.take(about(OutboundReleased, 2))
    await runner.pass_time(timedelta(days=8))
    runner.sweep()
    assert runner.states["bob@example.org"] == RecipientSettled()


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "hold", "release", "cancel", "repeat", "retry", "wait"]),
        st.integers(1, 2),
        st.integers(0, 600),
    ),
    min_size=8,
    max_size=25,
)


@settings(max_examples=300)
@given(_EVENTS, st.lists(st.sampled_from([250, 451, 550, 0]), min_size=4, max_size=10), st.booleans())
async def test_every_submission_ends_once_whatever_happens(
    events: list[tuple[str, int, int]], codes: list[int], limited: bool
) -> None:
    """Exactly one final report for each submission that came and is not held; none is sent after that."""
    views = views_of(DOMAIN, parameter("mail.daily.limit", "2" if limited else "0"))
    runner = running(views, *map(says, codes))
    orders = {"hold": OutboundHeld, "release": OutboundReleased, "cancel": OutboundCancelled}
    came = set()
    for what, number, minutes in events:
        if what == "submit":
            came.add(submitted(number).event_id)
            await runner.take(submitted(number))
        elif what == "repeat":
            await runner.take(*(event for event in runner.emitted[-3:] if isinstance(event, OutboundDeferred)))
        elif what == "retry":
            await runner.take(again(submitted(number), f"retry {minutes}"))
        elif what == "wait":
            await runner.pass_time(timedelta(minutes=minutes))
        else:
            await runner.take(about(orders[what], number))
    for number in (1, 2):
        await runner.take(about(OutboundReleased, number))
    await runner.pass_time(timedelta(days=7))
    final = [report.cause_id for report in runner.reports if report.action in (Action.RELAYED, Action.FAILED)]
    assert sorted(final) == sorted(came)
    tried = [(attempt.submission.event_id, attempt.number) for attempt in runner.attempts]
    assert len(set(tried)) == len(tried)
