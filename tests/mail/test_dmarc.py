"""DMARC policies: as they are written, and where they stand (RFC 7489 6)."""

import pytest

from postroad.mail.dmarc import Found, Policy, find_policy, is_policy, read_policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        pytest.param("v=DMARC1; p=none", Policy(), id="only watching"),
        pytest.param("v=DMARC1;p=Reject;", Policy("reject", "reject"), id="sp= is p= unless it says otherwise"),
        pytest.param(
            "v=DMARC1; p=quarantine; sp=none; adkim=s; aspf=S; pct=20; rua=mailto:a@b.example, mailto:c@d.example; x=y",
            Policy("quarantine", "none", True, True, 20, ("mailto:a@b.example", "mailto:c@d.example")),
            id="every tag",
        ),
        pytest.param("v=DMARC1; p=reject; pct=200", Policy("reject", "reject"), id="what is no share is all"),
        pytest.param(
            "v=DMARC1; rua=mailto:a@b.example",
            Policy(reports_to=("mailto:a@b.example",), fault="it has no p="),
            id="no policy",
        ),
        pytest.param(
            "v=DMARC1; p=block", Policy(fault="p=block is none of none, quarantine, reject"), id="no such policy"
        ),
        pytest.param("v=DMARC1; p=none; p=none", Policy(fault="it is no list of tags"), id="a tag twice"),
    ],
)
def test_a_policy(text: str, policy: Policy) -> None:
    assert read_policy(text) == policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("v=DMARC1; p=none", True),
        ("v = DMARC1;p=none", True),
        ("v=DMARC1", True),
        ("v=DMARC10;", False),
        ("p=none", False),
    ],
)
def test_what_is_meant_to_be_one(text: str, policy: bool) -> None:
    assert is_policy(text) is policy


@pytest.mark.parametrize(
    ("zone", "found", "asked"),
    [
        pytest.param(
            {
                "_dmarc.a.b.example.com": ("v=DMARC1; p=none", "other text"),
                "_dmarc.example.com": ("v=DMARC1; p=reject",),
            },
            Found("a.b.example.com", ("v=DMARC1; p=none",)),
            1,
            id="its own",
        ),
        pytest.param(
            {"_dmarc.a.b.example.com": ("other text",), "_dmarc.example.com": ("v=DMARC1; p=reject",)},
            Found("example.com", ("v=DMARC1; p=reject",)),
            3,
            id="that of the nearest domain above",
        ),
        pytest.param(
            {"_dmarc.b.example.com": ("v=DMARC1; p=none", "v=DMARC1; p=reject")},
            Found("b.example.com", ("v=DMARC1; p=none", "v=DMARC1; p=reject")),
            2,
            id="two are told, for none counts",
        ),
        pytest.param({"_dmarc.com": ("v=DMARC1; p=reject",)}, None, 3, id="never a top-level domain's"),
    ],
)
async def test_where_it_stands(zone: dict[str, tuple[str, ...]], found: Found | None, asked: int) -> None:
    names = list[str]()

    async def look_up(name: str, type_: str) -> tuple[str, ...]:
        assert type_ == "TXT"
        names.append(name)
        return zone.get(name, ())

    assert await find_policy("a.b.example.com", look_up) == found
    assert len(names) == asked
