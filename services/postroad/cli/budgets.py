"""`postroad budgets`: how full the loop guard's budgets are."""

import os
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter

from postroad.cli.propose import Where, directory_of, json_line, nothing, standing
from postroad.explain.budgets import Fill, filled
from postroad.loop_guard.budgets import BUDGETS
from postroad.runtime.state import states
from postroad.runtime.words import counted


def budgets(
    *,
    near: Annotated[float, Parameter(help="Only those of which so much is used; 0 shows all.")] = 0.8,
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """Budgets near their limit: who writes so much that the loop guard will stop him, or does already.

    Each with its count, its limit, its window, and when the next place is free.
    """
    ledgers = states(where.settings).all(BUDGETS)
    found = filled(ledgers, directory_of(standing(where.reach())), datetime.now(UTC), near)
    for fill in found:
        print(json_line(msgspec.to_builtins(fill)) if where.json else _told(fill))
    if not found and not where.json:
        nothing(where, f"of {counted(len(ledgers), 'budget')} none is used to {near:.0%} or more")
    return os.EX_OK


def _told(fill: Fill) -> str:
    if fill.limit < 1:
        free = "lets nothing through"
    else:
        free = f"next place free at {fill.free_at:%Y-%m-%d %H:%M:%S} UTC" if fill.free_at else "has room"
    shadow = ", in shadow (stops nothing)" if fill.shadow else ""
    blocked = f", {fill.blocked} {'over it' if fill.shadow else 'blocked'}" if fill.blocked else ""
    return f"{fill.budget}: {fill.count} of {fill.limit} within {fill.window // 60} minutes{shadow}{blocked}; {free}"
