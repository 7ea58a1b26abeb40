"""Which mail passes its budgets (L1-L6, L9, R17)."""

from datetime import timedelta

import pytest

from postroad.loop_guard.budget import LATE, VERDICTS, Ledger
from postroad.loop_guard.budgets import BUDGETS
from postroad.loop_guard.worker import WORKER
from postroad.views import Views
from postroad_schemas import Ticked
from postroad_schemas.mail import Budget, BudgetReturned, Release
from postroad_schemas.message import MessageSettled, Outcome
from tests.loop_guard.mails import ALIAS, AUTHOR, LEAD, REPLY, START, THREAD, TYPE, WORDS, Guard, routed, shadow


@pytest.mark.parametrize(
    ("minutes", "passes"),
    [
        pytest.param([0, 1], [True, True], id="L1: exactly the limit"),
        pytest.param([0, 1, 2], [True, True, False], id="L1: number limit + 1"),
        pytest.param([0, 1, 119], [True, True, False], id="L1: the window slides on the time of receipt"),
        pytest.param([0, 1, 120], [True, True, True], id="L1: the first left the window"),
        pytest.param([0, 1, 60, 120, 121], [True, True, False, True, True], id="L1: blocked mails do not count"),
        pytest.param([60, 61, 0], [True, True, False], id="L1: one that comes late"),
        pytest.param([0, 60, 119], [True, True, False], id="L1: across a boundary of hours"),
    ],
)
def test_limit(minutes: list[float], passes: list[bool]) -> None:
    guard = Guard()
    assert [guard.passes(routed(f"m{n}", minute)) for n, minute in enumerate(minutes)] == passes


def test_two_records_of_one_mail_count_twice() -> None:
    """L2: two aliases of one type are one budget."""
    twice = Budget(key=TYPE.key, scope=TYPE.scope, limit=2, window=7200, amount=2)
    guard = Guard()
    assert guard.passes(routed("a", 0, [twice]))
    assert not guard.passes(routed("b", 1, [TYPE]))


def outcome(guard: Guard, *args: object, **kwargs: object) -> MessageSettled:
    [settled] = [e for e in guard.take(routed(*args, **kwargs)) if isinstance(e, MessageSettled)]  # type: ignore[arg-type]
    return settled


@pytest.mark.parametrize(
    ("budget", "rule", "became"),
    [
        pytest.param(AUTHOR, "L1", Outcome.HELD, id="L1: one author through one alias"),
        pytest.param(ALIAS, "L2", Outcome.HELD, id="L2: all authors of an alias"),
        pytest.param(TYPE, "L2", Outcome.HELD, id="L2: one author, all aliases of a type"),
        pytest.param(THREAD, "L3", Outcome.HELD, id="L3: one author on one thread"),
        pytest.param(WORDS, "L6", Outcome.REPEATED, id="L6: the same words to catchall"),
    ],
)
def test_the_blocking_budget_names_the_rule(budget: Budget, rule: str, became: Outcome) -> None:
    guard = Guard()
    for n in range(budget.limit):
        assert outcome(guard, f"m{n}", n, [budget]).outcome is Outcome.DELIVERED
    settled = outcome(guard, "over", 5, [budget])
    assert (settled.outcome, settled.rule) == (became, rule)


def test_the_first_exhausted_budget_blocks_and_is_named() -> None:
    """L2, L4: in their order; one blocked route blocks the whole mail."""
    guard = Guard()
    for n in range(2):
        guard.take(routed(f"m{n}", n, [AUTHOR, ALIAS]))
    assert outcome(guard, "over", 3, [AUTHOR, ALIAS], (LEAD, REPLY)).rule == "L1"


def test_a_budget_that_was_passed_is_given_back() -> None:
    """L1: blocked mails do not count, at no budget; a fingerprint stays, for the mail was received (L6)."""
    guard = Guard()
    for n in range(2):
        guard.take(routed(f"m{n}", n, [ALIAS]))
    assert not guard.passes(routed("over", 3, [WORDS, shadow(TYPE), AUTHOR, ALIAS]))
    assert guard.counted(AUTHOR) == []
    assert guard.counted(WORDS) == ["over"]
    assert guard.counted(TYPE) == ["over"]
    assert guard.passes(routed("next", 4, [AUTHOR]))


def test_the_same_mail_given_back_still_says_what_it_said() -> None:
    guard = Guard()
    for n in range(2):
        guard.take(routed(f"m{n}", n, [ALIAS]))
    blocked = routed("over", 3, [AUTHOR, ALIAS])
    said, states = guard.take(blocked), dict(guard.states)
    assert guard.take(blocked) == said
    assert guard.states == states


def test_given_back_before_it_came() -> None:
    """The key may hear of the return first, when a record was set aside and sent again: it passes, uncounted."""
    guard = Guard()
    mail = routed("m", 0)
    guard.take(BudgetReturned(event_id="r", occurred_at=mail.received_at, trace_id="m", budget=AUTHOR.key, mail_id="m"))
    assert guard.passes(mail)
    assert guard.counted(AUTHOR) == []


def test_a_shadow_budget_reports_and_never_blocks() -> None:
    """L9."""
    guard = Guard()
    first = [outcome(guard, f"m{n}", n, [shadow(ALIAS)]) for n in range(2)]
    over = outcome(guard, "over", 2, [shadow(ALIAS), AUTHOR])
    assert [settled.why for settled in first] == ["an alias among the recipients"] * 2
    assert over.outcome is Outcome.DELIVERED
    assert over.why == "an alias among the recipients; over in shadow (L9): alias sales@example.com"


@pytest.mark.parametrize(
    ("rule", "earlier", "passes"),
    [
        pytest.param("L1", (), True, id="R17: not by the rule that held it"),
        pytest.param("L7", ("L3", "L1"), True, id="R17: nor by one that held it before"),
        pytest.param("R11", ("L3",), False, id="R17: by every other rule"),
    ],
)
def test_a_release(rule: str, earlier: tuple[str, ...], passes: bool) -> None:
    guard = Guard()
    for n in range(2):
        guard.take(routed(f"m{n}", n))
    settled = outcome(guard, "again", 3, release=Release(held="over", rule=rule, earlier=earlier))
    assert (settled.outcome is Outcome.DELIVERED) is passes
    assert settled.former == f"held {rule}"
    assert ("again" in guard.counted(AUTHOR)) is passes  # it counts


def test_a_release_is_no_repeat_of_the_mail_it_lets_go_on() -> None:
    """R17, L6: its own words of before do not stand against it, those of others do."""
    guard = Guard()
    for n in range(2):
        guard.take(routed(f"m{n}", n))
    held = routed("held", 2, [WORDS, AUTHOR])
    said = guard.take(held)
    release = Release(held="held", rule="L1")
    assert guard.passes(routed("again", 3, [WORDS, AUTHOR], release=release))
    assert outcome(guard, "copy", 4, [WORDS, AUTHOR]).outcome is Outcome.REPEATED
    assert guard.take(held) == said


def test_a_flood_leaves_a_small_state_that_forgets_no_verdict() -> None:
    guard = Guard()
    mails = [routed(f"m{n:04}", n / 100) for n in range(VERDICTS + 500)]
    said = [guard.take(mail) for mail in mails]
    state = guard.states[AUTHOR.key]
    assert len(state.recent.entries) == AUTHOR.limit
    assert len(state.blocked) == VERDICTS
    assert [guard.take(mail) for mail in mails] == said
    assert guard.states[AUTHOR.key] == state
    first = mails[0]
    guard.take(
        BudgetReturned(event_id="r", occurred_at=first.received_at, trace_id="m", budget=AUTHOR.key, mail_id="m0000")
    )
    assert [guard.take(mail) for mail in mails] == said  # also with room again for one


def tick(after: timedelta) -> Ticked:
    return Ticked(event_id="t", occurred_at=START + after, trace_id="t", stage="budgets")


def test_a_verdict_is_kept_for_the_window_and_8_days() -> None:
    assert BUDGETS.due is not None
    assert BUDGETS.sweep is not None
    guard = Guard()
    for n in range(4):
        guard.take(routed(f"m{n}", n))
    guard.take(
        BudgetReturned(
            event_id="r", occurred_at=START + timedelta(minutes=1), trace_id="m", budget=AUTHOR.key, mail_id="m1"
        )
    )
    state = guard.states[AUTHOR.key]
    keep = timedelta(hours=2) + LATE
    assert BUDGETS.due(state) == START + keep
    assert BUDGETS.sweep(tick(keep - timedelta(seconds=1)), state, Views()).state == state
    younger = BUDGETS.sweep(tick(keep), state, Views()).state
    assert (younger.recent.entries, len(younger.blocked), len(younger.returned)) == ((), 2, 1)
    assert BUDGETS.due(younger) == START + keep + timedelta(minutes=1)
    assert BUDGETS.sweep(tick(keep + timedelta(minutes=3)), younger, Views()).state == Ledger()
    assert BUDGETS.due(Ledger()) is None


def test_the_worker_runs_this_stage() -> None:
    assert WORKER.stages == (BUDGETS,)
