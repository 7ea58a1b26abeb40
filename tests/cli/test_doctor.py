"""`postroad doctor dns` as a command, with a real DNS server: words, JSON and exit codes (O13)."""

import json
import shlex

import pytest

from tests.cli.conftest import Running
from tests.support.dns import BROKEN, DnsServer
from tests.support.thread_loop import in_thread


def test_everything_well(running: Running) -> None:
    file = running.folder / "s1.pem"
    running.good("keys", "dkim", "generate", "example.com", "s1", "--to", file)
    running.good("keys", "dkim", "add", "example.com", "s1", "--secret", f"file:{file}")
    running.good("smarthost", "add", "relay", "relay.example.net", "--filter", "example.com")
    [key] = running.lines("keys", "dkim", "list")
    zone = {
        "relay.example.net A": ["198.51.100.7"],
        "relay.example.net AAAA": ["2001:db8::7"],
        "_spf.example.net TXT": ["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 -all"],
        "example.com TXT": ["v=spf1 include:_spf.example.net -all"],
        "example.com MX": ["10 mx.example.com."],
        "_dmarc.example.com TXT": ["v=DMARC1; p=reject; rua=mailto:d@example.com"],
        f"{key['publish']['name']} TXT": [key["publish"]["value"]],
    }
    with in_thread(DnsServer(zone)) as server:
        told = running.good("doctor", "dns", "Example.com.", "--resolver", server.address)
    assert [line.split()[:2] for line in told.splitlines()] == [
        *([["spf", "ok"]] * 3),
        ["dkim", "ok"],
        ["dmarc", "ok"],
        ["mx", "ok"],
    ]


def test_what_is_wrong_comes_with_the_record_to_publish(running: Running) -> None:
    with in_thread(DnsServer({"example.com TXT": ["other text"]})) as server:
        said = running("doctor", "dns", "example.com", "--resolver", server.address, "--address", "192.0.2.1")
        as_json = running(
            "doctor", "dns", "example.com", "--resolver", server.address, "--address", "192.0.2.1", "--json"
        )
    assert (said.code, as_json.code) == (78, 78)
    lines = said.out.splitlines()
    assert lines[:2] == [
        "spf   wrong example.com has no SPF record",
        '            publish: example.com. TXT "v=spf1 ip4:192.0.2.1 ~all"',
    ]
    first = json.loads(as_json.out.splitlines()[0])
    assert first == {
        "check": "spf",
        "state": "wrong",
        "words": "example.com has no SPF record",
        "publish": {"name": "example.com", "type": "TXT", "value": "v=spf1 ip4:192.0.2.1 ~all"},
    }


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param("localhost", 64, "is no domain name", id="no domain"),
        pytest.param("'exa mple.com'", 64, "is no domain name", id="a blank in it"),
        pytest.param("example.com --resolver nowhere", 64, "is no DNS server", id="no server"),
        pytest.param(
            "example.com --address 1.2.3", 64, "does not appear to be an IPv4 or IPv6 address", id="no address"
        ),
    ],
)
def test_what_is_refused(stopped: Running, words: str, code: int, reason: str) -> None:
    said = stopped("doctor", "dns", *shlex.split(words))
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err


def test_dns_that_does_not_answer(stopped: Running) -> None:
    with in_thread(DnsServer({"example.com TXT": BROKEN})) as server:
        said = stopped("doctor", "dns", "example.com", "--resolver", server.address)
    assert (said.code, said.out, said.err.count("\n")) == (69, "", 1)
    assert "DNS says nothing about example.com TXT" in said.err
