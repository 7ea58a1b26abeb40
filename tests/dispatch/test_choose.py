"""O1: which server."""

from datetime import timedelta
from typing import Any

import pytest

from postroad.dispatch.choose import choose, covers, serving
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Stream
from tests.dispatch.made import AT, views_of

DEFAULT = "notifications@example.com"


def server(name: str, *filters: str, **fields: Any) -> Smarthost:
    return Smarthost(name=name, host=f"{name}.test", from_filter=filters, **fields)


ALL = (
    server("first", "other.test", priority=1),
    server("default domain", "example.com", priority=2),
    server("default address", "notifications@example.com", priority=3),
    server("open", priority=4),
    server("domain", "example.net", priority=5),
    server("address", "mary@example.net", priority=6),
)


@pytest.mark.parametrize(
    ("left_out", "doc", "code"),
    [
        pytest.param(0, "address", "address", id="the filter equals the From address"),
        pytest.param(1, "domain", "domain", id="it equals the From domain"),
        pytest.param(2, "open", "default address", id="no filter before the default From, or after it"),
        pytest.param(3, "default address", "default address", id="the default From address"),
        pytest.param(4, "default domain", "default domain", id="the default From domain"),
        pytest.param(5, "first", "first", id="the first by priority"),
    ],
)
def test_takes_the_first_step_that_matches(left_out: int, doc: str, code: str) -> None:
    servers = ALL[: len(ALL) - left_out]
    for order, wanted in (("doc", doc), ("code", code)):
        choice = choose(serving(servers, Stream.CHATTER), "mary@example.net", DEFAULT, order)
        assert choice is not None
        assert choice.server.name == wanted


def test_the_code_takes_servers_without_filter_after_the_default_from() -> None:
    for servers, wanted in ((ALL[1:4], "default address"), (ALL[1:2] + ALL[3:4], "default domain"), (ALL[3:4], "open")):
        choice = choose(serving(servers, Stream.CHATTER), "mary@example.net", DEFAULT, "code")
        assert choice is not None
        assert choice.server.name == wanted


@pytest.mark.parametrize(
    ("sender", "rule"),
    [
        pytest.param("MARY@EXAMPLE.NET", "from address", id="case does not matter"),
        pytest.param("ann@example.net", "from domain", id="another address of the domain"),
        pytest.param("ann@sub.example.net", "no filter", id="a sub-domain is another domain"),
        pytest.param("notmary@example.net.test", "no filter", id="nor is anything that merely contains it"),
        pytest.param("", "from address", id="no usable author: the default From is chosen for, as if it were From"),
    ],
)
def test_compares_addresses_and_domains_whole(sender: str, rule: str) -> None:
    servers = (*ALL[2:], server("mixed case", "Example.NET"))
    choice = choose(serving(servers, Stream.CHATTER), sender, DEFAULT)
    assert choice is not None
    assert choice.rule == rule


@pytest.mark.parametrize(
    ("filters", "address", "covered"),
    [
        pytest.param(("a@x.test", " X.org "), "b@x.org", True, id="trimmed, any case"),
        pytest.param(("bücher.test",), "a@xn--bcher-kva.test", True, id="IDNA form"),
        pytest.param(("@x.org",), "b@x.org", True, id="a domain written with its at sign"),
        pytest.param((), "b@x.org", False, id="no filter covers nobody"),
        pytest.param(("x.org",), "", False, id="no address is covered by none"),
        pytest.param(("a@x.org",), "b@x.org", False, id="an address does not cover its domain"),
    ],
)
def test_a_filter_covers(filters: tuple[str, ...], address: str, covered: bool) -> None:
    assert covers(server("s", *filters), address) is covered


@pytest.mark.parametrize(
    ("servers", "wanted"),
    [
        pytest.param((server("b", priority=2), server("a", priority=1)), "a", id="smallest priority"),
        pytest.param(
            (server("new", created_at=AT), server("old", created_at=AT - timedelta(days=1))), "old", id="then oldest"
        ),
        pytest.param((server("b", created_at=AT), server("a", created_at=AT)), "a", id="then by name"),
        pytest.param((server("a", priority=1, active=False), server("b")), "b", id="never an inactive one"),
        pytest.param(
            (server("a", priority=1, streams=(Stream.BULK,)), server("b")),
            "b",
            id="one for other streams is passed over",
        ),
    ],
)
def test_within_a_step(servers: tuple[Smarthost, ...], wanted: str) -> None:
    choice = choose(serving(views_of(*servers).directory.smarthosts(), Stream.CHATTER), "mary@example.net", DEFAULT)
    assert choice is not None
    assert choice.server.name == wanted


def test_no_server_serves_the_stream() -> None:
    servers = (server("a", streams=(Stream.BULK,)), server("b", active=False))
    assert choose(serving(servers, Stream.CHATTER), "mary@example.net", DEFAULT) is None
