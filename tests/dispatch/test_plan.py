"""O2-O6, O9: From, envelope sender, built-in and dedicated servers, and what is not tried at all."""

from typing import Any

import pytest

from postroad.dispatch.attempt import Plan
from postroad.dispatch.plan import Unsendable, plan
from postroad.mail.return_path import notification_of
from postroad.views import Views
from postroad_schemas.address import AddressBlacklisted, ListLeft
from postroad_schemas.directory import Alias, AliasDomain, Provider, Smarthost
from postroad_schemas.event import notification_id
from postroad_schemas.outbound import Header
from postroad_schemas.values import FailureType, Mailbox, Stream
from tests.dispatch.made import AT, DOMAIN, KEY, RELAY, parameter, submitted, views_of

OPEN = Smarthost(name="open", host="open.test")
OURS = Smarthost(name="ours", host="ours.test", from_filter=("example.com",))
THEIRS = Smarthost(name="theirs", host="theirs.test", from_filter=("mary@example.net",))
POSTMARK = Smarthost(name="pm", host="smtp.test", provider=Provider.POSTMARK)
METADATA = ["X-PM-Metadata-postroad", "X-PM-Metadata-message_id"]
KEEP = parameter("mail.server.no_filter.from", "keep")
NO_DEFAULT = AliasDomain(name="example.com", default_from="")
SALES = Alias(local_part="sales", domain="example.com", record_type="lead")
MARY = Mailbox(address="mary@example.net", name="Mary")
WRAPPED = Mailbox(address="notifications@example.com", name="Mary")


def planned(views: Views, **fields: Any) -> Plan:
    found = plan(submitted(**fields), views, RELAY)
    assert isinstance(found, Plan)
    return found


def refused(views: Views, **fields: Any) -> Unsendable:
    found = plan(submitted(**fields), views, RELAY)
    assert isinstance(found, Unsendable)
    return found


@pytest.mark.parametrize(
    ("rows", "from_", "after"),
    [
        pytest.param((DOMAIN, THEIRS), MARY, MARY, id="covered by the filter: unchanged"),
        pytest.param((DOMAIN, OURS), MARY, WRAPPED, id="not covered: encapsulated under the display name"),
        pytest.param(
            (DOMAIN, OURS),
            Mailbox(address="mary@example.net"),
            Mailbox(address="notifications@example.com", name="mary"),
            id="no display name: the old local part",
        ),
        pytest.param(
            (DOMAIN, OURS),
            Mailbox(address="m@example.net", name='Müller, "Mary" <x@y>'),
            Mailbox(address="notifications@example.com", name='Müller, "Mary" <x@y>'),
            id="quotes and letters of the name stay",
        ),
        pytest.param((DOMAIN, OPEN), MARY, WRAPPED, id="no filter: encapsulated too"),
        pytest.param((DOMAIN, OPEN, KEEP), MARY, MARY, id="no filter, setting keep"),
        pytest.param((DOMAIN, OURS, KEEP), MARY, WRAPPED, id="keep is for servers without filter alone"),
        pytest.param((NO_DEFAULT, OPEN), MARY, MARY, id="no default From: unchanged"),
        pytest.param(
            (DOMAIN, OPEN),
            Mailbox(address="Notifications@Example.com", name="Shop"),
            Mailbox(address="Notifications@example.com", name="Shop"),
            id="already the default address: not wrapped twice",
        ),
        *(
            pytest.param(
                (DOMAIN, OPEN, SALES),
                Mailbox(address=f"{local}@example.com"),
                Mailbox(address=f"{local}@example.com"),
                id=f"our own {local}: never encapsulated by a server without filter",
            )
            for local in ("bounce", "catchall", "sales")
        ),
        pytest.param(
            (DOMAIN, THEIRS, SALES),
            Mailbox(address="sales@example.com", name="Sales"),
            Mailbox(address="notifications@example.com", name="Sales"),
            id="our own address, but the filter does not cover it",
        ),
        pytest.param(
            (DOMAIN, OPEN),
            Mailbox(address="no address", name="Mary"),
            Mailbox(address="notifications@example.com", name="Mary"),
            id="no usable author: the default From",
        ),
        pytest.param(
            (DOMAIN, OURS),
            Mailbox(address='"mary ann"@example.com'),
            Mailbox(address='"mary ann"@example.com'),
            id="a quoted local part with a space (RFC 5321 4.1.2)",
        ),
        pytest.param((DOMAIN, OPEN), None, Mailbox(address="notifications@example.com"), id="no author at all"),
        pytest.param(
            (AliasDomain(name="example.com", default_from="office@elsewhere.test"), OPEN),
            MARY,
            Mailbox(address="office@elsewhere.test", name="Mary"),
            id="O3: a complete default From stands as it is",
        ),
    ],
)
def test_from_goes_out(rows: tuple[Any, ...], from_: Mailbox | None, after: Mailbox) -> None:
    assert planned(views_of(*rows), from_=from_).from_after == after


def test_a_notice_is_never_encapsulated_and_has_the_null_reverse_path() -> None:
    """L8."""
    daemon = Mailbox(address="bounce@example.com", name="MAILER-DAEMON")
    found = planned(views_of(DOMAIN, THEIRS), from_=daemon, stream=Stream.NOTICE, null_reverse_path=True)
    assert (found.from_after, found.envelope_from) == (daemon, "")


def test_the_records_company_decides_the_default_from() -> None:
    """O3."""
    other = AliasDomain(name="other.test", default_from="hello", bounce="returns")
    found = planned(views_of(DOMAIN, other, OPEN), domain="other.test")
    assert found.from_after.address == "hello@other.test"
    assert found.envelope_from == "returns@other.test"


@pytest.mark.parametrize(
    ("rows", "envelope_from"),
    [
        pytest.param((DOMAIN, OPEN), "bounce@example.com", id="no filter: the bounce address"),
        pytest.param((DOMAIN, OURS), "bounce@example.com", id="the filter covers the bounce address"),
        pytest.param((DOMAIN, THEIRS), "mary@example.net", id="it does not: From"),
        pytest.param(
            (DOMAIN, Smarthost(name="s", host="s", from_filter=("notifications@example.com",))),
            "notifications@example.com",
            id="it does not: From as encapsulated",
        ),
        pytest.param((OPEN,), "mary@example.net", id="no domain, so no bounce address: From"),
    ],
)
def test_the_envelope_sender_is(rows: tuple[Any, ...], envelope_from: str) -> None:
    """O4, here without a signing key."""
    assert planned(views_of(*rows)).envelope_from == envelope_from


def test_the_return_path_says_whose_message_it_is() -> None:
    """F5: bounce+token@, one per recipient."""
    views = views_of(DOMAIN, OPEN, KEY)
    local, _, domain = planned(views, recipient="Bob@Example.org").envelope_from.rpartition("@")
    base, _, token = local.partition("+")
    assert (base, domain) == ("bounce", "example.com")
    assert notification_of(views.keys, token) == notification_id("<1@example.com>", "bob@example.org")
    assert len(local) <= 64


@pytest.mark.parametrize(
    ("rows", "fields", "names"),
    [
        pytest.param((DOMAIN, KEY, POSTMARK), {}, [*METADATA, "X-PM-KeepID"], id="declared"),
        pytest.param((DOMAIN, KEY, OPEN), {}, [], id="not declared: nothing is guessed from a name"),
        pytest.param((DOMAIN, POSTMARK), {}, [], id="without a signing key there is nothing to prove with"),
        pytest.param(
            (DOMAIN, KEY, POSTMARK),
            {"headers": (Header(name="x-pm-keepid", value="false"),)},
            METADATA,
            id="the app has written that field",
        ),
        pytest.param(
            (DOMAIN, KEY, POSTMARK), {"null_reverse_path": True}, [*METADATA, "X-PM-KeepID"], id="a notice too"
        ),
    ],
)
def test_the_provider_is_told_which_message_it_is(
    rows: tuple[Any, ...], fields: dict[str, Any], names: list[str]
) -> None:
    """B1. The token is that of the return path, whatever the provider makes of it."""
    views = views_of(*rows)
    found = planned(views, **fields)
    assert [header.name for header in found.told] == names
    if names:
        assert notification_of(views.keys, found.told[0].value) == notification_id("<1@example.com>", "bob@example.org")


def test_a_return_path_too_long_for_its_token_goes_without() -> None:
    local = "b" * 40
    views = views_of(AliasDomain(name="example.com", bounce=local), OPEN, KEY)
    assert planned(views).envelope_from == f"{local}@example.com"


def test_without_any_server_the_relay_is_used() -> None:
    """O5."""
    views = views_of(DOMAIN, parameter("mail.default.from_filter", "example.com"))
    found = planned(views)
    assert (found.server.name, found.server.host, found.built_in) == ("default", "relay.test", True)
    assert (found.server.from_filter, found.server.daily_limit) == (("example.com",), 200)
    assert found.from_after == WRAPPED


def test_declared_servers_that_cannot_be_used_are_not_replaced_by_the_relay() -> None:
    views = views_of(DOMAIN, Smarthost(name="s", host="s", active=False))
    assert refused(views).failure is FailureType.CONFIGURATION


@pytest.mark.parametrize(
    ("rows", "server", "outcome"),
    [
        pytest.param((OPEN, OURS), "ours", "dedicated", id="used as given"),
        pytest.param((OPEN,), "ours", FailureType.CONFIGURATION, id="missing"),
        pytest.param(
            (OPEN, Smarthost(name="ours", host="x", active=False)), "ours", FailureType.CONFIGURATION, id="inactive"
        ),
    ],
)
def test_a_dedicated_server(rows: tuple[Any, ...], server: str, outcome: str | FailureType) -> None:
    """O6: From untouched."""
    found = plan(submitted(stream=Stream.BULK, server=server), views_of(DOMAIN, *rows), RELAY)
    if isinstance(found, Unsendable):
        assert found.failure is outcome
    else:
        assert (found.rule, found.server.name, found.from_after) == (outcome, server, MARY)


@pytest.mark.parametrize(
    ("rows", "fields", "failure"),
    [
        pytest.param((DOMAIN,), {"recipient": " "}, FailureType.ADDRESS_MISSING, id="recipient missing"),
        *(
            pytest.param((DOMAIN,), {"recipient": address}, FailureType.ADDRESS_INVALID, id=f"recipient {address!r}")
            for address in ("bob", "bob@", "@x.org", "a b@x", "bob@x..org", "a@b.c>\r\nRCPT TO:<d@e.f", "a\x00@b.c")
        ),
        pytest.param((DOMAIN,), {"recipient": "b" * 65 + "@x.org"}, FailureType.ADDRESS_INVALID, id="over 64 octets"),
        pytest.param((), {"from_": None}, FailureType.SENDER_MISSING, id="no From, no default From"),
        pytest.param(
            (), {"from_": Mailbox(address="mary")}, FailureType.SENDER_INVALID, id="From is no address, no default From"
        ),
    ],
)
def test_is_not_tried(rows: tuple[Any, ...], fields: dict[str, Any], failure: FailureType) -> None:
    """O9."""
    assert refused(views_of(*rows), **fields).failure is failure


BLACKLISTED = (
    "bob@example.org",
    AddressBlacklisted(event_id="e", occurred_at=AT, trace_id="t", address="b", rule="B4"),
)
LEFT = ("bob@example.org news", ListLeft(event_id="e", occurred_at=AT, trace_id="t", address="b", list_name="news"))
CHATTER_TOO = parameter("mail.blacklist.chatter", "true")


@pytest.mark.parametrize(
    ("suppression", "rows", "fields", "failure"),
    [
        pytest.param(BLACKLISTED, (), {"stream": Stream.BULK}, FailureType.BLACKLISTED, id="O6: bulk to a blacklisted"),
        pytest.param(BLACKLISTED, (), {"stream": Stream.CHATTER}, None, id="O7: chatter is still sent"),
        pytest.param(
            BLACKLISTED, (CHATTER_TOO,), {"stream": Stream.CHATTER}, FailureType.BLACKLISTED, id="O7: the setting"
        ),
        pytest.param(BLACKLISTED, (CHATTER_TOO,), {"stream": Stream.NOTICE}, None, id="a notice is neither"),
        pytest.param(
            LEFT, (), {"stream": Stream.BULK, "mailing": "news"}, FailureType.OPTED_OUT, id="left the mailing"
        ),
        pytest.param(
            LEFT,
            (),
            {"stream": Stream.BULK, "headers": (Header(name="List-Id", value="News <news>"),)},
            FailureType.OPTED_OUT,
            id="left the list of List-Id",
        ),
        pytest.param(
            LEFT,
            (),
            {"stream": Stream.BULK, "mailing": "news-7", "list_name": "news"},
            FailureType.OPTED_OUT,
            id="left the list, by its name",
        ),
        pytest.param(LEFT, (), {"stream": Stream.BULK, "mailing": "other"}, None, id="left another list"),
        pytest.param(LEFT, (), {"mailing": "news"}, None, id="leaving a list does not silence chatter"),
    ],
)
def test_is_skipped(
    suppression: tuple[str, Any], rows: tuple[Any, ...], fields: dict[str, Any], failure: FailureType | None
) -> None:
    views = views_of(DOMAIN, *rows, suppressions=(suppression,))
    found = plan(submitted(recipient="Bob@Example.org", **fields), views, RELAY)
    assert (found.failure if isinstance(found, Unsendable) else None) is failure


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        pytest.param({"recipient": "jürgen@example.org"}, True, id="a non-ASCII local part"),
        pytest.param({"recipient": "j@exämple.org"}, False, id="a non-ASCII domain has its IDNA form"),
        pytest.param({"from_": Mailbox(address="j@example.net", name="Jürgen")}, False, id="a name is encoded"),
        pytest.param({"reply_to": Mailbox(address="jürgen@example.org")}, True, id="in Reply-To"),
    ],
)
def test_smtputf8_is_needed_for(fields: dict[str, Any], needed: bool) -> None:
    """O9, RFC 6531."""
    assert planned(views_of(DOMAIN, OPEN), **fields).smtputf8 is needed
