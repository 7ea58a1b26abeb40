"""R4, R12, R14, R15: how a thread is opened, followed, closed, rejected and asked about."""

from typing import Any

import pytest

from postroad.fanout.thread import Thread
from postroad_schemas import record
from postroad_schemas.address import ThreadShut
from postroad_schemas.chatter import (
    NotificationPlanned,
    PlanReason,
    RecordRejected,
    ThreadClosed,
    ThreadFollowed,
    ThreadOpened,
    ThreadUnfollowed,
)
from postroad_schemas.directory import AliasState, RowProposed
from postroad_schemas.mail import MailRefused, Notice, Refusal, RefusalReason
from postroad_schemas.message import FollowerAnswer, FollowerAnswered, FollowerSought
from postroad_schemas.values import Follower, Mailbox
from tests.fanout.facts import ALICE, BEN, MARY, NOON, THREAD, by, every, follows, only, requests, run, says, views

FACT: dict[str, Any] = {"event_id": "e", "occurred_at": NOON, "trace_id": "t", "thread": THREAD}
OPENED = ThreadOpened(**FACT, title="Chairs", followers=follows("ben"))
REJECTED = RecordRejected(**FACT, reason="no such pipeline")
MAIL = by(MARY, message_id="<m0@customer.example>", subject="Chairs, please", in_reply_to="<x@customer.example>")


def followers(state: Thread) -> list[str]:
    return [entry.contact or entry.address for entry in state.followers]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([OPENED], ["ben"], id="those it was opened with"),
        pytest.param([OPENED, ThreadFollowed(**FACT, followers=follows("alice"))], ["alice", "ben"], id="who joins"),
        pytest.param([ThreadFollowed(**FACT, followers=follows("B@X.example"))], ["b@x.example"], id="a bare address"),
        pytest.param([ThreadFollowed(**FACT, followers=(Follower(),))], [], id="nobody is no follower"),
        pytest.param([OPENED, ThreadUnfollowed(**FACT, followers=follows("ben"))], [], id="who leaves"),
        pytest.param(
            [
                ThreadFollowed(**FACT, followers=follows("ben", "b@home.example")),
                ThreadUnfollowed(**FACT, followers=(Follower(contact="ben", address="B@home.example"),)),
            ],
            [],
            id="who leaves as contact and as address",
        ),
        pytest.param([OPENED, says(by(MARY), follow=True)], ["ben", "mary"], id="R15 a known contact who answers"),
        pytest.param([OPENED, says(by(MARY))], ["ben"], id="R15 only if routing says so"),
        pytest.param([OPENED, says(by("kim@x.example"), follow=True)], ["ben"], id="R15 an unknown one does not"),
        pytest.param([requests(MAIL, followers=follows("mary"))], ["mary"], id="R14 the author who opens it"),
        pytest.param(
            [
                requests(MAIL, followers=follows("mary")),
                ThreadUnfollowed(**FACT, followers=follows("mary")),
                requests(MAIL, followers=follows("mary")),
            ],
            [],
            id="R14 a repeat does not undo that he left",
        ),
        pytest.param(
            [
                says(by(MARY), follow=True),
                ThreadUnfollowed(**FACT, followers=follows("mary")),
                says(by(MARY), follow=True),
            ],
            [],
            id="R15 nor does a repeated answer",
        ),
    ],
)
def test_followers(events: list[Any], expected: list[str]) -> None:
    assert followers(run(views(), *events).state) == expected


def test_an_answer_does_not_change_how_its_author_follows() -> None:
    state = run(views(), ThreadFollowed(**FACT, followers=follows("ben", notes=False))).state
    assert run(views(), says(by(BEN), follow=True), state=state).state.followers[0].notes is False
    anew = ThreadFollowed(**FACT, followers=follows("ben"))
    assert run(views(), anew, state=state).state.followers[0].notes is True


def test_who_answers_and_follows_is_told_as_author() -> None:
    plan = only(NotificationPlanned, run(views(), says(by(MARY), follow=True)).emit)
    assert [(entry.contact, entry.reason) for entry in plan.followers] == [("mary", PlanReason.AUTHOR)]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(says(by(ALICE)), id="by a post"),
        pytest.param(ThreadFollowed(**FACT, followers=follows("ben")), id="by a follower"),
        pytest.param(ThreadClosed(**FACT), id="by its end"),
    ],
)
def test_a_thread_never_heard_of_is_opened(event: Any) -> None:
    state = run(views(), event).state
    assert (state.known, state.record_type) == (True, "lead")


def test_what_is_opened_again_keeps_what_is_left_empty() -> None:
    first = ThreadOpened(**FACT, title="Chairs", alias="sales@example.com", domain="example.com", owner_thread="team/1")
    state = run(views(), first, ThreadOpened(**FACT, title="Tables", record_type="deal")).state
    assert (state.title, state.record_type, state.alias) == ("Tables", "deal", "sales@example.com")
    assert (state.domain, state.owner_thread) == ("example.com", "team/1")


def test_the_request_opens_the_thread_with_its_first_post() -> None:
    decision = run(views(), requests(MAIL, owner_thread="team/1", followers=follows("mary")))
    state = decision.state
    assert (state.title, state.record_type, state.owner_thread) == ("Chairs", "lead", "team/1")
    assert state.first == "<m0@customer.example>"
    plan = only(NotificationPlanned, decision.emit)
    assert [(entry.contact, entry.reason) for entry in plan.followers] == [("mary", PlanReason.AUTHOR)]
    renamed = run(views(), ThreadOpened(**FACT, title="Tables"), requests(MAIL), state=state).state
    assert renamed.title == "Tables", "a repeat does not rename it back"
    early = run(views(), ThreadOpened(**FACT, title="Tables"), requests(MAIL)).state
    assert early.title == "Tables", "nor does a request that comes after the app's word"


def test_closing_says_so_for_good() -> None:
    decision = run(views(), OPENED, ThreadClosed(**FACT, reason="deleted"))
    shut = only(ThreadShut, decision.emit)
    assert (shut.thread, shut.reason, decision.state.closed) == (THREAD, "deleted", True)
    assert run(views(), OPENED, state=decision.state).state.closed


def test_a_rejected_record() -> None:
    notice = Notice(addressee="mary@customer.example", domain="example.com")
    decision = run(views(), requests(MAIL, followers=follows("mary"), notice=notice), REJECTED)
    refused = only(MailRefused, decision.emit)
    assert refused.refusals == (Refusal(reason=RefusalReason.RECORD_REJECTED, rule="R14", alias="sales@example.com"),)
    assert refused.notice == notice
    assert (refused.message_id, refused.mail_id) == ("<m0@customer.example>", "m" * 32)
    assert (refused.subject, refused.references) == ("Chairs, please", ("<x@customer.example>",))
    assert refused.author == Mailbox(address="mary@customer.example")
    assert refused.window == 7200
    assert b"pipeline" not in (record(refused).value or b""), "the app's reason is not for the sender"
    flag = only(RowProposed, decision.emit)
    assert flag.row == AliasState(alias="sales@example.com", invalid=True, reason="record rejected: no such pipeline")
    assert only(ThreadShut, decision.emit).thread == THREAD
    assert decision.state.closed


@pytest.mark.parametrize(
    ("before", "flagged", "expected"),
    [
        pytest.param((requests(MAIL),), True, [AliasState(alias="sales@example.com", invalid=False)], id="cleared"),
        pytest.param((requests(MAIL),), False, [], id="there is no flag"),
        pytest.param((), True, [], id="no mail asked for it"),
        pytest.param((requests(MAIL), REJECTED), True, [], id="it was rejected"),
    ],
)
def test_d2_an_opened_record_clears_the_flag_of_its_alias(
    before: tuple[Any, ...], flagged: bool, expected: list[AliasState]
) -> None:
    flag = AliasState(alias="sales@example.com", invalid=flagged)
    decision = run(views(flag), *before, OPENED)
    assert [made.row for made in every(RowProposed, decision.emit)] == expected


@pytest.mark.parametrize(
    "notice",
    [
        pytest.param(
            Notice(addressee="bounces@list.example", domain="example.net"), id="the reverse-path, not the author"
        ),
        pytest.param(Notice(why_not="forged reverse-path"), id="L8 nobody, though the mail has an author"),
    ],
)
def test_of_a_rejected_record_is_told_whom_routing_allowed(notice: Notice) -> None:
    """R14: what routing knew of the envelope and the verdict is not guessed again from the post."""
    refused = only(MailRefused, run(views(), requests(MAIL, notice=notice), REJECTED).emit)
    assert refused.notice == notice


def test_a_record_opened_without_alias_flags_none() -> None:
    emitted = run(views(), requests(MAIL, alias=""), REJECTED).emit
    assert not [event for event in emitted if isinstance(event, RowProposed)]


@pytest.mark.parametrize(
    "before", [pytest.param([], id="never heard of"), pytest.param([OPENED], id="opened by an app")]
)
def test_only_what_a_mail_opened_can_be_rejected(before: list[Any]) -> None:
    decision = run(views(), *before, REJECTED)
    assert decision.emit == ()
    assert not decision.state.closed


def sought(address: str, *contacts: str, remaining: tuple[str, ...] = ()) -> FollowerSought:
    return FollowerSought(**FACT, asking="<a@b>", mail_id="m", address=address, contacts=contacts, remaining=remaining)


@pytest.mark.parametrize(
    ("question", "events", "answer"),
    [
        pytest.param(sought("x@y.example"), [], {}, id="R12 a thread never heard of"),
        pytest.param(sought("x@y.example"), [OPENED], {"known": True}, id="R12 does not follow"),
        pytest.param(
            sought("ben@example.com", "alice", "ben"),
            [OPENED],
            {"known": True, "contact": "ben", "follows": True},
            id="R15 the contact that follows",
        ),
        pytest.param(
            sought("x@y.example"),
            [ThreadFollowed(**FACT, followers=follows("X@y.example"))],
            {"known": True, "follows": True},
            id="R12 follows by address",
        ),
        pytest.param(
            sought("x@y.example"), [OPENED, ThreadClosed(**FACT)], {"known": True, "closed": True}, id="R4 closed"
        ),
    ],
)
def test_answers_who_follows(question: FollowerSought, events: list[Any], answer: dict[str, Any]) -> None:
    decision = run(views(), *events, question)
    back = only(FollowerAnswered, decision.emit)
    assert (back.asking, back.mail_id) == ("<a@b>", "m")
    assert back.answers == (FollowerAnswer(thread=THREAD, **answer),)


def test_a_question_about_several_threads_goes_on() -> None:
    question = sought("x@y.example", remaining=("lead/8", "lead/9"))
    onward = only(FollowerSought, run(views(), OPENED, question).emit)
    assert (onward.thread, onward.remaining) == ("lead/8", ("lead/9",))
    assert [answer.thread for answer in onward.answers] == [THREAD]
    assert (onward.cause_id, onward.event_id != question.event_id) == ("e", True)
