"""`postroad doctor dns`: what receivers see of a domain, and what to publish where it is wrong (O13)."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from postroad.cli.doctor_dns import examine
from postroad.cli.doctor_spf import proposal
from postroad.cli.finding import Finding, Installation
from postroad.dispatch.signing import Signer, public_octets
from postroad.mail.dkim import key_record
from postroad.runtime.config import secret
from postroad_schemas.directory import AliasDomain, DkimKey, Smarthost
from postroad_schemas.event import Row
from tests.dispatch.made import views_of

Zone = Mapping[str, Sequence[str]]
OURS = AliasDomain(name="example.com")
LOCAL = Smarthost(name="default", host="localhost")
RELAY = Smarthost(name="relay", host="relay.example.net", from_filter=("example.com",))
HOSTS: Zone = {
    "relay.example.net A": ["198.51.100.7"],
    "relay.example.net AAAA": ["2001:db8::7"],
    "_spf.example.net TXT": ["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 -all"],
}


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    keys = {"rsa": generate_private_key(65537, 2048), "old": generate_private_key(65537, 1024)}
    for name, key in {**keys, "ed": Ed25519PrivateKey.generate()}.items():
        octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]
        (folder / f"{name}.pem").write_bytes(octets)
    return folder


async def found(zone: Zone, *rows: Row, domain: str = "example.com", check: str = "", **here: Any) -> list[Finding]:
    async def look_up(name: str, type_: str) -> tuple[str, ...]:
        return tuple({**HOSTS, **zone}.get(f"{name} {type_}", ()))

    installation = Installation(
        **{"directory": views_of(*rows).directory, "relay": LOCAL, "signer": Signer(secret), **here}
    )
    findings = await examine(domain, installation, look_up)
    return [finding for finding in findings if finding.check == check or not check]


def told(findings: Sequence[Finding]) -> list[str]:
    return [f"{finding.state}: {finding.words}" for finding in findings]


def published(findings: Sequence[Finding]) -> list[str]:
    return [f"{it.publish.name} {it.publish.type} {it.publish.value}" for it in findings if it.publish]


@pytest.mark.parametrize(
    ("record", "rows", "states", "publish"),
    [
        pytest.param(
            ["v=spf1 include:_spf.example.net -all"], [RELAY], ["ok", "ok", "ok"], "", id="both addresses of the server"
        ),
        pytest.param(
            ["v=spf1 ip4:198.51.100.7 -all"],
            [RELAY],
            ["wrong", "ok", "wrong"],
            "v=spf1 ip4:198.51.100.7 a:relay.example.net -all",
            id="one of its addresses is forgotten",
        ),
        pytest.param(
            ["v=spf1 mx ~all"],
            [RELAY],
            ["wrong"] * 3,
            "v=spf1 mx a:relay.example.net ~all",
            id="the server is forgotten",
        ),
        pytest.param([], [RELAY], ["wrong"] * 3, "v=spf1 a:relay.example.net ~all", id="no record"),
        pytest.param(
            ["v=spf1 mx -all", "v=spf1 a mx ?all"],
            [RELAY],
            ["wrong"] * 3,
            "v=spf1 mx a a:relay.example.net -all",
            id="two records become one",
        ),
        pytest.param(
            ["v=spf1 +all"], [RELAY], ["wrong", "ok", "ok"], "v=spf1 ~all", id="everybody may send: that is no record"
        ),
        pytest.param(["v=spf1 a:mail -all"], [RELAY], ["wrong"] * 3, "", id="an error that its owner must mend"),
        pytest.param(
            ["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 " + " ".join(f"a:a{n}.test" for n in range(11)) + " -all"],
            [RELAY],
            ["wrong", "ok", "ok"],
            "",
            id="too many look-ups for whoever comes last",
        ),
        pytest.param(
            ["v=spf1 -all"],
            [
                Smarthost(name="a", host="192.0.2.1"),
                Smarthost(name="b", host="[2001:db8::9]", from_filter=("x@example.com",)),
            ],
            ["wrong"] * 3,
            "v=spf1 ip4:192.0.2.1 ip6:2001:db8::9 -all",
            id="servers without filter, and for one address of the domain",
        ),
        pytest.param(
            ["v=spf1 -all"], [Smarthost(name="a", host="gone.test")], ["ok", "wrong"], "", id="a server without address"
        ),
        pytest.param(
            ["v=spf1 -all"],
            [
                Smarthost(name="other", host="192.0.2.1", from_filter=("example.org", "sub.example.com")),
                Smarthost(name="idle", host="192.0.2.1", active=False),
            ],
            ["ok"],
            "",
            id="servers for others, or for nobody, do not count",
        ),
        pytest.param(["v=spf1 -all"], [], ["ok", "note"], "", id="the built-in relay on this machine"),
    ],
)
async def test_spf(record: list[str], rows: list[Row], states: list[str], publish: str) -> None:
    findings = await found({"example.com TXT": record}, *rows, check="spf")
    assert [finding.state for finding in findings] == states, told(findings)
    assert published(findings) == ([f"example.com TXT {publish}"] if publish else [])


async def test_spf_counts_look_ups_and_says_who_may_send() -> None:
    findings = await found({"example.com TXT": ["v=spf1 include:_spf.example.net mx -all"]}, RELAY, check="spf")
    assert told(findings)[:2] == [
        "ok: v=spf1 include:_spf.example.net mx -all: 2 of 10 look-ups",
        "ok: server relay (relay.example.net): 198.51.100.7 may send (include:_spf.example.net)",
    ]


async def test_spf_of_an_address_that_is_told() -> None:
    zone = {"example.com TXT": ["v=spf1 ip4:192.0.2.1 -all"]}
    findings = await found(zone, check="spf", addresses=(ip_address("192.0.2.1"), ip_address("192.0.2.2")))
    assert told(findings)[1:3] == [
        "ok: address 192.0.2.1: 192.0.2.1 may send (ip4:192.0.2.1)",
        "wrong: address 192.0.2.2: 192.0.2.2 may not send (fail: -all)",
    ]


@pytest.mark.parametrize(
    ("texts", "missing", "better"),
    [
        ((), (), "v=spf1 ~all"),
        (("v=spf1 mx redirect=x.example",), ("a:b",), "v=spf1 mx a:b redirect=x.example"),
        (("V=SPF1 a MX -ALL",), ("a:b", "a:b", "a"), "v=spf1 a MX a:b -ALL"),
        (("v=spf1 all",), (), "v=spf1 ~all"),
    ],
)
def test_the_record_to_publish(texts: tuple[str, ...], missing: tuple[str, ...], better: str) -> None:
    assert proposal(texts, missing) == better


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        pytest.param(lambda r: [r], "ok", "is published: rsa, 2048 bits", id="as it should be"),
        pytest.param(lambda _: [], "wrong", "is not published", id="not there"),
        pytest.param(lambda r: [r, r], "wrong", "has 2 records, one is allowed", id="twice"),
        pytest.param(lambda r: [r.replace("p=MIIB", "p=MIIC")], "wrong", "is not the key in file:", id="another key"),
        pytest.param(lambda r: [r.partition("p=")[0] + "p="], "wrong", "cannot be used: p= is empty", id="revoked"),
        pytest.param(lambda _: ["hello"], "wrong", "cannot be used: it is no list of tags", id="some other text"),
        pytest.param(lambda r: [f"{r}; t=y"], "note", "is published for testing (t=y)", id="for testing"),
    ],
)
@pytest.mark.parametrize("active", [True, False])
async def test_dkim(change: Callable[[str], list[str]], state: str, words: str, active: bool, pems: Path) -> None:
    row = DkimKey(domain="example.com", selector="s1", secret=f"file:{pems}/rsa.pem", active=active)
    ours = key_record("rsa-sha256", public_octets(Signer(secret).key(row)))
    findings = await found({"s1._domainkey.example.com TXT": change(ours)}, row, check="dkim")
    assert findings[-1].state == (state if active else state.replace("wrong", "note"))
    assert findings[-1].words.startswith("s1._domainkey.example.com")
    assert words in findings[-1].words
    whole = state == "ok"
    assert published(findings) == ([] if whole else [f"s1._domainkey.example.com TXT {ours}"])
    assert len(findings) == (1 if active else 2), "without a key that signs that is said too"


@pytest.mark.parametrize(
    ("name", "algorithm", "words"),
    [
        ("ed", "ed25519-sha256", "ok: s1._domainkey.example.com is published: ed25519, 256 bits"),
        ("old", "rsa-sha256", "note: s1._domainkey.example.com has 1024 bits: 2048 are usual, make a new key"),
    ],
)
async def test_dkim_of_other_sizes(name: str, algorithm: str, words: str, pems: Path) -> None:
    row = DkimKey(domain="example.com", selector="s1", algorithm=algorithm, secret=f"file:{pems}/{name}.pem")
    ours = key_record(algorithm, public_octets(Signer(secret).key(row)))
    assert told(await found({"s1._domainkey.example.com TXT": [ours]}, row, check="dkim")) == [words]
    above = await found({"s1._domainkey.example.com TXT": [ours]}, row, check="dkim", domain="news.example.com")
    assert told(above) == [words], "the same key signs for a domain below"


async def test_dkim_of_a_key_that_cannot_be_read_here(pems: Path) -> None:
    ours = key_record(
        "rsa-sha256", public_octets(Signer(secret).key(DkimKey(domain="", selector="", secret=f"file:{pems}/rsa.pem")))
    )
    row = DkimKey(domain="example.com", selector="s1", secret="env:NOT_HERE")
    [line] = told(await found({"s1._domainkey.example.com TXT": [ours]}, row, check="dkim"))
    assert line.startswith("note: s1._domainkey.example.com is published: rsa, 2048 bits; it was not compared: ")
    [line] = told(await found({}, row, check="dkim"))
    assert line.startswith("wrong: s1._domainkey.example.com is not published; ")


@pytest.mark.parametrize(
    ("zone", "rows", "lines"),
    [
        pytest.param(
            {"_dmarc.example.com TXT": ["v=DMARC1; p=reject; rua=mailto:d@example.com"]},
            [OURS],
            ["ok: _dmarc.example.com: reject (v=DMARC1; p=reject; rua=mailto:d@example.com)"],
            id="as it should be",
        ),
        pytest.param(
            {"_dmarc.example.com TXT": ["v=DMARC1; p=none"]},
            [OURS],
            [
                "ok: _dmarc.example.com: none (v=DMARC1; p=none)",
                "note: it only watches: once its reports look well ask for p=quarantine",
                "note: nobody is sent reports: add rua=mailto:...",
            ],
            id="only watching, and nobody looks",
        ),
        pytest.param(
            {},
            [OURS],
            ["wrong: example.com has no DMARC policy, nor has a domain above it"],
            id="none",
        ),
        pytest.param(
            {"_dmarc.example.com TXT": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]},
            [OURS],
            ["wrong: _dmarc.example.com has 2 policies, so that none counts: leave one"],
            id="two",
        ),
        pytest.param(
            {"_dmarc.example.com TXT": ["v=DMARC1; p=block"]},
            [OURS],
            ["wrong: _dmarc.example.com cannot be used: p=block is none of none, quarantine, reject"],
            id="no policy that there is",
        ),
        pytest.param(
            {"_dmarc.example.com TXT": ["v=DMARC1; p=reject; pct=50; rua=mailto:d@example.com"]},
            [],
            [
                "ok: _dmarc.example.com: reject for 50 % (v=DMARC1; p=reject; pct=50; rua=mailto:d@example.com)",
                "wrong: nothing of our mail is aligned: no key signs, and bounces go to another domain",
            ],
            id="a domain that is none of ours, and unsigned",
        ),
    ],
)
async def test_dmarc(zone: Zone, rows: list[Row], lines: list[str]) -> None:
    assert told(await found(zone, *rows, check="dmarc")) == lines


async def test_dmarc_of_a_domain_below() -> None:
    """sp= holds there, and adkim=s wants the very domain's key."""
    zone = {"_dmarc.example.com TXT": ["v=DMARC1; p=reject; sp=quarantine; adkim=s; rua=mailto:d@example.com"]}
    key = DkimKey(domain="example.com", selector="s1", secret="env:K")
    lines = told(await found(zone, OURS, key, check="dmarc", domain="news.example.com"))
    assert lines[0].startswith("ok: _dmarc.example.com: quarantine (")
    assert lines[1].endswith(
        "the key is of example.com, and adkim=s wants one of news.example.com, and bounces go to another domain"
    )


async def test_dmarc_proposes_to_watch_first() -> None:
    assert published(await found({}, OURS, check="dmarc")) == [
        "_dmarc.example.com TXT v=DMARC1; p=none; rua=mailto:postmaster@example.com"
    ]


@pytest.mark.parametrize(
    ("records", "rows", "lines", "publish"),
    [
        pytest.param(
            ["20 b.example.net", "5 mx.example.com"],
            [OURS],
            ["ok: example.com: 5 mx.example.com, 20 b.example.net"],
            [],
            id="we are among them",
        ),
        pytest.param(
            ["10 mx.example.net"],
            [OURS],
            [
                "ok: example.com: 10 mx.example.net",
                "note: none of them is mx.example.com: "
                "they must hand mail for aliases, catchall and bounce to this one",
            ],
            [],
            id="others, who must hand it on",
        ),
        pytest.param(
            [],
            [OURS],
            ["wrong: example.com takes no mail: it has no exchanger"],
            ["example.com MX 10 mx.example.com."],
            id="none for a domain of ours",
        ),
        pytest.param(
            ["0 "],
            [OURS],
            ["wrong: example.com takes no mail: it has no exchanger"],
            ["example.com MX 10 mx.example.com."],
            id="RFC 7505: it wants none",
        ),
        pytest.param([], [], ["note: example.com takes no mail: it has no exchanger"], [], id="none for another's"),
    ],
)
async def test_mx(records: list[str], rows: list[Row], lines: list[str], publish: list[str]) -> None:
    findings = await found({"example.com MX": records}, *rows, check="mx", hostname="mx.example.com")
    assert (told(findings), published(findings)) == (lines, publish)
