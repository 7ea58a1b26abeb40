"""Proposals as a history (D10): followed through renames, repeats told once, refusals with their reason."""

from datetime import timedelta
from typing import Any

import pytest

from postroad.explain.history import Change, history, last_change
from postroad_schemas.directory import Alias, Parameter, RowProposed, RowRefused
from tests.routing.mails import START

SALES, ORDERS = (
    Alias(local_part="sales", domain="e.com", record_type="l"),
    Alias(local_part="orders", domain="e.com", record_type="l"),
)


def proposal(number: int, row: Any = None, remove: str = "", by: str = "mary") -> RowProposed:
    at = START + timedelta(minutes=number)
    return RowProposed(event_id=str(number), trace_id=str(number), occurred_at=at, row=row, remove=remove, by=by)


def told(proposals: list[RowProposed], name: str = "", standing: dict[str, Any] | None = None) -> list[Change]:
    return history(proposals, standing or {}, name)


ADDED, RENAMED, REMOVED = (
    proposal(1, SALES),
    proposal(2, ORDERS, "alias/sales@e.com"),
    proposal(3, None, "alias/orders@e.com"),
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("alias/sales@e.com", id="by its first key"),
        pytest.param("orders@e.com", id="by its last name"),
        pytest.param("alias", id="by its kind"),
        pytest.param("", id="all"),
    ],
)
def test_a_row_is_followed_through_renames(name: str) -> None:
    other = proposal(4, Parameter(name="mail.daily.limit", value="5"))
    found = [
        change for change in told([ADDED, RENAMED, REMOVED, other], name) if not change.key.startswith("parameter")
    ]
    assert [(change.key, change.renamed) for change in found] == [
        ("alias/sales@e.com", ""),
        ("alias/orders@e.com", "alias/sales@e.com"),
        ("alias/orders@e.com", ""),
    ]
    assert found[1].changed == ("local_part 'sales' -> 'orders'",)
    assert found[2].changed == ("removed",)


def test_what_was_refused_is_no_ground_for_the_next_difference() -> None:
    worse = proposal(2, Parameter(name="mail.daily.limit", value="many"))
    first, last = (proposal(n, Parameter(name="mail.daily.limit", value=v)) for n, v in ((1, "5"), (3, "6")))
    refusal = RowRefused(proposal="2", row_key="parameter/mail.daily.limit", reason="a whole number")
    found = told([first, worse, last], "mail.daily.limit", {"refusal/2": refusal})
    assert [change.refused for change in found] == ["", "a whole number", ""]
    assert found[2].changed == ("value '5' -> '6'",)


def test_what_lies_on_the_log_twice_is_told_once() -> None:
    assert len(told([ADDED, ADDED])) == 1


def test_the_row_as_it_would_be_stored() -> None:
    """D3."""
    written = Alias(local_part="Sales Team", domain="E.com", record_type="l")
    assert [change.key for change in told([proposal(1, written)], "sales-team@e.com")] == ["alias/sales-team@e.com"]


def test_who_left_a_row_as_it_stands() -> None:
    standing = {"alias/sales@e.com": SALES, "refusal/1": RowRefused(proposal="1", row_key="alias/x", reason="no")}
    assert [key for key, _ in last_change(standing, "")] == ["alias/sales@e.com"]
    assert last_change(standing, "x@e.com") == []
