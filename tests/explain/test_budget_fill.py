"""How full a budget is, by the limits of now, and when its next place is free (L1-L3, L9)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.explain.budgets import Fill, filled
from postroad.loop_guard.budget import Ledger
from postroad.window import Recent
from tests.support import declared

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOB = "author sales@example.com bob@example.org"
DIRECTORY: dict[str, Any] = {
    "domain": [{"name": "example.com"}],
    "alias": [
        {"address": "sales@example.com", "record_type": "lead"},
        {"address": "jobs@example.com", "record_type": "job", "limits": {"threshold": 2, "minutes": 10}},
        {"address": "board@example.com", "record_type": "task", "thread": "task/7", "limits": {"threshold": 1}},
    ],
    "parameters": {"mail.gateway.loop.threshold": "3", "mail.gateway.loop.minutes": "60"},
}


def ledger(*minutes_ago: int, blocked: int = 0) -> Ledger:
    recent = Recent()
    for number, ago in enumerate(minutes_ago):
        recent = recent.with_(str(number), (NOW - timedelta(minutes=ago)).timestamp())
    stopped = tuple((NOW.timestamp(), f"b{number}") for number in range(blocked))
    return Ledger(recent=recent, blocked=stopped, window=3600)


def fills(ledgers: dict[str, Ledger], near: float = 0.0, **parameters: str) -> list[Fill]:
    named = {name.replace("__", "."): value for name, value in parameters.items()}
    directory = declared.views(DIRECTORY | {"parameters": DIRECTORY["parameters"] | named}).directory
    return filled(ledgers, directory, NOW, near)


@pytest.mark.parametrize(
    ("minutes_ago", "count", "free_in"),
    [
        pytest.param([], 0, None, id="nothing counted: room now"),
        pytest.param([10, 5], 2, None, id="one short of the limit: room now"),
        pytest.param([50, 10, 5], 3, 10, id="L1 full: when the oldest leaves the window"),
        pytest.param([60, 50, 10], 2, None, id="what is exactly a window old counts no more"),
        pytest.param([50, 40, 10, 5], 4, 20, id="over a limit that was lowered: when two have left"),
    ],
)
def test_the_next_place(minutes_ago: list[int], count: int, free_in: int | None) -> None:
    (fill,) = fills({BOB: ledger(*minutes_ago)})
    free_at = None if free_in is None else NOW + timedelta(minutes=free_in)
    assert (fill.count, fill.limit, fill.free_at) == (count, 3, free_at)


@pytest.mark.parametrize(
    ("key", "limit", "minutes", "shadow"),
    [
        pytest.param(BOB, 3, 60, False, id="L2 an author through an alias"),
        pytest.param("author jobs@example.com bob@example.org", 2, 10, False, id="D2 an alias's own limits"),
        pytest.param("alias sales@example.com", 3, 60, True, id="L9 all authors of an alias, in shadow"),
        pytest.param("type lead bob@example.org", 3, 60, False, id="L2 a record type"),
        pytest.param("thread lead/7 bob@example.org", 3, 60, False, id="L3 a thread"),
        pytest.param("thread task/7 bob@example.org", 1, 60, False, id="L3 a thread that an alias is bound to"),
    ],
)
def test_whose_limit_holds(key: str, limit: int, minutes: int, shadow: bool) -> None:
    (fill,) = fills({key: ledger(5)})
    assert (fill.limit, fill.window, fill.shadow) == (limit, minutes * 60, shadow)


def test_all_authors_together_are_enforced_where_the_scope_says_so() -> None:
    (fill,) = fills({"alias sales@example.com": ledger(5)}, mail__gateway__loop__scope="alias")
    assert fill.shadow is False


def test_near_leaves_out_the_rest_and_the_fullest_comes_first() -> None:
    ledgers = {"type a x": ledger(1), "type b x": ledger(1, 2), "type c x": ledger(1, 2, 3, blocked=2)}
    assert [(fill.budget, fill.blocked) for fill in fills(ledgers, near=0.6)] == [("type c x", 2), ("type b x", 0)]


def test_a_limit_of_nothing_has_no_next_place() -> None:
    (fill,) = fills({BOB: ledger()}, near=0.8, mail__gateway__loop__threshold="0")
    assert (fill.limit, fill.free_at) == (0, None)


def test_fingerprints_and_mails_without_budget_are_no_budgets() -> None:
    """L6: a fingerprint's one place is always taken."""
    assert fills({"fingerprint abc": ledger(1), "<1@example.org>": ledger()}) == []
