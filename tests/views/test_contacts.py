"""Who is known (R12), and under whom a mail is shown (R15)."""

from datetime import UTC, datetime

import pytest

from postroad.views.contacts import Contacts
from postroad_schemas.directory import Contact, ContactKind

OLD, NEW = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS = "anna@example.org"


def contact(name: str, *, internal: bool = False, at: datetime | None = None, active: bool = True) -> Contact:
    kind = ContactKind.INTERNAL if internal else ContactKind.EXTERNAL
    return Contact(contact_id=name, addresses=(ADDRESS,), kind=kind, created_at=at, active=active)


def contacts(*rows: Contact) -> Contacts:
    made = Contacts()
    for row in rows:
        made.apply(row.contact_id, row)
    return made


@pytest.mark.parametrize(
    ("rows", "followers", "shown"),
    [
        pytest.param([], [], None, id="a stranger"),
        pytest.param([contact("young", at=NEW), contact("old", at=OLD)], [], "old", id="the oldest"),
        pytest.param([contact("old", at=OLD), contact("ours", internal=True, at=NEW)], [], "ours", id="internal first"),
        pytest.param(
            [contact("ours", internal=True, at=OLD), contact("follows", at=NEW)],
            ["follows"],
            "follows",
            id="a follower",
        ),
        pytest.param([contact("gone", internal=True, at=OLD, active=False), contact("b")], [], "b", id="active first"),
        pytest.param([contact("b", at=NEW), contact("a", at=OLD)], ["a", "b"], "a", id="among followers the oldest"),
        pytest.param([contact("undated"), contact("young", at=NEW)], [], "young", id="undated is youngest"),
        pytest.param([contact("b", at=OLD), contact("a", at=OLD)], [], "a", id="of one age by id"),
        pytest.param([contact("a", at=OLD)], ["another"], "a", id="a follower with another address does not matter"),
    ],
)
def test_r15_under_whom_a_mail_is_shown(rows: list[Contact], followers: list[str], shown: str | None) -> None:
    found = contacts(*rows).shown_as(ADDRESS, followers)
    assert (found.contact_id if found else None) == shown


@pytest.mark.parametrize(
    ("rows", "address", "known"),
    [
        pytest.param([contact("a")], ADDRESS, True, id="by address"),
        pytest.param([contact("a", active=False)], ADDRESS, False, id="archived"),
        pytest.param([contact("a", active=False), contact("b")], ADDRESS, True, id="one of two archived"),
        pytest.param([contact("a")], "hanna@example.org", False, id="no part of an address counts"),
        pytest.param([contact("a")], "", False, id="nobody"),
    ],
)
def test_r12_who_is_known(rows: list[Contact], address: str, known: bool) -> None:
    assert contacts(*rows).known(address) is known


def test_r12_a_contact_may_write_its_address_in_any_case() -> None:
    made = contacts(Contact(contact_id="a", addresses=("Anna@Example.ORG",)))
    assert made.known(ADDRESS)


def test_addresses_follow_their_rows() -> None:
    made = contacts(contact("a"), contact("b"))
    made.apply("a", Contact(contact_id="a", addresses=("new@example.org", "NEW@example.org")))
    assert [found.contact_id for found in made.with_address("new@example.org")] == ["a"]
    assert [found.contact_id for found in made.with_address(ADDRESS)] == ["b"]
    made.apply("b", None)
    made.apply("b", None)
    assert (made.with_address(ADDRESS), made.get("b"), len(made)) == ((), None, 1)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("Anna@Straße.DE", id="IDNA 2008: not strasse.de"),
        pytest.param("anna@xn--strae-oqa.de", id="in A-labels"),
        pytest.param('"anna"@straße.de.', id="quoted, with a dot at the end"),
    ],
)
def test_addresses_compare_as_those_of_mails_do(written: str) -> None:
    found = contacts(Contact(contact_id="anna", addresses=(written,)))
    assert found.known("anna@xn--strae-oqa.de")
    found.apply("anna", None)
    assert not found.known("anna@xn--strae-oqa.de")
