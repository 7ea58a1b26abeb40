"""What the overlay does at the edges: questions that would wait, words for every rule, large threads."""

from datetime import timedelta
from typing import Any

from postroad.explain.mail import Explained, explain
from postroad.explain.reasons import REASONS
from postroad.fanout.thread import Following, Thread
from postroad.fanout.threads import THREADS
from postroad.loop_guard.budgets import BUDGETS
from postroad.routing.core import ROUTING
from postroad.routing.rules import RULES
from postroad.routing.state import Ask, Link, MessageState, Settled
from tests.routing.mails import START, mail, views

STAGES = (ROUTING, BUDGETS, THREADS)


def explained(states: dict[tuple[str, str], Any], *closed: str, **fields: Any) -> Explained:
    stages = {stage.name: stage for stage in STAGES}
    seen: Any = views(closed=closed)
    return explain(mail(**fields), STAGES, lambda stage, key: states.get((stage, key), stages[stage].state()), seen)


def test_every_rule_but_the_last_has_words_for_why_it_does_not_apply() -> None:
    assert {rule.__name__ for _, rule in RULES} - {"unroutable"} == set(REASONS)


def test_a_question_that_would_wait_goes_on_with_nothing_found() -> None:
    """R3: as it will after its patience, and it is said."""
    waiting = MessageState(accepted_at=START - timedelta(minutes=1), asks=(Ask("other", None),))
    found = explained({("routing", "<a@b>"): waiting}, to=["sales@example.com"], references=("<a@b>",))
    assert (found.outcome, found.rule) == ("delivered", "R9")
    assert [one.state for one in found.looked if one.key == "<a@b>"] == [
        "taken 2026-03-02 08:59:00, without outcome yet; the question would wait for its outcome"
    ]


def test_an_answer_on_a_closed_thread_that_nothing_opens_again() -> None:
    """R4."""
    known = MessageState(settled=Settled(at=START, links=(Link("deal/7"),)))
    found = explained({("routing", "<a@b>"): known}, "deal/7", to=["sales@example.com"], references=("<a@b>",))
    why = [one.why for one in found.rules if one.rule == "R3"][-1]
    assert why == "deal/7 takes no more posts, and nothing opens another record of that type"


def test_of_a_large_thread_the_first_step_is_told() -> None:
    settled = Settled(at=START, links=(Link("lead/7"),))
    followers = tuple(sorted((Following(address=f"{n:04}@example.net") for n in range(1200)), key=lambda f: f.key))
    states = {
        ("routing", "<a@b>"): MessageState(settled=settled),
        ("threads", "lead/7"): Thread(known=True, record_type="lead", followers=followers),
    }
    found = explained(states, to=["catchall@example.com"], references=("<a@b>",))
    assert (found.outcome, found.threads, len(found.told)) == ("delivered", ("lead/7",), 500)
    assert ("threads", "'lead', 1200 followers") in [(one.stage, one.state) for one in found.looked]


def test_what_else_would_be_said() -> None:
    """D2: an alias to which nobody can write is flagged."""
    found = explained({}, to=["nobody@example.com"])
    assert (found.outcome, found.rule) == ("refused", "R12")
    assert any("alias_state/nobody@example.com" in line for line in found.also)
