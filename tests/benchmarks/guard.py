"""How fast the loop guard decides."""

from time import perf_counter

from postroad.loop_guard.budget import Ledger
from postroad.loop_guard.budgets import BUDGETS
from postroad.views import Views
from postroad_schemas.mail import Budget, Scope
from tests.loop_guard.mails import routed

_DECISIONS = 50_000
_SENDERS = 500
_BUDGET = Budget(key="author sales@example.com bob@example.org", scope=Scope.AUTHOR, limit=20, window=7200)


def budgets_per_second() -> float:
    """Decisions a second in one process, nothing encoded: 500 senders at the default limit, a sixth of it blocked."""
    mails = [routed(f"m{n}", n / 100, [_BUDGET]) for n in range(_DECISIONS)]
    states = [Ledger()] * _SENDERS
    views = Views()
    start = perf_counter()
    for ordinal, mail in enumerate(mails):
        sender = ordinal % _SENDERS
        states[sender] = BUDGETS.decide(mail, states[sender], views).state
    return _DECISIONS / (perf_counter() - start)
