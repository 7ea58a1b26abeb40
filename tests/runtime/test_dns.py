"""The resolver against a real server on the loopback."""

import pytest

from postroad.runtime.dns import DnsUnavailable, Resolver
from tests.support.dns import BROKEN, SILENT, DnsServer

ZONE = {
    "example.com TXT": ["v=spf1 -all", 'long "' + "\\é" * 300],
    "example.com MX": ["10 mx.example.com."],
    "mx.example.com A": ["192.0.2.1", "192.0.2.2"],
    "1.2.0.192.in-addr.arpa PTR": ["mx.example.com."],
    "alias.example.com CNAME": ["mx.example.com."],
    "late.example.com A": SILENT,
    "sick.example.com A": BROKEN,
}


@pytest.mark.parametrize(
    ("name", "type_", "records"),
    [
        pytest.param("example.com", "TXT", ZONE["example.com TXT"], id="texts whole, however they are cut"),
        pytest.param("EXAMPLE.com.", "MX", ["10 mx.example.com"], id="an exchanger, no dot at its end"),
        pytest.param("mx.example.com", "A", ["192.0.2.1", "192.0.2.2"], id="addresses"),
        pytest.param("1.2.0.192.in-addr.arpa", "PTR", ["mx.example.com"], id="names of an address"),
        pytest.param("example.com", "AAAA", [], id="a name without such records"),
        pytest.param("com", "A", [], id="a name with others below it"),
        pytest.param("nobody.example.com", "A", [], id="no such name"),
        pytest.param("a..b", "A", [], id="what is no name is not asked"),
        pytest.param("x" * 64 + ".com", "A", [], id="nor is a label that is too long"),
    ],
)
async def test_what_dns_says(name: str, type_: str, records: list[str]) -> None:
    async with DnsServer(ZONE) as server:
        resolver = Resolver(server.address)
        assert sorted(await resolver(name, type_)) == sorted(records)
        asked = list(server.asked)
        assert sorted(await resolver(name, type_)) == sorted(records)
        assert server.asked == asked, "the second time it is remembered"


@pytest.mark.parametrize("name", ["late.example.com", "sick.example.com"])
async def test_no_answer_is_not_the_answer_no(name: str) -> None:
    async with DnsServer(ZONE) as server:
        with pytest.raises(DnsUnavailable, match=f"DNS says nothing about {name} A"):
            await Resolver(server.address, seconds=0.3)(name, "A")


@pytest.mark.parametrize("server", ["localhost", "127.0.0.1:x", "1.2.3", "::1:5x", ":53"])
def test_what_is_no_server(server: str) -> None:
    with pytest.raises(ValueError, match="is no DNS server: write its IP address"):
        Resolver(server)


@pytest.mark.parametrize("server", ["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]", "[::1]:5353"])
def test_what_is_a_server(server: str) -> None:
    Resolver(server)
