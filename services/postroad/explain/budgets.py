"""How full budgets are, and when the next place is free (L1-L3)."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from postroad.loop_guard.budget import Ledger
from postroad.routing.budgets import LoopPolicy, limited_aliases, loop_policy
from postroad.views.directory import Directory
from postroad_schemas.mail import Scope


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One budget as it stands."""

    budget: str
    scope: Scope
    count: int
    limit: int
    window: int  # seconds
    free_at: datetime | None  # when one more would be let through; None: now, or never with a limit of 0
    blocked: int  # mails that wait or were stopped
    shadow: bool = False  # counted, not enforced (L9)


def filled(ledgers: Mapping[str, Ledger], directory: Directory, now: datetime, near: float) -> list[Fill]:
    """Budgets of which at least this part is used, the fullest first. Fingerprints (L6) have one place each: left out.

    Limits are those of the directory now.
    """
    found = (_fill(key, ledger, directory, now) for key, ledger in ledgers.items() if not key.startswith("fingerprint"))
    full = [fill for fill in found if fill is not None and fill.count >= near * fill.limit]
    return sorted(full, key=lambda fill: (-fill.count / (fill.limit or 1), fill.budget))


def _fill(key: str, ledger: Ledger, directory: Directory, now: datetime) -> Fill | None:
    word, _, counted = key.partition(" ")
    if word not in set(Scope):
        return None
    scope = Scope(word)
    policy = _policy(scope, counted.partition(" ")[0], directory)
    window, at = policy.minutes * 60, now.timestamp()
    count = ledger.recent.count(at, window)
    return Fill(
        budget=key,
        scope=scope,
        count=count,
        limit=policy.threshold,
        window=window,
        free_at=_free_at(ledger, count, policy, at),
        blocked=len(ledger.blocked),
        shadow=scope is Scope.ALIAS and policy.scope is not Scope.ALIAS,
    )


def _policy(scope: Scope, named: str, directory: Directory) -> LoopPolicy:
    """Under an alias's own limits, where the budget is its own or its thread's."""
    policy = directory.policy(loop_policy)
    own = directory.policy(limited_aliases)
    if scope is Scope.THREAD:
        return next((under for thread, under in own.values() if thread == named), policy)
    return own[named][1] if scope is not Scope.TYPE and named in own else policy


def _free_at(ledger: Ledger, count: int, policy: LoopPolicy, at: float) -> datetime | None:
    """When enough of the oldest have left the window."""
    leave = count - policy.threshold + 1
    if leave <= 0 or policy.threshold < 1:
        return None
    window = policy.minutes * 60
    for when, _, amount in ledger.recent.since(at - window).entries:
        leave -= amount
        if leave <= 0:
            return datetime.fromtimestamp(when + window, UTC)
    return None
