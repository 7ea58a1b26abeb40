"""The gate of the directory: all changes have one order (D10)."""

import msgspec
import pytest

from postroad_schemas import Tombstone
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    Parameter,
    row_key,
)
from tests.routing.gates import EXAMPLE, OTHER, SALES, Gate, reason


def test_two_quick_conflicting_proposals_cannot_both_pass() -> None:
    gate = Gate(EXAMPLE, sees=False)
    assert len(gate.propose(Alias(local_part="replies", domain="example.com", record_type="x"))) == 1
    assert "alias" in reason(gate.propose(Parameter(name="mail.catchall.alias", value="replies")))
    gate.propose(remove="alias/replies@example.com")
    assert any(
        isinstance(row, AliasDomain) for row in gate.propose(Parameter(name="mail.catchall.alias", value="replies"))
    )


@pytest.mark.parametrize("sees", [True, False], ids=["seen by the view", "not yet seen"])
@pytest.mark.parametrize("name", ["mail.catchall.alias", "nonsense"])
def test_the_same_proposal_twice_is_answered_alike_and_changes_nothing(name: str, sees: bool) -> None:
    gate = Gate(EXAMPLE, SALES, sees=sees)
    row = Parameter(name=name, value="x")
    first = gate.propose(row, name="same")
    state = gate.state
    assert first
    assert (gate.propose(row, name="same"), gate.state) == (first, state)


def test_all_that_the_view_has_not_seen_counts_and_versions_only_rise() -> None:
    gate = Gate(EXAMPLE, sees=False)
    names = ["replies", *(f"a{number}" for number in range(40))]
    versions = [gate.propose(Alias(local_part=n, domain="example.com", record_type="x"))[0].version for n in names]
    assert versions == list(range(2, 43))
    assert "alias" in reason(gate.propose(Parameter(name="mail.catchall.alias", value="replies")))


def test_what_the_view_has_not_seen_end_is_gone_all_the_same() -> None:
    gate = Gate(EXAMPLE, Alias(local_part="replies", record_type="x"))
    gate.sees = False
    gate.propose(remove="alias/replies@")
    assert any(
        isinstance(row, AliasDomain) for row in gate.propose(Parameter(name="mail.catchall.alias", value="replies"))
    )


def test_what_the_view_has_seen_is_kept_no_longer_than_for_repeats() -> None:
    gate = Gate(EXAMPLE)
    for number in range(100):
        gate.propose(Alias(local_part=f"a{number}", domain="example.com", record_type="x"))
    assert len(gate.state.answers) == 32
    assert gate.state.rows(gate.views.directory).written == {}


@pytest.mark.parametrize("sees", [True, False], ids=["seen by the view", "not yet seen"])
def test_added_removed_and_added_again(sees: bool) -> None:
    gate = Gate(EXAMPLE, sees=sees)
    gate.sees = sees
    for _ in range(3):
        (added,) = (row for row in gate.propose(SALES) if isinstance(row, Alias))
        assert row_key(added) == "alias/sales@example.com"
        assert Tombstone("directory", row_key(added)) in gate.propose(remove=row_key(added))
    assert isinstance(gate.propose(SALES)[0], Alias)
    assert gate.propose(SALES) == []


def test_a_domain_can_go_once_its_aliases_are_gone() -> None:
    gate = Gate(EXAMPLE, SALES, OTHER)
    gate.propose(remove="alias/sales@example.com")
    gate.propose(msgspec.structs.replace(OTHER, default=True))
    assert Tombstone("directory", "domain/example.com") in gate.propose(remove="domain/example.com")


def test_what_was_removed_and_seen_to_be_gone_is_kept_no_longer_than_for_repeats() -> None:
    gate = Gate(EXAMPLE)
    for number in range(50):
        row = Alias(local_part=f"a{number}", domain="example.com", record_type="x")
        gate.propose(row)
        gate.propose(remove=row_key(row))
    gate.propose(SALES)
    assert len(gate.state.answers) == 32
    assert gate.state.rows(gate.views.directory).written == {}


def test_no_older_row_comes_back_though_another_of_its_proposal_is_never_seen() -> None:
    gate = Gate(EXAMPLE, SALES)
    gate.sees = False
    gate.propose(Alias(local_part="deals", domain="example.com", record_type="lead"), "alias/sales@example.com")
    gate.propose(remove="alias/deals@example.com")
    gate.views.directory.apply("alias/sales@example.com", None)  # all is seen but what became of sales@
    gate.sees = True
    for number in range(40):
        gate.propose(Alias(local_part=f"a{number}", domain="example.com", record_type="x"))
    assert gate.state.rows(gate.views.directory).get("alias/deals@example.com") is None
    assert isinstance(gate.propose(Alias(local_part="deals", domain="example.com", record_type="lead"))[0], Alias)
