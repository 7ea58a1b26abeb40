"""Questions between keys: how a mail finds its thread, waits for one, and gives up (R3, R5, R7, R12, R15)."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from postroad.routing.core import due, sweep
from postroad.routing.state import EMPTY, MessageState
from postroad.views import Views
from postroad_schemas import Ticked
from postroad_schemas.chatter import ChatterPosted, RecordRequested, ThreadOpened
from postroad_schemas.mail import MailReceived
from postroad_schemas.message import FollowerAnswer, FollowerAnswered, FollowerSought, Outcome, ThreadSought
from postroad_schemas.values import Envelope, Follower
from tests.routing.mails import CATCHALL, START, contact, mail, own_id, settled, take, views
from tests.routing.stories import Story, of, opened

M1, M2 = "<m1@example.org>", "<m2@example.org>"


def test_r3_a_reply_by_a_foreign_id_lands_on_the_thread() -> None:
    story = Story()
    (record,) = of(RecordRequested, story.tell(mail("m1", to=["sales@example.com"])))
    (post,) = of(ChatterPosted, story.tell(mail("m2", to=[CATCHALL], references=("<x@y>", M1), minute=1)))
    assert post.thread == record.thread
    assert (post.post.parent, post.post.in_reply_to, post.rule) == (M1, M1, "R3")
    assert [one.outcome for one in story.settled()] == [Outcome.DELIVERED]


def test_r7_threads_are_flat_and_a_reply_to_a_reply_keeps_the_first_message() -> None:
    story = Story()
    story.tell(mail("m1", to=["sales@example.com"]), mail("m2", references=(M1,), minute=1))
    (post,) = of(ChatterPosted, story.tell(mail("m3", references=(M2,), minute=2)))
    assert post.post.parent == M1


def test_r4_a_message_without_thread_is_no_parent() -> None:
    story = Story()
    story.tell(mail("m1", to=[CATCHALL]))
    story.tell(mail("m2", to=["sales@example.com"], references=(M1,), minute=1))
    assert [one.rule for one in story.settled()] == ["R9"]


def test_mails_that_name_each_other_both_end() -> None:
    story = Story()
    story.tell(mail("m1", to=["sales@example.com"], references=(M2,)), mail("m2", to=[CATCHALL], references=(M1,)))
    assert [one.settled for one in story.settled()] == [M1, M2]


# at one key


def question(name: str = "m2", sought: str = M1, minute: float = 1, **fields: Any) -> ThreadSought:
    (asked,) = take(mail(name, to=[CATCHALL], references=(sought,), minute=minute, **fields), views()).emit
    assert isinstance(asked, ThreadSought)
    return asked


def taken() -> MessageState:
    return take(mail("m1", to=["sales@example.com"]), views()).state


def test_a_question_waits_for_a_mail_accepted_before_its_own() -> None:
    asked = question()
    waiting = take(asked, views(), taken())
    assert waiting.emit == ()
    assert take(asked, views(), waiting.state) == waiting  # the same event twice
    woken = take(settled("m1", "lead/1", mail_id=mail("m1").event_id), views(), waiting.state)
    (back,) = of(ThreadSought, list(woken.emit))
    assert (back.sought, back.best.links[0].thread, woken.state.waiting) == ("", "lead/1", ())


def test_it_never_waits_for_a_later_one() -> None:
    (back,) = take(question(minute=-1), views(), taken()).emit
    assert isinstance(back, ThreadSought)
    assert (back.sought, back.best) == ("", None)


def test_a_duplicates_end_wakes_nobody_and_changes_nothing() -> None:
    waiting = take(question(), views(), taken()).state
    decision = take(settled("m1", outcome=Outcome.DUPLICATE, mail_id="copy"), views(), waiting)
    assert (decision.state, decision.emit) == (waiting, ())


def back_home() -> tuple[Views, MessageState, MailReceived]:
    """R1: one of our posts, long forgotten here, comes back and is known by its signature."""
    seen = views()
    copy = mail("m1", to=["sales@example.com"], message_id=own_id(seen))
    return seen, take(copy, seen).state, copy


def test_a_question_does_not_wait_for_one_of_ours_that_came_back() -> None:
    seen, state, copy = back_home()
    state = take(settled(copy.message_id, outcome=Outcome.DUPLICATE, mail_id=copy.event_id), seen, state).state
    (back,) = take(question(sought=copy.message_id), seen, state).emit
    assert isinstance(back, ThreadSought)
    assert (back.sought, back.best) == ("", None)


def test_the_end_of_one_of_ours_that_came_back_wakes_who_waited_for_nothing_else() -> None:
    seen, state, copy = back_home()
    waiting = take(question(sought=copy.message_id), seen, state)
    assert waiting.emit == ()
    end = settled(copy.message_id, outcome=Outcome.DUPLICATE, mail_id=copy.event_id)
    (back,) = of(ThreadSought, list(take(end, seen, waiting.state).emit))
    assert (back.sought, back.best) == ("", None)


@pytest.mark.parametrize(
    ("seconds", "gone_on"),
    [
        pytest.param(599, False, id="one second short of ten minutes"),
        pytest.param(600, True, id="ten minutes after the asking mail's acceptance"),
    ],
)
def test_it_waits_ten_minutes(seconds: int, gone_on: bool) -> None:
    asked = question()
    state = take(asked, views(), taken()).state
    assert due(state) == asked.accepted_at + timedelta(minutes=10)
    now = asked.accepted_at + timedelta(seconds=seconds)
    decision = sweep(Ticked(event_id="t", trace_id="t", occurred_at=now, stage="routing"), state, views())
    assert [e.best for e in of(ThreadSought, list(decision.emit))] == ([None] if gone_on else [])
    assert bool(decision.state.waiting) is not gone_on


def test_what_nobody_spoke_of_for_long_is_forgotten() -> None:
    seen = views(mail__message__days="30")
    state = take(settled("m1", "lead/1"), seen).state
    at = due(state)
    assert at == START + timedelta(days=30)
    assert sweep(Ticked(event_id="t", trace_id="t", occurred_at=at, stage="routing"), state, seen).state == EMPTY
    later = take(settled("m1", "lead/1", minute=5), seen, state).state
    assert due(later) == START + timedelta(days=30, minutes=5)


def test_what_is_settled_lets_go_of_the_decision_and_a_repeat_says_nothing_more() -> None:
    event, state = mail("m1", to=["sales@example.com"]), taken()
    assert state.asks
    done = take(settled("m1", "lead/1", mail_id=event.event_id), views(), state).state
    assert done.asks == ()
    assert take(event, views(), done).emit == ()


def test_a_second_copys_threads_are_added_and_a_refused_one_takes_nothing_away() -> None:
    state = take(settled("m1", "lead/1", mail_id="a"), views()).state
    state = take(settled("m1", "ticket/2", minute=1, mail_id="b"), views(), state).state
    state = take(settled("m1", minute=2, outcome=Outcome.REFUSED, mail_id="c"), views(), state).state
    assert state.settled is not None
    assert [link.thread for link in state.settled.links] == ["lead/1", "ticket/2"]
    assert state.settled.at == START + timedelta(minutes=1)


def test_r17_a_releases_settling_revises_what_was_held() -> None:
    state = take(settled("m1", outcome=Outcome.HELD, mail_id="a"), views()).state
    (back,) = take(question(), views(), state).emit
    assert isinstance(back, ThreadSought)
    assert back.best is None
    state = take(settled("m1", "lead/1", minute=1, mail_id="b"), views(), state).state
    (back,) = take(question(), views(), state).emit
    assert isinstance(back, ThreadSought)
    assert back.best is not None


# followers


@pytest.mark.parametrize(
    ("threads", "outcome"),
    [
        pytest.param([opened("team/1", Follower(contact="c1"))], Outcome.DELIVERED, id="follows the owner thread"),
        pytest.param([opened("team/1", Follower(address="carol@example.org"))], Outcome.DELIVERED, id="by address"),
        pytest.param([opened("team/1")], Outcome.REFUSED, id="follows not"),
        pytest.param([], Outcome.REFUSED, id="no such thread: misconfigured"),
    ],
)
def test_r12_followers(threads: list[ThreadOpened], outcome: Outcome) -> None:
    story = Story()
    story.tell(*threads, mail("m1", to=["team@example.com"], sender="carol@example.org"))
    (found,) = story.settled()
    reasons = [refusal.reason for refusal in found.refusals]
    assert found.outcome is outcome
    assert reasons == ([] if outcome is Outcome.DELIVERED else ["policy" if threads else "misconfigured"])


def test_r15_of_several_contacts_the_follower_is_shown() -> None:
    seen = views()
    contact(seen, "c2", "carol@example.org", created_at=START)
    story = Story(seen)
    story.tell(opened("task/7", Follower(contact="c1")))
    (post,) = of(ChatterPosted, story.tell(mail("m1", to=["board@example.com"], sender="carol@example.org")))
    assert post.post.author.contact == "c1"
    story = Story(seen)
    (post,) = of(ChatterPosted, story.tell(mail("m1", to=["board@example.com"], sender="carol@example.org")))
    assert post.post.author.contact == "c2"  # nobody follows: the one with a date is the older


def test_an_answer_that_comes_again_is_answered_as_before() -> None:
    seen = views()
    event = mail("m1", to=["team@example.com"], sender="carol@example.org")
    asked = take(event, seen)
    (sought,) = asked.emit
    assert isinstance(sought, FollowerSought)
    assert (sought.thread, sought.contacts) == ("team/1", ("c1",))
    answer = FollowerAnswered(
        event_id="a",
        trace_id="a",
        occurred_at=START,
        asking=M1,
        mail_id=event.event_id,
        answers=(FollowerAnswer(thread="team/1", known=True, follows=True),),
    )
    first = take(answer, seen, asked.state)
    other = msgspec.structs.replace(answer, answers=())
    for again in (answer, other, event):
        assert take(again, seen, first.state) == first
    assert take(answer, seen, EMPTY).emit == ()


def test_the_answer_of_a_machine_is_posted_on_its_thread() -> None:
    story = Story()
    story.tell(mail("m1", to=["sales@example.com"]))
    away = mail("m2", to=[CATCHALL], references=(M1,), minute=1, envelope=Envelope(mail_from=""))
    (post,) = of(ChatterPosted, story.tell(away))
    assert post.post.automatic is not None
