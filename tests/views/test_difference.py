"""D10: shows the difference first, applies only what changed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from postroad.routing.cleaning import clean
from postroad.routing.gate import GateState, decide
from postroad.views import Views
from postroad.views.declared import Undeclarable, declared
from postroad.views.difference import Change, difference
from postroad_schemas import Tombstone, event_id
from postroad_schemas.directory import Contact, RowProposed, RowRefused, row_key

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
DOMAIN = {"name": "example.com"}
SALES = {"address": "sales@example.com", "record_type": "lead"}
JOBS = {"address": "jobs@example.com", "record_type": "applicant"}


class Standing:
    """The tables, changed by the gate as a running system would."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.rows: dict[str, Any] = {}
        self.refused: list[str] = []
        self._views = Views()
        if document:
            self.apply(document)

    def apply(self, document: dict[str, Any], prune: bool = False) -> list[str]:
        changes = difference(declared(document), self.rows, prune=prune, clean=clean)
        for number, change in enumerate(changes):
            if change.contact is not None:
                self.rows[change.key] = change.contact
            else:
                self._propose(change, event_id(str(len(self.rows)), str(number), *(it.words for it in changes)))
        return [change.words for change in changes]

    def _propose(self, change: Change, identity: str) -> None:
        proposal = RowProposed(
            event_id=identity, occurred_at=AT, trace_id="", row=change.row, remove=change.remove, by="test"
        )
        for row in decide(proposal, GateState(), self._views).emit:  # the view is never behind here
            if isinstance(row, Tombstone):
                self.rows.pop(row.key)
                self._views.apply("directory", row.key, None)
            elif isinstance(row, RowRefused):
                self.refused.append(row.reason)
            else:
                self.rows[row_key(row)] = row  # type: ignore[arg-type]  # the gate writes rows
                self._views.apply("directory", row_key(row), row)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param({}, {"domain": [DOMAIN]}, ["+ domain/example.com"], id="new"),
        pytest.param({"domain": [DOMAIN], "alias": [SALES]}, {"alias": [SALES]}, [], id="as it stands"),
        pytest.param({"domain": [DOMAIN], "alias": [SALES]}, {}, [], id="what is not named stays"),
        pytest.param(
            {"domain": [DOMAIN], "alias": [SALES]},
            {"alias": [{**SALES, "record_type": "ticket"}, JOBS]},
            ["~ alias/sales@example.com: record_type 'lead' -> 'ticket'", "+ alias/jobs@example.com"],
            id="changed, with both values, and new",
        ),
        pytest.param(
            {"domain": [DOMAIN], "alias": [SALES]},
            {"remove": ["alias/sales@example.com", "alias/none@example.com"]},
            ["- alias/sales@example.com"],
            id="removed, if it is there",
        ),
        pytest.param(
            {"contact": [{"id": 1, "address": "a@b.example"}]},
            {"contact": [{"id": 1, "address": "a@b.example", "name": "Anna"}]},
            ["~ contact/1: name '' -> 'Anna'"],
            id="a contact",
        ),
        pytest.param(
            {"parameters": {"mail.retry.days": 2}},
            {"parameters": {"mail.retry.days": 3}},
            ["~ parameter/mail.retry.days: value '2' -> '3'"],
            id="D5 a parameter",
        ),
        pytest.param(
            {"domain": [DOMAIN]},
            {"parameters": {"mail.catchall.alias": "replies"}},
            ["~ parameter/mail.catchall.alias: value 'catchall' -> 'replies'"],
            id="D5 a field of the default domain, alone",
        ),
        pytest.param(
            {"domain": [DOMAIN]},
            {"domain": [DOMAIN], "parameters": {"mail.catchall.alias": "Replies!"}},
            ["~ domain/example.com: catchall 'catchall' -> 'replies-'"],
            id="D5 beside its domain, cleaned as its field is",
        ),
        pytest.param(
            {"domain": [DOMAIN]},
            {"domain": [{"name": "Example.COM"}], "alias": [{**SALES, "address": "Sáles@example.com"}]},
            ["+ alias/sales@example.com"],
            id="D3 compared as it will stand",
        ),
    ],
)
def test_what_changes_is_said(before: dict[str, Any], after: dict[str, Any], words: list[str]) -> None:
    assert Standing(before).apply(after) == words


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"domain": [DOMAIN]}, id="D1 the only domain is the default one, said or not"),
        pytest.param({"domain": [DOMAIN, {"name": "other.example"}]}, id="D1 the first of several"),
        pytest.param({"domain": [DOMAIN, {"name": "other.example", "default": True}]}, id="D1 the one that says so"),
        pytest.param(
            {
                "domain": [DOMAIN],
                "parameters": {
                    "mail.catchall.alias": "replies",
                    "mail.bounce.alias": "returns",
                    "mail.default.from": "office@corp.example",
                    "mail.catchall.domain": "example.com",
                },
            },
            id="D5 fields of the domain under their old names",
        ),
        pytest.param(
            {"parameters": {"mail.catchall.domain": "example.com", "mail.catchall.alias": "r"}}, id="D5 alone"
        ),
        pytest.param({"parameters": {"mail.gateway.allowed": " B.example ,a@c.example"}}, id="D6 lists"),
        pytest.param({"domain": [DOMAIN], "alias": [SALES, {"address": "jobs", "record_type": "x"}]}, id="aliases"),
        pytest.param({"smarthost": [{"name": "a", "host": "h.example", "security": "tls"}]}, id="D7 default ports"),
        pytest.param({"contact": [{"id": 1, "address": "a@b.example"}]}, id="contacts"),
    ],
)
def test_applied_again_it_changes_nothing(document: dict[str, Any]) -> None:
    standing = Standing()
    assert standing.apply(document)
    assert (standing.apply(document), standing.refused) == ([], [])


def test_prune_removes_what_is_not_named_aliases_before_their_domain() -> None:
    standing = Standing(
        {
            "domain": [DOMAIN, {"name": "other.example"}],
            "alias": [SALES, {"address": "a@other.example", "record_type": "x"}],
            "parameters": {"mail.retry.days": 2},
            "signing_key": [{"key_id": "a", "secret": "env:K"}],
            "contact": [{"id": 1, "address": "a@b.example"}],
        }
    )
    words = standing.apply({"domain": [DOMAIN], "alias": [SALES]}, prune=True)
    assert words == ["- alias/a@other.example", "- domain/other.example", "- parameter/mail.retry.days"]
    assert standing.refused == []
    assert {"contact/1", "signing_key/a", "former/a@other.example"} <= standing.rows.keys()


def test_a_contact_keeps_the_date_that_its_app_gave() -> None:
    """R15: the oldest comes first."""
    standing = {"contact/1": Contact(contact_id="1", addresses=("a@b.example",), created_at=AT)}
    [change] = difference(declared({"contact": [{"id": 1, "address": "c@d.example"}]}), standing)
    assert change.contact is not None
    assert change.contact.created_at == AT


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"alias": [SALES, {**SALES, "address": "SALES@example.com"}]}, id="an alias, in any case"),
        pytest.param(
            {"contact": [{"id": 1, "address": "a@b.example"}, {"id": "1", "address": "b@b.example"}]}, id="id"
        ),
    ],
)
def test_declared_twice_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Undeclarable, match="is declared twice: leave one of the two"):
        difference(declared(document), {}, clean=clean)


@pytest.mark.parametrize(
    ("document", "stands"),
    [
        pytest.param({"domain": [DOMAIN], "alias": [SALES]}, True, id="all of it"),
        pytest.param({"domain": [DOMAIN], "parameters": {"mail.bounce.alias": "back"}}, True, id="a domain's field"),
        pytest.param({"alias": [{**SALES, "address": "bounce@example.com"}]}, False, id="refused"),
    ],
)
def test_whether_a_change_has_taken_effect(document: dict[str, Any], stands: bool) -> None:
    standing = Standing({"domain": [DOMAIN]})
    changes = difference(declared(document), standing.rows, clean=clean)
    assert not all(change.stands(standing.rows) for change in changes)
    standing.apply(document)
    assert all(change.stands(standing.rows) for change in changes) is stands
