"""Who an address of ours is (D1, D2, D4, D9, R13, R15)."""

from datetime import UTC, datetime, timedelta

import pytest

from postroad.views.directory import Directory, Kind
from postroad.views.parameters import SETTINGS, listed
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    FormerAddress,
    FormerKind,
    FormerPolicy,
    Match,
    Parameter,
    Smarthost,
    row_key,
)
from postroad_schemas.event import Row

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def directory(*more: Row) -> Directory:
    made = Directory()
    rows = (
        AliasDomain(name="example.com", default=True, redirects=("info@isp.example",)),
        AliasDomain(name="other.example", catchall="replies", default_from="hello@corp.example"),
        Alias(local_part="sales", domain="example.com", record_type="lead"),
        Alias(local_part="r+d", domain="example.com", record_type="idea"),
        Alias(local_part="off", domain="example.com", record_type="x", active=False),
        Alias(local_part="commercial", record_type="lead", match=Match.LOCAL),
        FormerAddress(address="old@example.com", kind=FormerKind.CATCHALL, now="catchall@example.com", since=AT),
        *more,
    )
    for row in rows:
        made.apply(row_key(row), row)
    return made


@pytest.mark.parametrize(
    ("address", "kind", "base", "token"),
    [
        pytest.param("catchall@example.com", Kind.CATCHALL, "catchall@example.com", "", id="catchall"),
        pytest.param("catchall+x@example.com", Kind.CATCHALL, "catchall@example.com", "x", id="with a token"),
        pytest.param("replies@other.example", Kind.CATCHALL, "replies@other.example", "", id="another domain's"),
        pytest.param("info@isp.example", Kind.CATCHALL, "info@isp.example", "", id="D1 redirected to it"),
        pytest.param("bounce+a+b@example.com", Kind.BOUNCE, "bounce@example.com", "a+b", id="a token with a plus"),
        pytest.param(
            "notifications@example.com", Kind.DEFAULT_FROM, "notifications@example.com", "", id="default From"
        ),
        pytest.param("hello@corp.example", Kind.DEFAULT_FROM, "hello@corp.example", "", id="a complete default From"),
        pytest.param("sales+t@example.com", Kind.ALIAS, "sales@example.com", "t", id="an alias with a token"),
        pytest.param("r+d@example.com", Kind.ALIAS, "r+d@example.com", "", id="an alias with a plus, as it stands"),
        pytest.param("r+d+t@example.com", Kind.ALIAS, "r+d@example.com", "t", id="and with a token"),
        pytest.param("commercial@gmail.com", Kind.ALIAS, "commercial@gmail.com", "", id="R13 by the local part"),
        pytest.param("old@example.com", Kind.CATCHALL, "old@example.com", "", id="D9 a former address"),
        pytest.param("abuse@example.com", Kind.OPERATOR, "abuse@example.com", "", id="I5 abuse"),
    ],
)
def test_who_an_address_is(address: str, kind: Kind, base: str, token: str) -> None:
    found = directory().ours(address)
    assert found is not None
    assert (found.kind, found.address, found.token) == (kind, base, token)


@pytest.mark.parametrize(
    "address", ["", "sales@other.example", "bob@example.org", "off@example.com", "abuse@example.org", "+x@example.com"]
)
def test_who_is_a_stranger(address: str) -> None:
    assert directory().ours(address) is None


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("catchall@example.com", True),
        ("sales+x@example.com", True),
        ("hello@corp.example", True),
        ("old@example.com", True),
        ("commercial@example.com", True),
        ("commercial@gmail.com", False),
        ("postmaster@example.com", False),
        ("bob@example.org", False),
        ("", False),
    ],
)
def test_r15_which_addresses_nobody_writes_from(address: str, own: bool) -> None:
    assert directory().own(address) is own


def test_r15_a_listed_domain_is_ours_by_local_part() -> None:
    allowed = Parameter(name="mail.catchall.domain.allowed", value="gmail.com")
    assert directory(allowed).own("commercial@gmail.com")


@pytest.mark.parametrize(
    ("policy", "after", "refused"),
    [
        pytest.param(FormerPolicy.ACCEPT, None, False, id="accepted"),
        pytest.param(FormerPolicy.WARN, AT, False, id="accepted with a warning"),
        pytest.param(FormerPolicy.REFUSE, None, True, id="refused at once"),
        pytest.param(FormerPolicy.REFUSE, AT, False, id="exactly at its date it still is"),
        pytest.param(FormerPolicy.REFUSE, AT - timedelta(seconds=1), True, id="after its date"),
    ],
)
def test_d9_when_a_former_address_is_refused(policy: FormerPolicy, after: datetime | None, refused: bool) -> None:
    row = FormerAddress(address="x@example.com", kind=FormerKind.ALIAS, since=AT, policy=policy, refuse_after=after)
    assert directory().refused_now(row, AT) is refused


@pytest.mark.parametrize(
    ("name", "called"),
    [
        pytest.param("sales@example.com", ["sales@example.com"], id="as it is called"),
        pytest.param("commercial@", ["commercial@"], id="by local part alone"),
        pytest.param("off@example.com", ["off@example.com"], id="an inactive one"),
        pytest.param("verkauf@example.com", ["sales@example.com"], id="D9 renamed since"),
        pytest.param("gone@example.com", [], id="removed since"),
        pytest.param("commercial@stranger.example", [], id="an address is no name"),
        pytest.param("", [], id="none"),
    ],
)
def test_how_an_alias_is_called_now(name: str, called: list[str]) -> None:
    found = directory(
        FormerAddress(address="verkauf@example.com", kind=FormerKind.ALIAS, now="sales@example.com", since=AT),
        FormerAddress(address="gone@example.com", kind=FormerKind.ALIAS, since=AT),
    )
    assert [f"{alias.local_part}@{alias.domain}" for alias in found.called(name)] == called


def test_local_aliases_follow_their_rows() -> None:
    made = directory()
    assert [alias.local_part for alias in made.local_aliases("commercial")] == ["commercial"]
    made.apply("alias/commercial@", None)
    assert made.local_aliases("commercial") == ()
    assert made.ours("commercial@gmail.com") is None


def test_keys_of_one_kind() -> None:
    assert directory().keys("former") == ("former/old@example.com",)
    assert directory().keys("nothing") == ()
    assert len(directory().keys()) == 7


def test_o1_servers_by_priority_then_age_then_name() -> None:
    servers = (
        Smarthost(name="c", host="h", created_at=AT),
        Smarthost(name="b", host="h", created_at=AT),
        Smarthost(name="a", host="h", created_at=AT + timedelta(1)),
        Smarthost(name="first", host="h", priority=1, created_at=AT + timedelta(2)),
        Smarthost(name="idle", host="h", active=False),
    )
    assert [server.name for server in directory(*servers).smarthosts()] == ["first", "b", "c", "a"]


@pytest.mark.parametrize(
    ("name", "value", "fine"),
    [
        ("mail.gateway.loop.minutes", "0", True),
        ("mail.gateway.loop.minutes", "-1", False),
        ("mail.gateway.loop.minutes", "٣", False),
        ("mail.gateway.loop.shadow", "yes", False),
        ("mail.gateway.loop.scope", "type", True),
        ("mail.gateway.loop.scope", "thread", False),
        ("mail.gateway.allowed", "", True),
        ("mail.links.base", "", True),
        ("mail.links.base", "https://mail.example.com", True),
        ("mail.links.base", "https://mail.example.com:8443/post/", True),
        ("mail.links.base", "http://mail.example.com", False),
        ("mail.links.base", "mail.example.com", False),
        ("mail.links.base", "https://", False),
        ("mail.links.base", "https://mail.example.com/?a=b", False),
        ("mail.links.base", "https://user@mail.example.com", False),
        ("mail.links.base", "https://mail.example.com>, <x", False),
        ("mail.links.base", "https://mail.example.com\n", False),
    ],
)
def test_d5_what_a_setting_may_be(name: str, value: str, fine: bool) -> None:
    assert (SETTINGS[name].fault(value) == "") is fine


def test_d5_every_default_may_stand() -> None:
    assert [setting.fault(setting.default) for setting in SETTINGS.values() if setting.fault(setting.default)] == []


def test_d6_lists() -> None:
    assert listed(" A.example , ,b.example,") == ("a.example", "b.example")
