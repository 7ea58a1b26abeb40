"""What an address is here: the rule and the sentence for each thing that holds."""

from datetime import timedelta
from typing import Any

import pytest

from postroad.explain.address import explain_address
from postroad_schemas.address import AddressBlacklisted, ListLeft
from postroad_schemas.directory import AliasState, FormerAddress, FormerKind, FormerPolicy
from tests.routing.mails import BOB, START, contact, views

LIST = ListLeft(event_id="l", trace_id="l", occurred_at=START, address=BOB, list_name="news")
BARRED = AddressBlacklisted(event_id="b", trace_id="b", occurred_at=START, address=BOB, rule="B4", note="5 failures")


def seen() -> Any:
    made = views(mail__gateway__allowed="example.net")
    for name, policy in (("old@example.com", FormerPolicy.ACCEPT), ("gone@example.com", FormerPolicy.REFUSE)):
        row = FormerAddress(address=name, kind=FormerKind.ALIAS, now="sales@example.com", since=START, policy=policy)
        made.apply("directory", f"former/{name}", row)
    made.apply(
        "directory", "alias_state/jobs@example.com", AliasState(alias="jobs@example.com", invalid=True, reason="no")
    )
    made.apply("suppressions", BOB, BARRED)
    made.apply("suppressions", f"{BOB} news", LIST)
    contact(made, "c9", "old@customer.example", name="Olive", active=False)
    return made


@pytest.mark.parametrize(
    ("address", "rule", "says"),
    [
        pytest.param("sales@example.com", "I5", "RCPT TO is answered 250 2.1.5 recipient ok", id="a door's yes"),
        pytest.param("x@example.com", "I5", "RCPT TO is answered 550 5.1.1 no such address here", id="a door's no"),
        pytest.param("Sales+7@example.com", "D2", "an alias of example.com, with the token 7", id="with a token"),
        pytest.param("catchall@example.com", "D1", "the catchall: replies come here", id="D1 the catchall"),
        pytest.param("bounce@example.com", "D1", "the bounce address", id="D1 the bounce address"),
        pytest.param("abuse@example.com", "D1", "the operator's: mail to it is held", id="RFC 2142 the operator's"),
        pytest.param("board@example.com", "R9", "board@example.com posts to task/7", id="D2 a bound alias"),
        pytest.param("jobs@example.com", "R9", "contacts may write (R12)", id="R12 its policy"),
        pytest.param("jobs@example.com", "D2", "is flagged invalid: no", id="D2 its flag"),
        pytest.param("old@example.com", "D9", "now sales@example.com (policy accept)", id="D9 a former address"),
        pytest.param("gone@example.com", "I5", "550 5.1.6", id="D9 one that is refused"),
        pytest.param("sales@example.com", "R15", "an address of ours is never an author", id="R15 ours as sender"),
        pytest.param("carol@example.org", "R15", "contact c1 'Carol'", id="R15 a known contact"),
        pytest.param("old@customer.example", "R15", "archived", id="R15 an archived one"),
        pytest.param(BOB, "R15", "no known contact has it", id="R15 a stranger"),
        pytest.param("any@example.net", "L4", "never limited", id="L4 on the list"),
        pytest.param(BOB, "B4", "blacklisted since 2026-03-02 for bulk mail (O7): 5 failures", id="B4 blacklisted"),
        pytest.param(BOB, "O6", "left the list news", id="O6 left a list"),
    ],
)
def test_findings(address: str, rule: str, says: str) -> None:
    found = explain_address(address, seen(), {}, START + timedelta(days=1))
    assert any(one.rule == rule and says in one.says for one in found), found
