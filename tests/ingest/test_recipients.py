"""I5: who is taken at RCPT TO."""

from datetime import timedelta
from typing import Any

import pytest

from postroad.ingest.recipients import judge
from postroad_schemas.directory import FormerAddress, FormerKind, FormerPolicy
from tests.support.declared import AT, views

DOCUMENT: dict[str, Any] = {
    "domain": [{"name": "example.com", "default": True}],
    "alias": [
        {"address": "sales@example.com", "record_type": "crm.lead"},
        {"local_part": "commercial", "record_type": "crm.lead"},
    ],
    "parameters": {"mail.catchall.domain.allowed": "partner.example"},
}


@pytest.mark.parametrize(
    ("recipient", "code", "status"),
    [
        pytest.param("sales@example.com", 250, "2.1.5", id="an alias"),
        pytest.param("SALES@Example.COM", 250, "2.1.5", id="an alias, in any case"),
        pytest.param("sales+abc@example.com", 250, "2.1.5", id="an alias with a token"),
        pytest.param("catchall@example.com", 250, "2.1.5", id="catchall"),
        pytest.param("catchall+mfrggzdfmztwq2lk@example.com", 250, "2.1.5", id="catchall with a token"),
        pytest.param("bounce+mfrggzdfmztwq2lk@example.com", 250, "2.1.5", id="bounce with a token"),
        pytest.param("notifications@example.com", 250, "2.1.5", id="the default From"),
        pytest.param("postmaster@example.com", 250, "2.1.5", id="postmaster (RFC 5321 4.5.1)"),
        pytest.param("postmaster", 250, "2.1.5", id="postmaster without domain"),
        pytest.param("abuse@example.com", 250, "2.1.5", id="abuse (RFC 2142)"),
        pytest.param("commercial@partner.example", 250, "2.1.5", id="an alias by local part, on a listed domain"),
        pytest.param("nobody@partner.example", 550, "5.1.1", id="a listed domain is ours, its unknown names are not"),
        pytest.param("nobody@example.com", 550, "5.1.1", id="unknown on our domain"),
        pytest.param("anna@elsewhere.example", 550, "5.7.1", id="no relaying"),
        pytest.param("sales", 501, "5.1.3", id="no domain"),
        pytest.param("@example.com", 501, "5.1.3", id="no local part"),
    ],
)
def test_takes_what_is_ours_and_known(recipient: str, code: int, status: str) -> None:
    reply = judge(recipient, views(DOCUMENT).directory, AT)

    assert (reply.code, reply.text.split()[0]) == (code, status)


def test_unknown_names_are_taken_when_the_setting_says_so() -> None:
    document = DOCUMENT | {"parameters": {"mail.smtp.unknown": "accept"}}

    assert judge("nobody@example.com", views(document).directory, AT).code == 250
    assert judge("anna@elsewhere.example", views(document).directory, AT).code == 550


def test_an_alias_by_local_part_makes_only_listed_domains_ours() -> None:
    """Without a list it matches on any domain (R13), which does not make this a relay for any."""
    directory = views(DOCUMENT | {"parameters": {}}).directory

    assert judge("commercial@example.com", directory, AT).code == 250
    assert judge("commercial@gmail.com", directory, AT).text.startswith("5.7.1")


@pytest.mark.parametrize(
    ("policy", "days", "code"),
    [
        pytest.param(FormerPolicy.ACCEPT, -1, 250, id="accept"),
        pytest.param(FormerPolicy.WARN, -1, 250, id="accept and warn"),
        pytest.param(FormerPolicy.REFUSE, 1, 250, id="refuse, but the date has not come"),
        pytest.param(FormerPolicy.REFUSE, -1, 550, id="refuse after a date"),
    ],
)
def test_former_addresses_live_on_as_their_policy_says(policy: FormerPolicy, days: int, code: int) -> None:
    known = views(DOCUMENT)
    row = FormerAddress(
        address="verkauf@example.com",
        kind=FormerKind.ALIAS,
        now="sales@example.com",
        since=AT - timedelta(days=30),
        policy=policy,
        refuse_after=AT + timedelta(days=days),
    )
    known.apply("directory", "former/verkauf@example.com", row)

    reply = judge("verkauf@example.com", known.directory, AT)

    assert reply.code == code
    assert code == 250 or "sales@example.com" in reply.text
