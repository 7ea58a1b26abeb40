"""From and envelope as they go out (O2-O4), and which server is chosen (O1)."""

from typing import Any

import pytest

from tests.support.scenario import Sent, Story

OWN, OTHER = {"from_filter": "example.com"}, {"from_filter": "customer.example"}


def sent(story: Story, *servers: dict[str, Any], sender: str = "anna@example.com", **more: Any) -> Sent:
    story.apply(smarthost=[{"name": f"s{n}", "host": f"s{n}.example", **one} for n, one in enumerate(servers)])
    story.submit("carl@example.net", sender, stream="chatter", **more)
    return story.sent()[-1]


@pytest.mark.parametrize(
    ("sender", "server", "shown"),
    [
        pytest.param("anna@example.com", OWN, "anna@example.com", id="covered: unchanged"),
        pytest.param("eve@customer.example", OWN, "eve <notifications@example.com>", id="not covered"),
        pytest.param("eve@customer.example", {}, "eve <notifications@example.com>", id="server without filter"),
        pytest.param("eve@sub.example.com", OWN, "eve <notifications@example.com>", id="no sub-domains"),
        pytest.param("ANNA@EXAMPLE.COM", OWN, "ANNA@example.com", id="compared without case"),
        pytest.param("notifications@example.com", {}, "notifications@example.com", id="not wrapped twice"),
        pytest.param("sales@example.com", {}, "sales@example.com", id="an alias of ours, no filter"),
        pytest.param("catchall@example.com", {}, "catchall@example.com", id="catchall, no filter"),
        pytest.param("", OWN, "notifications@example.com", id="no usable author: the default From"),
    ],
)
def test_from(story: Story, sender: str, server: dict[str, str], shown: str) -> None:
    assert sent(story, server, sender=sender)["From"] == shown


@pytest.mark.parametrize("name", ["Ève Châtelain", 'Eve "the customer" Client', "Client, Eve", "eve@example.com"])
def test_the_display_name_is_kept(story: Story, name: str) -> None:
    more: dict[str, Any] = {"from": {"address": "eve@customer.example", "name": name}}
    story.submit("carl@example.net", stream="chatter", **more)
    (address,) = story.sent()[-1].message["From"].addresses
    assert (address.display_name, address.addr_spec) == (name, "notifications@example.com")


def test_kept_on_a_server_without_filter_if_so_set(story: Story) -> None:
    story.set("mail.server.no_filter.from", "keep")
    assert sent(story, {}, sender="eve@customer.example")["From"] == "eve@customer.example"


def test_without_default_from_it_is_unchanged(story: Story) -> None:
    story.set("mail.default.from", "")
    assert sent(story, OWN, sender="eve@customer.example")["From"] == "eve@customer.example"


def test_a_complete_default_from_is_used_as_it_is(story: Story) -> None:
    story.set("mail.default.from", "robot@other.example")
    assert sent(story, {}, sender="eve@customer.example")["From"] == "eve <robot@other.example>"


def test_the_records_company_decides_the_default_from(story: Story) -> None:
    story.apply(domain=[{"name": "second.example"}])
    one = sent(story, {}, sender="eve@customer.example", domain="second.example")
    assert one["From"] == "eve <notifications@second.example>"
    assert one.mail_from.endswith("@second.example")


@pytest.mark.parametrize(
    ("server", "envelope"),
    [
        pytest.param({}, "bounce+", id="no filter: the bounce address"),
        pytest.param(OWN, "bounce+", id="covered: the bounce address"),
        pytest.param({"from_filter": "anna@example.com"}, "anna@example.com", id="not covered: From"),
    ],
)
def test_the_envelope_sender(story: Story, server: dict[str, str], envelope: str) -> None:
    assert sent(story, server).mail_from.startswith(envelope)


BOTH = ("doc", "code")


@pytest.mark.parametrize(
    ("orders", "servers", "chosen", "step"),
    [
        pytest.param(BOTH, [OWN, {"from_filter": "anna@example.com"}], "s1", "from address", id="the address"),
        pytest.param(BOTH, [{}, OWN], "s1", "from domain", id="its domain"),
        pytest.param(BOTH, [{**OWN, "priority": 20}, {**OWN, "priority": 5}], "s1", "from domain", id="priority"),
        pytest.param(BOTH, [OTHER, {**OTHER, "priority": 1}], "s1", "priority", id="nothing fits: the first"),
        pytest.param(BOTH, [{**OWN, "active": False}, {}], "s1", "no filter", id="inactive ones never"),
        pytest.param(BOTH, [{**OWN, "streams": "bulk"}, {}], "s1", "no filter", id="limited to other streams"),
    ],
)
def test_which_server(story: Story, orders: tuple[str, ...], servers: list[Any], chosen: str, step: str) -> None:
    for order in orders:
        story.set("mail.server.order", order)
        one = sent(story, *servers)
        assert (one.server, one.step) == (chosen, step)


@pytest.mark.parametrize(
    ("order", "step"), [pytest.param("doc", "no filter", id="doc"), pytest.param("code", "default domain", id="code")]
)
@pytest.mark.parametrize("first", [0, 1])
def test_servers_without_filter_before_the_default_from_or_after(
    story: Story, order: str, step: str, first: int
) -> None:
    story.set("mail.server.order", order)
    servers = [{}, OWN] if first else [OWN, {}]
    one = sent(story, *servers, sender="eve@customer.example")
    assert one.step == step


def test_no_server_declared_is_the_built_in_one_with_its_filter(story: Story) -> None:
    story.submit("carl@example.net", "eve@customer.example", stream="chatter")
    story.set("mail.default.from_filter", "customer.example")
    story.submit("carl@example.net", "eve@customer.example", stream="chatter")
    one, two = story.sent()
    assert one.server == two.server == "default"
    assert (one["From"], two["From"]) == ("eve <notifications@example.com>", "eve@customer.example")
