"""The loop guard (section L): counts per budget in a sliding window and lets pass or blocks."""

from datetime import datetime

import msgspec

from postroad.loop_guard.budget import Ledger
from postroad.loop_guard.outcome import RULES, let_through, passed, stopped
from postroad.stage import Decision, Stage
from postroad.views import Views
from postroad_schemas import Ticked
from postroad_schemas.mail import Budget, BudgetReturned, MailRouted


def decide(event: MailRouted | BudgetReturned, state: Ledger, _: Views) -> Decision[Ledger]:
    """One mail at one budget's key, or at its own key when nothing limits it."""
    if isinstance(event, BudgetReturned):
        return Decision(state.give_back(event.mail_id, event.occurred_at.timestamp()))
    if event.position >= len(event.budgets):
        return Decision(state, let_through(event))
    budget = event.budgets[event.position]
    fits, state = _judge(event, budget, state)
    if not fits and not budget.shadow:
        return Decision(state, stopped(event, budget))
    if not fits:
        event = msgspec.structs.replace(event, shadowed=(*event.shadowed, budget.key))
    if event.position + 1 < len(event.budgets):
        return Decision(state, (passed(event),))
    return Decision(state, let_through(event))


def _judge(routed: MailRouted, budget: Budget, state: Ledger) -> tuple[bool, Ledger]:
    at = routed.received_at.timestamp()
    release = routed.mail.release
    if release is None:
        return state.judge(budget, routed.mail_id, at)
    if release.held in state.recent:  # a release takes the place of the mail it lets go on (R17), here too
        state = state.give_back(release.held, at)
    return state.judge(budget, routed.mail_id, at, exempt=release.overrides(RULES[budget.scope]))


def due(state: Ledger) -> datetime | None:
    return state.due()


def sweep(tick: Ticked, state: Ledger, _: Views) -> Decision[Ledger]:
    return Decision(state.aged(tick.occurred_at.timestamp()))


BUDGETS = Stage(
    name="budgets",
    worker="loop_guard",
    reads=("mail.routed",),
    writes=("mail.routed", "chatter.published", "mail.refused", "message.settled", "held"),
    state=Ledger,
    decide=decide,
    due=due,
    sweep=sweep,
    windowed=True,
)
