"""D10: what a file declares, as rows; what cannot be declared is named, with what to write instead."""

from typing import Any

import pytest

from postroad.views.declared import Declared, Undeclarable, declared
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    Contact,
    ContactKind,
    Credentials,
    DkimKey,
    IncomingMailbox,
    Limits,
    Match,
    Parameter,
    Policy,
    SigningKey,
    Smarthost,
)
from postroad_schemas.event import Row
from postroad_schemas.values import Stream

HOST = {"name": "out", "host": "smtp.example.net"}
MAILBOX = {"name": "in", "host": "imap.example.net", "credentials": {"username": "u", "secret": "env:P"}}


def only(document: dict[str, Any]) -> Row | Contact:
    found = declared(document)
    rows: list[Row | Contact] = [*found.rows, *found.contacts]
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize(
    ("document", "row"),
    [
        pytest.param(
            {"domain": [{"name": "example.com", "redirects": "Info@isp.example, b@isp.example"}]},
            AliasDomain(name="example.com", redirects=("info@isp.example", "b@isp.example")),
            id="D1 a domain, its redirected addresses as comma text",
        ),
        pytest.param(
            {"domain": {"name": "example.com"}}, AliasDomain(name="example.com"), id="a single table instead of a list"
        ),
        pytest.param(
            {"alias": [{"address": "sales@example.com", "record_type": "lead", "policy": "contacts"}]},
            Alias(local_part="sales", domain="example.com", record_type="lead", policy=Policy.CONTACTS),
            id="D2 an alias by its address",
        ),
        pytest.param(
            {"alias": [{"address": "sales", "record_type": "lead", "match": "local"}]},
            Alias(local_part="sales", record_type="lead", match=Match.LOCAL),
            id="D2 an alias without domain",
        ),
        pytest.param(
            {"alias": [{"local_part": "a", "domain": "b.example", "limits": {"threshold": 3}}]},
            Alias(local_part="a", domain="b.example", limits=Limits(threshold=3)),
            id="D2 an alias by its parts, with limits of its own",
        ),
        pytest.param(
            {"alias": [{"address": "a@b.example", "defaults": {"n": 2**63 - 1, "m": -(2**63), "t": str(2**64)}}]},
            Alias(local_part="a", domain="b.example", defaults={"n": 2**63 - 1, "m": -(2**63), "t": str(2**64)}),
            id="D2 the largest and the least number, and a larger one as a text",
        ),
        pytest.param(
            {"smarthost": [{**HOST, "from_filter": "example.com, A@b.example", "streams": "bulk"}]},
            Smarthost(
                name="out",
                host="smtp.example.net",
                from_filter=("example.com", "a@b.example"),
                streams=(Stream.BULK,),
            ),
            id="D7 a smarthost, lists as comma text",
        ),
        pytest.param(
            {"smarthost": [{**HOST, "from_filter": ["example.com"]}]},
            Smarthost(name="out", host="smtp.example.net", from_filter=("example.com",)),
            id="D7 a smarthost, a list as a list",
        ),
        pytest.param(
            {"mailbox": [MAILBOX]},
            IncomingMailbox(
                name="in",
                host="imap.example.net",
                credentials=Credentials(username="u", secret="env:P"),
            ),
            id="D8 a mailbox",
        ),
        pytest.param(
            {"signing_key": [{"key_id": "b", "secret": "env:K"}]},
            SigningKey(key_id="b", secret="env:K"),
            id="a signing key",
        ),
        pytest.param(
            {"dkim_key": [{"domain": "example.com", "selector": "s1", "secret": "file:/k"}]},
            DkimKey(domain="example.com", selector="s1", secret="file:/k"),
            id="O13 a DKIM key",
        ),
        pytest.param(
            {"contact": [{"id": 7, "address": "mary@example.com", "kind": "internal"}]},
            Contact(contact_id="7", addresses=("mary@example.com",), kind=ContactKind.INTERNAL),
            id="a contact by id and address",
        ),
        pytest.param(
            {"contact": [{"contact_id": "7", "addresses": ["a@b.example", "c@d.example"]}]},
            Contact(contact_id="7", addresses=("a@b.example", "c@d.example")),
            id="a contact with several addresses",
        ),
        pytest.param(
            {"parameters": {"mail.gateway.loop.minutes": 30}},
            Parameter(name="mail.gateway.loop.minutes", value="30"),
            id="D5 a number",
        ),
        pytest.param(
            {"parameters": {"mail.gateway.loop.shadow": False}},
            Parameter(name="mail.gateway.loop.shadow", value="false"),
            id="D5 a flag",
        ),
        pytest.param(
            {"parameters": {"mail.gateway.allowed": ["a.example", "b@c.example"]}},
            Parameter(name="mail.gateway.allowed", value="a.example, b@c.example"),
            id="D5 a list",
        ),
        pytest.param(
            {"parameters": {"mail.catchall.alias": "replies"}},
            Parameter(name="mail.catchall.alias", value="replies"),
            id="D5 a field of the default domain under its old name",
        ),
    ],
)
def test_each_kind_in_each_way_of_writing(document: dict[str, Any], row: Row | Contact) -> None:
    assert only(document) == row


def test_nothing_declares_nothing() -> None:
    assert declared({}) == Declared()


def test_each_row_comes_after_what_it_leans_on() -> None:
    found = declared(
        {
            "parameters": {"mail.retry.days": 2},
            "dkim_key": [{"domain": "example.com", "selector": "s", "secret": "env:K"}],
            "alias": [{"address": "sales@example.com", "record_type": "lead"}],
            "domain": [{"name": "example.com"}],
            "remove": ["alias/old@example.com"],
        }
    )
    assert [type(row) for row in found.rows] == [AliasDomain, Alias, DkimKey, Parameter]
    assert found.remove == ("alias/old@example.com",)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param({"aliases": []}, "unknown table 'aliases'; did you mean 'alias'?", id="a table"),
        pytest.param({"xyz": []}, "unknown table 'xyz'; known: parameters, domain, alias", id="a table like no other"),
        pytest.param(
            {"alias": [{"adress": "a@b.example"}]}, "alias 1: unknown key 'adress'; did you mean 'address'?", id="a key"
        ),
        pytest.param(
            {"alias": [{"address": "a@b.example"}, {"address": "c@d.example", "polcy": "everyone"}]},
            "alias 2: unknown key 'polcy'; did you mean 'policy'?",
            id="which of several",
        ),
        pytest.param(
            {"alias": [{"address": "a@b.example", "limits": {"treshold": 1}}]},
            "alias 1, limits: unknown key 'treshold'; did you mean 'threshold'?",
            id="a key inside",
        ),
        pytest.param(
            {"smarthost": [{**HOST, "credentials": {"username": "u", "secret": "env:P", "pasword": "x"}}]},
            "smarthost 1, credentials: unknown key 'pasword'; known: username, secret",
            id="D7 no password as a value, however it is called",
        ),
        pytest.param(
            {"parameters": {"mail.gateway.loop.minute": 1}},
            "unknown parameter 'mail.gateway.loop.minute'; did you mean 'mail.gateway.loop.minutes'?",
            id="a parameter",
        ),
        pytest.param({"domain": [{"name": "a.example", "version": 3}]}, "unknown key 'version'", id="the gate's own"),
        pytest.param({"mailbox": [{**MAILBOX, "confirmed": True}]}, "unknown key 'confirmed'", id="D8 by login only"),
        pytest.param({"alias": [{"record_type": "x"}]}, "alias 1: .*give its address", id="an alias without address"),
        pytest.param({"contact": [{"address": "a@b.example"}]}, "contact 1: .*give an id", id="a contact without id"),
        pytest.param(
            {"alias": [{"address": "a@b.example", "policy": "all"}]},
            "alias 1: policy: Invalid enum",
            id="no such value",
        ),
        pytest.param({"smarthost": [{**HOST, "port": "25"}]}, "smarthost 1: port: Expected `int`", id="a wrong type"),
        pytest.param(
            {"alias": [{"address": "a@b.example", "record_type": "x", "defaults": {"n": 2**63}}]},
            "alias 1: defaults.n takes more than 64 bits: write a smaller number, or a text",
            id="D2 a number that no state can hold",
        ),
        pytest.param(
            {"smarthost": [{**HOST, "daily_limit": -(2**63) - 1}]},
            "smarthost 1: daily_limit takes more than 64 bits: write a smaller number$",
            id="D7 the same of a limit",
        ),
        pytest.param({"alias": "sales"}, r"alias is a list of tables: \[\[alias\]\]", id="a text for a list"),
        pytest.param({"alias": ["sales"]}, "alias 1: a table of keys", id="a text for a table"),
        pytest.param({"parameters": []}, "parameters: a table of keys", id="a list for a table"),
        pytest.param({"remove": "alias/a@b.example"}, "remove is a list of keys", id="a text for the removals"),
    ],
)
def test_what_cannot_be_declared_says_what_to_write(document: dict[str, Any], words: str) -> None:
    with pytest.raises(Undeclarable, match=words) as raised:
        declared(document)
    assert "\n" not in str(raised.value)
