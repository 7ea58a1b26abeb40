"""D9: old addresses live on when what they named is renamed or removed, and D4 ends them."""

from datetime import timedelta
from typing import Any

import pytest

from postroad_schemas import Tombstone
from postroad_schemas.directory import Alias, AliasDomain, FormerAddress, FormerKind, FormerPolicy, Parameter
from tests.routing.gates import EXAMPLE, SALES, Gate
from tests.routing.mails import START, end, mail, take, views


def former(gate: Gate) -> dict[str, tuple[str, str]]:
    rows = gate.views.directory.rows("former")
    return {row.address: (row.kind, row.now) for row in rows if isinstance(row, FormerAddress)}


@pytest.mark.parametrize(
    ("row", "remove", "expected"),
    [
        pytest.param(
            AliasDomain(name="example.com", catchall="replies"),
            "",
            {"catchall@example.com": ("catchall", "replies@example.com")},
            id="catchall",
        ),
        pytest.param(
            AliasDomain(name="example.com", bounce="errors"),
            "",
            {"bounce@example.com": ("bounce", "errors@example.com")},
            id="bounce",
        ),
        pytest.param(
            AliasDomain(name="example.com", default_from="hello@corp.example"),
            "",
            {"notifications@example.com": ("default_from", "hello@corp.example")},
            id="default From",
        ),
        pytest.param(
            Alias(local_part="deals", domain="example.com", record_type="lead"),
            "alias/sales@example.com",
            {"sales@example.com": ("alias", "deals@example.com")},
            id="a renamed alias",
        ),
        pytest.param(None, "alias/sales@example.com", {"sales@example.com": ("alias", "")}, id="a removed alias"),
        pytest.param(
            Parameter(name="mail.catchall.domain", value="new.example"),
            "",
            {
                "catchall@example.com": ("catchall", "catchall@new.example"),
                "bounce@example.com": ("bounce", "bounce@new.example"),
                "notifications@example.com": ("default_from", "notifications@new.example"),
                "sales@example.com": ("alias", "sales@new.example"),
            },
            id="a renamed domain, its aliases with it",
        ),
    ],
)
def test_d9_former_addresses_are_kept(row: Any, remove: str, expected: dict[str, tuple[str, str]]) -> None:
    gate = Gate(EXAMPLE, SALES)
    gate.propose(row, remove)
    assert former(gate) == expected
    for address, (_, now) in expected.items():
        found = gate.views.directory.ours(address)
        assert found is not None
        assert found.former is not None
        assert found.former.since == START + timedelta(minutes=3)
        assert not now or gate.views.directory.ours(now) is not None


def test_d9_a_second_renaming_leads_to_the_newest() -> None:
    gate = Gate(EXAMPLE)
    for name in ("replies", "answers"):
        gate.propose(Parameter(name="mail.catchall.alias", value=name))
    assert former(gate) == {
        "catchall@example.com": ("catchall", "answers@example.com"),
        "replies@example.com": ("catchall", "answers@example.com"),
    }
    gate.propose(Parameter(name="mail.catchall.alias", value="catchall"))  # and back again
    assert former(gate) == {
        "replies@example.com": ("catchall", "catchall@example.com"),
        "answers@example.com": ("catchall", "catchall@example.com"),
    }


def test_d9_what_still_lives_is_not_former_and_keeps_what_points_at_it() -> None:
    gate = Gate(EXAMPLE, Alias(local_part="hello", domain="example.com", record_type="lead"))
    gate.propose(Parameter(name="mail.default.from", value="hello"))
    before = former(gate)
    gate.propose(Parameter(name="mail.default.from", value="office"))
    assert former(gate) == before == {"notifications@example.com": ("default_from", "hello@example.com")}


def test_d9_the_policy_is_the_settings() -> None:
    gate = Gate(EXAMPLE, SALES, Parameter(name="mail.former.policy", value="warn"))
    gate.propose(remove="alias/sales@example.com")
    (row,) = gate.views.directory.rows("former")
    assert isinstance(row, FormerAddress)
    assert row.policy is FormerPolicy.WARN


def test_d4_a_living_address_beats_a_former_one() -> None:
    gate = Gate(EXAMPLE, SALES)
    gate.propose(remove="alias/sales@example.com")
    written = gate.propose(SALES)
    assert Tombstone("directory", "former/sales@example.com") in written
    assert former(gate) == {}


def test_a_renamed_row_keeps_the_date_of_its_first_entry() -> None:
    gate = Gate(EXAMPLE, SALES)
    gate.propose(Alias(local_part="deals", domain="example.com", record_type="lead"), "alias/sales@example.com")
    row = gate.views.directory.row("alias/deals@example.com")
    assert row is not None
    assert row.created_at == START + timedelta(minutes=2)
    assert gate.views.directory.row("alias/sales@example.com") is None


# mail


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(FormerPolicy.ACCEPT, ["sales@example.com"], id="accepted"),
        pytest.param(FormerPolicy.WARN, ["sales@example.com"], id="accepted with a warning"),
        pytest.param(FormerPolicy.REFUSE, [], id="refused"),
    ],
)
def test_d9_mail_to_a_former_address(policy: FormerPolicy, expected: list[str]) -> None:
    seen = views()
    former = FormerAddress(
        address="verkauf@example.com", kind=FormerKind.ALIAS, now="sales@example.com", since=START, policy=policy
    )
    seen.directory.apply("former/verkauf@example.com", former)
    event = mail(to=["verkauf@example.com"])
    found = end(take(event, seen).emit)
    assert [route.alias for route in getattr(found, "routes", ())] == expected
    assert ("former address verkauf@example.com" in found.why) is bool(expected)
