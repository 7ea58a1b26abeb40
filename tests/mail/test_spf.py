"""SPF: records as they are written, and whether an address may send (RFC 7208, with the cases of its appendix A)."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from postroad.mail.spf import BadRecord, expand, is_record, read_record
from postroad.mail.spf_check import Checked, LookUp, Verdict, check

# RFC 7208 appendix A, with records of our own below it.
ZONE: dict[str, Sequence[str]] = {
    "example.com MX": ["10 mail-a.example.com", "20 mail-b.example.com"],
    "example.com A": ["192.0.2.10", "192.0.2.11"],
    "amy.example.com A": ["192.0.2.65"],
    "bob.example.com A": ["192.0.2.66"],
    "mail-a.example.com A": ["192.0.2.129"],
    "mail-b.example.com A": ["192.0.2.130"],
    "mail-b.example.com AAAA": ["2001:db8::130"],
    "example.org MX": ["10 mail-c.example.org"],
    "mail-c.example.org A": ["192.0.2.140"],
    "10.2.0.192.in-addr.arpa PTR": ["example.com"],
    "65.2.0.192.in-addr.arpa PTR": ["amy.example.com"],
    "140.2.0.192.in-addr.arpa PTR": ["mail-c.example.org"],
    "4.0.0.10.in-addr.arpa PTR": ["bob.example.com"],
    "all.example TXT": ["v=spf1 +all"],
    "none.example TXT": ["v=spf1 -all"],
    "two.example TXT": ["v=spf1 -all", "v=spf1 +all"],
    "bad.example TXT": ["v=spf1 a:mail -all"],
    "other.example TXT": ["v=spf10 -all", "some text"],
    "loop.example TXT": ["v=spf1 include:loop.example -all"],
    "many.example TXT": ["v=spf1 " + " ".join(f"a:a{n}.many.example" for n in range(11)) + " -all"],
    **{f"a{n}.many.example A": ["198.51.100.1"] for n in range(11)},
    "crowd.example MX": [f"1 m{n}.crowd.example" for n in range(11)],
    "192.0.2.10._spf.example.com A": ["127.0.0.2"],
    "joe._spf.example.com A": ["127.0.0.2"],
}


def zone(record: str | Sequence[str]) -> LookUp:
    texts = [record] if isinstance(record, str) else record

    async def look_up(name: str, type_: str) -> tuple[str, ...]:
        found = {**ZONE, "example.com TXT": texts}
        return tuple(found.get(f"{name.lower()} {type_}", ()))

    return look_up


@pytest.mark.parametrize(
    ("record", "address", "verdict"),
    [
        pytest.param("v=spf1 +all", "203.0.113.1", "pass", id="A.1: anybody"),
        pytest.param("v=spf1 a -all", "192.0.2.10", "pass", id="A.1: its own address"),
        pytest.param("v=spf1 a -all", "192.0.2.65", "fail", id="A.1: not its own address"),
        pytest.param("v=spf1 a:example.org -all", "192.0.2.10", "fail", id="A.1: a name without address"),
        pytest.param("v=spf1 mx -all", "192.0.2.129", "pass", id="A.1: an exchanger"),
        pytest.param("v=spf1 mx -all", "2001:db8::130", "pass", id="an exchanger's IPv6 address"),
        pytest.param("v=spf1 mx:example.org -all", "192.0.2.140", "pass", id="A.1: another's exchanger"),
        pytest.param("v=spf1 mx mx:example.org -all", "192.0.2.140", "pass", id="A.1: either's"),
        pytest.param("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131", "pass", id="A.1: a network of an exchanger"),
        pytest.param("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.143", "pass", id="A.1: a network of another's"),
        pytest.param("v=spf1 mx/30 -all", "192.0.2.132", "fail", id="just outside of it"),
        pytest.param("v=spf1 mx//64 -all", "2001:db8::1", "pass", id="an IPv6 network of an exchanger"),
        pytest.param("v=spf1 ptr -all", "192.0.2.65", "pass", id="A.1: a name below it"),
        pytest.param("v=spf1 ptr -all", "192.0.2.140", "fail", id="A.1: a name elsewhere"),
        pytest.param("v=spf1 ptr -all", "10.0.0.4", "fail", id="A.1: a name that it claims falsely"),
        pytest.param("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", "fail", id="A.1: outside of a network"),
        pytest.param("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", "pass", id="A.1: inside"),
        pytest.param("v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", "pass", id="inside of an IPv6 network"),
        pytest.param("v=spf1 include:all.example -all", "203.0.113.1", "pass", id="5.2: what another lets pass"),
        pytest.param(
            "v=spf1 include:none.example ?all", "203.0.113.1", "neutral", id="5.2: another's fail is no match"
        ),
        pytest.param(
            "v=spf1 include:nobody.example -all", "203.0.113.1", "permerror", id="5.2: another without record"
        ),
        pytest.param("v=spf1 redirect=all.example", "203.0.113.1", "pass", id="6.1: another's record instead"),
        pytest.param("v=spf1 -all redirect=all.example", "203.0.113.1", "fail", id="6.1: not behind all"),
        pytest.param("v=spf1 redirect=nobody.example", "203.0.113.1", "permerror", id="6.1: another without record"),
        pytest.param("v=spf1 exists:%{i}._spf.%{d} -all", "192.0.2.10", "pass", id="5.7: a name made of the address"),
        pytest.param("v=spf1 exists:%{i}._spf.%{d} -all", "192.0.2.11", "fail", id="5.7: which does not exist"),
        pytest.param("v=spf1 exists:%{l}._spf.%{o} -all", "192.0.2.11", "pass", id="7: made of the sender"),
        pytest.param("v=spf1 ~all", "203.0.113.1", "softfail", id="a soft fail"),
        pytest.param("v=spf1 ?a", "192.0.2.10", "neutral", id="a neutral match"),
        pytest.param("v=spf1", "192.0.2.10", "neutral", id="4.7: nothing said"),
        pytest.param("V=SPF1  MX  -ALL unknown=x exp=why.%{d}", "192.0.2.129", "pass", id="any case, other modifiers"),
        pytest.param("v=spf10 -all", "192.0.2.10", "none", id="4.5: another version is no record"),
        pytest.param([], "192.0.2.10", "none", id="no record"),
        pytest.param(["v=spf1 -all", "v=spf1 -all"], "192.0.2.10", "permerror", id="4.5: two records"),
        pytest.param("v=spf1 a -all foo", "192.0.2.10", "permerror", id="4.6: an error anywhere, also behind a match"),
        pytest.param("v=spf1 include:loop.example -all", "192.0.2.10", "permerror", id="4.6.4: a circle ends"),
        pytest.param("v=spf1 include:many.example -all", "192.0.2.10", "permerror", id="4.6.4: more than ten look-ups"),
        pytest.param("v=spf1 mx:crowd.example -all", "192.0.2.10", "permerror", id="4.6.4: more than ten exchangers"),
        pytest.param("v=spf1 a:x.test a:y.test -all", "192.0.2.10", "fail", id="4.6.4: two void look-ups"),
        pytest.param("v=spf1 a:x.test a:y.test a:z.test -all", "192.0.2.10", "permerror", id="4.6.4: three"),
    ],
)
async def test_who_may_send(record: str | Sequence[str], address: str, verdict: str) -> None:
    found = await check(ip_address(address), "example.com", "joe@example.com", zone(record))
    assert found.verdict == verdict, found.why


@pytest.mark.parametrize(
    ("record", "lookups", "voids", "why"),
    [
        pytest.param("v=spf1 ip4:192.0.2.0/24 -all", 0, 0, "ip4:192.0.2.0/24", id="addresses cost nothing"),
        pytest.param("v=spf1 a:x.test mx include:none.example ?all", 3, 1, "?all", id="each that asks counts"),
        pytest.param("v=spf1 include:many.example -all", 11, 0, "more than 10 look-ups", id="inner ones count too"),
    ],
)
async def test_what_it_costs(record: str, lookups: int, voids: int, why: str) -> None:
    found = await check(ip_address("192.0.2.1"), "example.com", "", zone(record))
    assert (found.lookups, found.voids, found.why) == (lookups, voids, why)


async def test_ten_look_ups_are_allowed() -> None:
    ten = "v=spf1 " + " ".join(f"a:a{n}.many.example" for n in range(10)) + " -all"
    found = await check(ip_address("192.0.2.1"), "example.com", "", zone(ten))
    assert found == Checked(Verdict.FAIL, "-all", 10, 0)


async def test_dns_that_does_not_answer_is_no_verdict() -> None:
    async def down(name: str, type_: str) -> tuple[str, ...]:
        raise TimeoutError(name)

    with pytest.raises(TimeoutError):
        await check(ip_address("192.0.2.1"), "example.com", "", down)


@pytest.mark.parametrize(
    "term",
    [
        *("foo", "include", "include:", "include:localhost", "a:mail", "a:", "exists:", "ip4", "ip4:1.2.3", "all:x"),
        *(
            "ip4:2001:db8::1",
            "ip6:192.0.2.1",
            "ip4:192.0.2.0/33",
            "a/33",
            "mx//129",
            "ptr:x",
            "redirect=",
            "-redirect=a.b",
        ),
        *("redirect=a.example redirect=b.example", "exists:%{x}.example.com", "exists:%z.example.com", "include:a..1"),
    ],
)
def test_what_is_no_record(term: str) -> None:
    """4.6.1, 12: an error of syntax."""
    with pytest.raises(BadRecord, match=r".+: .+"):
        read_record(f"v=spf1 {term} -all")


@pytest.mark.parametrize(
    ("text", "record"),
    [("v=spf1", True), ("v=spf1 -all", True), ("V=SPF1 a", True), ("v=spf1;", False), ("v=spf10", False), ("", False)],
)
def test_what_is_meant_to_be_one(text: str, record: bool) -> None:
    assert is_record(text) is record


@pytest.mark.parametrize(
    ("spec", "domain"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}.x", "strong-bad%40email.example.com.x"),
        ("a%%b%_c%-d.x", "a%b c%20d.x"),
    ],
)
def test_macros(spec: str, domain: str) -> None:
    """RFC 7208 7.4."""
    assert expand(spec, ip_address("192.0.2.3"), "strong-bad@email.example.com", "email.example.com") == domain


def test_macros_of_an_ipv6_address() -> None:
    """RFC 7208 7.4."""
    made = expand("%{ir}.%{v}._spf.%{d2}", ip_address("2001:db8::cb01"), "a@email.example.com", "email.example.com")
    reverse = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
    assert made == f"{reverse}.ip6._spf.example.com"


def test_names_that_are_too_long_lose_labels_from_the_left() -> None:
    """7.3."""
    made = expand(".".join(["label"] * 60) + ".%{d}", ip_address("192.0.2.3"), "", "example.com")
    assert len(made) <= 253
    assert made.startswith("label.")
    assert made.endswith(".example.com")
