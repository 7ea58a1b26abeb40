"""The gate of the directory (section D): what is cleaned, refused, and changed along with a row."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from postroad.routing.checks import remark
from postroad.routing.cleaning import clean_name
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
    Credentials,
    FormerAddress,
    FormerKind,
    IncomingMailbox,
    KeyState,
    Limits,
    Match,
    OAuth2,
    Parameter,
    Protocol,
    Provider,
    Security,
    SigningKey,
    Smarthost,
    row_key,
)
from tests.routing.gates import EXAMPLE, LOGIN, OTHER, SALES, Gate, reason
from tests.routing.mails import START


def tokens(url: str, client_secret: str) -> Credentials:
    how = OAuth2(token_url=url, client_id="c", client_secret=client_secret)
    return Credentials(username="u", secret="env:REFRESH", oauth2=how)


@pytest.mark.parametrize(
    ("entered", "stored"),
    [
        pytest.param("Sales", "sales", id="lower case"),
        pytest.param("Réclamations", "reclamations", id="accents removed"),
        pytest.param("our  sales!team", "our-sales-team", id="runs become one dash"),
        pytest.param("a..b...c", "a.b.c", id="repeated dots become one"),
        pytest.param(".sales.", "sales", id="no dot leads or trails"),
        pytest.param("sales+eu_1-x", "sales+eu_1-x", id="what may stand stays"),
        pytest.param("R&D - Team", "r-d-team", id="a run of dashes too"),
        pytest.param("日本", "-", id="what has no letters of ours"),
        pytest.param("...", "", id="nothing left"),
    ],
)
def test_d3_names_are_cleaned(entered: str, stored: str) -> None:
    assert clean_name(entered) == stored


def test_d3_the_cleaned_name_is_shown() -> None:
    (written,) = Gate(EXAMPLE).propose(Alias(local_part="Vérkauf ", domain="EXAMPLE.com", record_type="lead"))
    assert row_key(written) == "alias/verkauf@example.com"


def test_the_gate_alone_sets_version_and_dates() -> None:
    gate = Gate(EXAMPLE)
    (first,) = gate.propose(SALES)
    (second,) = gate.propose(Alias(local_part="sales", domain="example.com", record_type="deal", version=99))
    assert (first.version, second.version) == (2, 3)
    assert (first.created_at, second.created_at) == (START + timedelta(minutes=2), START + timedelta(minutes=2))
    assert (second.changed_at, second.changed_by) == (START + timedelta(minutes=3), "ann")


def test_what_is_unchanged_writes_nothing() -> None:
    gate = Gate(EXAMPLE, SALES)
    assert gate.propose(SALES) == []
    assert gate.propose(AliasState(alias="sales@example.com", invalid=False)) == []
    assert gate.propose(remove="alias/none@example.com") == []


@pytest.mark.parametrize(
    ("row", "because"),
    [
        pytest.param(Alias(local_part="...", record_type="x"), "needs a name", id="D3 nothing left of the name"),
        pytest.param(
            Alias(local_part="日本", domain="example.com", record_type="x"), "needs a name", id="D3 a dash alone"
        ),
        pytest.param(Alias(local_part="Catchall", domain="example.com", record_type="x"), "catchall", id="D4 catchall"),
        pytest.param(Alias(local_part="bounce", domain="example.com", record_type="x"), "bounce", id="D4 bounce"),
        pytest.param(Alias(local_part="bounce", record_type="x"), "bounce", id="D4 by local part, on every domain"),
        pytest.param(AliasDomain(name="example.com", catchall="sales"), "alias", id="D4 catchall onto an alias"),
        pytest.param(AliasDomain(name="example.com", bounce="anyone"), "alias", id="D4 onto one by local part"),
        pytest.param(Parameter(name="mail.bounce.alias", value="Sales"), "alias", id="D4 by its old name"),
        pytest.param(AliasDomain(name="example.com", bounce="catchall"), "both", id="catchall and bounce alike"),
        pytest.param(AliasDomain(name="not a domain"), "no domain", id="no domain name"),
        pytest.param(
            Parameter(name="mail.catchall.domain", value="other.example"), "there already", id="D5 a taken name"
        ),
        pytest.param(
            Parameter(name="mail.gateway.lop.minutes", value="1"), "mail.gateway.loop.minutes", id="D5 the nearest"
        ),
        pytest.param(Parameter(name="mail.gateway.loop.minutes", value="soon"), "whole number", id="D5 no number"),
        pytest.param(
            Parameter(name="mail.gateway.loop.minutes", value="9" * 20), "from 0 to 52560000", id="D5 beyond a calendar"
        ),
        pytest.param(Parameter(name="mail.gateway.loop.threshold", value="9" * 5000), "from 0 to", id="D5 a long one"),
        pytest.param(Parameter(name="mail.smtp.size", value="0"), "from 1 to", id="D5 a size that refuses all mail"),
        pytest.param(Parameter(name="mail.server.order", value="best"), "doc, code", id="D5 no choice"),
        pytest.param(
            Parameter(name="mail.bounce.blacklist.streams", value="bulk, bluk"), "not 'bluk'", id="D5 no stream"
        ),
        pytest.param(Parameter(name="mail.default.from_filter", value="x.org, a b"), "not 'a b'", id="D5 no domain"),
        pytest.param(
            Alias(local_part="a", domain="example.com", record_type="x", limits=Limits(minutes=10**9)),
            "above 52560000",
            id="D2 limits beyond a calendar",
        ),
        pytest.param(
            Alias(local_part="a", domain="example.com", record_type="x", defaults={"n": 2**64}),
            "defaults.n takes more than 64 bits",
            id="D2 a default that no state can hold",
        ),
        pytest.param(Smarthost(name="s", host="h", rate=2**63), "rate takes more than 64 bits", id="D7 nor a limit"),
        pytest.param(
            IncomingMailbox(name="m", host="h", interval=10**9, credentials=Credentials(username="u", secret="env:S")),
            "at most 604800",
            id="D8 an interval that no clock waits for",
        ),
        pytest.param(
            Parameter(name="mail.catchall.domain.allowed", value=" , ,"), "names no domain", id="D6 none left"
        ),
        pytest.param(Parameter(name="mail.catchall.domain.allowed", value=""), "names no domain", id="D6 empty"),
        pytest.param(Smarthost(name="s", host="h", port=70000), "no port", id="D7 no port"),
        pytest.param(Smarthost(name="s", host=""), "needs a host", id="D7 no host"),
        pytest.param(Smarthost(name="s", host="h", from_filter=("a b",)), "neither", id="D7 no filter entry"),
        pytest.param(
            Smarthost(name="s", host="h", credentials=Credentials(username="u", secret="hunter2")),
            "by reference",
            id="D7 a password as a value",
        ),
        pytest.param(
            IncomingMailbox(name="m", host="h", credentials=Credentials(username="u", secret="hunter2")),
            "by reference",
            id="D8 a password as a value",
        ),
        pytest.param(
            Smarthost(name="s", host="h", credentials=tokens("https://id.example.com/token", "hunter2")),
            "by reference",
            id="D7 a client secret as a value",
        ),
        pytest.param(
            Smarthost(name="s", host="h", credentials=tokens("http://id.example.com/token", "env:S")),
            "from an https address",
            id="D7 tokens over plain http",
        ),
        pytest.param(SigningKey(key_id="long", secret="env:K"), "key id", id="a key id of four letters"),
        pytest.param(AliasState(alias="none@example.com", invalid=True), "no alias", id="the flag of no alias"),
        pytest.param(
            FormerAddress(address="sales@example.com", kind=FormerKind.ALIAS, since=START),
            "in use",
            id="D4 a living address is not former",
        ),
        pytest.param(None, "needs a row", id="an empty proposal"),
    ],
)
def test_refused_with_the_reason_and_nothing_changes(row: Any, because: str) -> None:
    gate = Gate(EXAMPLE, OTHER, SALES, Alias(local_part="anyone", record_type="x"))
    before = gate.state.version
    written = gate.propose(row)
    assert because in reason(written)
    assert "hunter2" not in reason(written)
    assert gate.state.version == before


def test_d5_parameters_that_are_fields_of_the_default_domain() -> None:
    gate = Gate(EXAMPLE, OTHER)
    written = gate.propose(Parameter(name="mail.catchall.alias", value="Replies"))
    assert [(row_key(row), getattr(row, "catchall", "")) for row in written if isinstance(row, AliasDomain)] == [
        ("domain/example.com", "replies")
    ]
    assert gate.views.directory.setting("mail.catchall.alias") == "replies"
    assert gate.views.directory.catchall_address("other.example") == "catchall@other.example"


def test_d5_the_first_domain_by_its_old_name() -> None:
    gate = Gate()
    assert "no alias domain" in reason(gate.propose(Parameter(name="mail.bounce.alias", value="b")))
    (domain,) = gate.propose(Parameter(name="mail.catchall.domain", value="Example.COM"))
    assert (domain.name, domain.default) == ("example.com", True)


def test_d1_one_domain_is_the_default() -> None:
    gate = Gate(AliasDomain(name="one.example"), AliasDomain(name="two.example"))
    assert [d.name for d in gate.views.directory.domains() if d.default] == ["one.example"]
    gate.propose(AliasDomain(name="two.example", default=True))
    assert [d.name for d in gate.views.directory.domains() if d.default] == ["two.example"]
    assert "default" in reason(gate.propose(remove="domain/two.example"))


def test_d6_a_list_is_cleaned() -> None:
    (row,) = Gate(EXAMPLE).propose(
        Parameter(name="mail.catchall.domain.allowed", value=" Gmail.com, ,bücher.example,gmail.com")
    )
    assert row.value == "gmail.com,xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("rows", "alias", "words"),
    [
        pytest.param((EXAMPLE,), Alias(local_part="a", domain="example.com"), "", id="its domain is declared"),
        pytest.param(
            (EXAMPLE,),
            Alias(local_part="a", domain="outside.example"),
            "domain outside.example is not declared, answers are sent in the name of example.com: "
            "`postroad domain add outside.example`, if it is yours",
            id="its domain is not",
        ),
        pytest.param(
            (),
            Alias(local_part="a", domain="example.com"),
            "domain example.com is not declared: `postroad domain add example.com`, if it is yours",
            id="none is",
        ),
        pytest.param((EXAMPLE,), Alias(local_part="a"), "", id="it has none"),
        pytest.param(
            (EXAMPLE,), Alias(local_part="a", domain="gmail.com", match=Match.LOCAL), "", id="R13: it matches on any"
        ),
    ],
)
def test_d1_an_alias_on_a_domain_that_is_not_declared_is_remarked_and_stands(
    rows: tuple[Any, ...], alias: Alias, words: str
) -> None:
    gate = Gate(*rows)
    assert remark(alias, gate.views.directory) == words
    (written,) = gate.propose(msgspec.structs.replace(alias, record_type="x"))
    assert isinstance(written, Alias)


def test_d7_says_whose_server_it_seems_to_be_and_declares_nothing() -> None:
    """B1."""
    row = Smarthost(name="out", host="smtp.postmarkapp.com")
    (declared,) = Gate(EXAMPLE).propose(row)
    assert declared.provider is None
    directory = Gate(EXAMPLE).views.directory
    assert "(--provider postmark)" in remark(row, directory)
    assert remark(msgspec.structs.replace(row, provider=Provider.POSTMARK), directory) == ""
    assert remark(msgspec.structs.replace(row, host="smtp.example.net"), directory) == ""


def test_d6_says_when_no_alias_matches_by_local_part() -> None:
    row = Parameter(name="mail.catchall.domain.allowed", value="gmail.com")
    assert "there is none" in remark(row, Gate(EXAMPLE, SALES).views.directory)
    local = Alias(local_part="commercial", record_type="lead", match=Match.LOCAL)
    assert remark(row, Gate(EXAMPLE, local).views.directory) == ""


@pytest.mark.parametrize(
    ("security", "port"), [(Security.NONE, 25), (Security.STARTTLS, 587), (Security.TLS, 465)], ids=str
)
def test_d7_default_ports(security: Security, port: int) -> None:
    (row,) = Gate().propose(Smarthost(name="s", host="h", security=security))
    assert row.port == port


def test_d7_a_platform_may_forbid_port_25() -> None:
    gate = Gate(Parameter(name="mail.server.port_25", value="forbid"))
    said = reason(gate.propose(Smarthost(name="s", host="h")))
    assert all(port in said for port in ("465", "587", "2525"))
    assert len(gate.propose(Smarthost(name="s", host="h", port=2525))) == 1


def test_d7_a_filter_is_cleaned() -> None:
    (row,) = Gate().propose(
        Smarthost(name="s", host="h", from_filter=(" Ann@Example.com , EXAMPLE.com", "example.com"))
    )
    assert row.from_filter == ("ann@example.com", "example.com")


@pytest.mark.parametrize(
    ("protocol", "security", "port"),
    [
        (Protocol.IMAP, Security.STARTTLS, 143),
        (Protocol.IMAP, Security.TLS, 993),
        (Protocol.POP3, Security.NONE, 110),
        (Protocol.POP3, Security.TLS, 995),
    ],
    ids=str,
)
def test_d8_default_ports(protocol: Protocol, security: Security, port: int) -> None:
    (row,) = Gate().propose(
        IncomingMailbox(name="m", host="h", protocol=protocol, security=security, credentials=LOGIN)
    )
    assert row.port == port


@pytest.mark.parametrize(
    ("remove", "because"),
    [
        pytest.param("domain/example.com", "still has aliases", id="a domain with aliases"),
        pytest.param("parameter/mail.bounce.alias", "field of the default", id="a field of the domain"),
    ],
)
def test_what_cannot_be_removed(remove: str, because: str) -> None:
    assert because in reason(Gate(EXAMPLE, SALES).propose(remove=remove))


@pytest.mark.parametrize(
    ("row", "renamed", "now"),
    [
        pytest.param(
            Alias(local_part="deals", domain="example.com", record_type="lead"),
            "alias/sales@example.com",
            "deals@example.com",
            id="an alias",
        ),
        pytest.param(AliasDomain(name="new.example"), "domain/example.com", "sales@new.example", id="its domain"),
    ],
)
def test_d2_a_renamed_alias_stays_flagged(row: Any, renamed: str, now: str) -> None:
    gate = Gate(EXAMPLE, SALES, AliasState(alias="sales@example.com", invalid=True, reason="rejected"))
    gate.propose(row, renamed)
    flags = [(flag.alias, flag.invalid) for flag in gate.views.directory.rows("alias_state")]  # type: ignore[attr-defined]
    assert flags == [(now, True)]


def test_one_key_mints() -> None:
    gate = Gate(SigningKey(key_id="a", secret="env:A"))
    gate.propose(SigningKey(key_id="b", secret="env:B"))
    states = {row.key_id: row.state for row in gate.views.directory.rows("signing_key") if isinstance(row, SigningKey)}
    assert states == {"a": KeyState.ACCEPTED, "b": KeyState.CURRENT}
