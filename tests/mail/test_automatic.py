"""Automatic mail: L7; and what an edge found out: I7."""

import pytest

from postroad.mail.authentication import MethodResult, authentication_results
from postroad.mail.automatic import automatic, suppresses_notices
from postroad.mail.header import Headers, read_header


def headers(*fields: str) -> Headers:
    return read_header("".join(f"{field}\r\n" for field in fields).encode(), 0)[0]


@pytest.mark.parametrize(
    ("field", "degree"),
    [
        pytest.param("Auto-Submitted: auto-replied", "answer", id="auto-replied"),
        pytest.param("Auto-Submitted: Auto-Replied (vacation)", "answer", id="with a comment"),
        pytest.param("Auto-Submitted: auto-replied; owner-email=x", "answer", id="with parameters"),
        pytest.param("Auto-Submitted: auto-generated", "made", id="auto-generated"),
        pytest.param("Auto-Submitted: auto-notified; x=y", "made", id="auto-notified"),
        pytest.param("Auto-Submitted: no", None, id="no is no sign"),
        pytest.param("Auto-Submitted: NO (really)", None, id="no in any case"),
        pytest.param("Auto-Submitted:", None, id="empty"),
        pytest.param("Auto-Submitted: x-something", "made", id="RFC 3834 5.2: a word we do not know"),
        pytest.param("X-Autoreply: yes", "answer", id="X-Autoreply"),
        pytest.param("X-Autorespond: re", "answer", id="X-Autorespond"),
        pytest.param("X-Autoresponder: x", "answer", id="X-Autoresponder"),
        pytest.param("X-Auto-Reply: 1", "answer", id="X-Auto-Reply"),
        pytest.param("X-Autoreply: no", None, id="X-Autoreply: no"),
        pytest.param("Precedence: auto_reply", "answer", id="auto_reply"),
        pytest.param("Precedence: BULK", "made", id="bulk"),
        pytest.param("Precedence: list", "made", id="list"),
        pytest.param("Precedence: junk", "made", id="junk"),
        pytest.param("Precedence: first-class", None, id="another precedence"),
        pytest.param("List-Id: News <news.a.example>", "made", id="a list"),
        pytest.param("X-Auto-Response-Suppress: All", None, id="suppression is no sign"),
        pytest.param("Subject: Out of office", None, id="words are no sign"),
    ],
)
def test_degree_by_header(field: str, degree: str | None) -> None:
    sign = automatic(headers(field), None)
    assert (sign.degree if sign else None) == degree


def test_the_null_reverse_path_is_an_answer_and_absent_is_not_null() -> None:
    assert [sign.reason if (sign := automatic(headers(), path)) else None for path in ("", None, "a@b.example")] == [
        "null reverse-path",
        None,
        None,
    ]


def test_the_stronger_sign_counts() -> None:
    sign = automatic(headers("Precedence: bulk", "Auto-Submitted: no", "Auto-Submitted: auto-replied"), None)
    assert sign is not None
    assert (sign.degree, sign.reason) == ("answer", "Auto-Submitted: auto-replied")


@pytest.mark.parametrize(
    ("value", "suppressed"),
    [("All", True), ("DR, RN, OOF, AutoReply", True), ("oof", True), ("None", False), ("DR, RN", False), ("", False)],
)
def test_suppression_of_notices(value: str, suppressed: bool) -> None:
    assert suppresses_notices(headers(f"X-Auto-Response-Suppress: {value}")) is suppressed


def test_reads_authentication_results() -> None:
    field = (
        "Authentication-Results: MX.Example 1; spf=pass (ok; really) smtp.mailfrom=a@b.example;\r\n"
        ' dkim=fail reason="bad; sig" header.d=b.example; dkim=pass header.d=c.example; dmarc = none'
    )
    (read,) = authentication_results(headers(field))
    assert read.authserv_id == "mx.example"
    assert read.of("spf") == (MethodResult("spf", "pass", (("smtp.mailfrom", "a@b.example"),)),)
    assert [one.property("header.d") for one in read.of("dkim")] == ["b.example", "c.example"]
    assert read.of("dkim")[0].property("reason") == "bad; sig"
    assert read.of("dmarc")[0].result == "none"


@pytest.mark.parametrize(
    ("value", "identity", "methods"),
    [
        pytest.param("mx.example; none", "mx.example", [], id="RFC 8601: nothing was done"),
        pytest.param("spf=pass smtp.mailfrom=x; dkim=none", "", ["spf", "dkim"], id="the identity left out"),
        pytest.param("", "", [], id="empty"),
        pytest.param('"mx.example"; spf=pass', "mx.example", ["spf"], id="a quoted identity"),
        pytest.param(
            "mx; spf=pass (never closed; dkim=pass", "mx", ["spf"], id="a comment never closed hides the rest"
        ),
    ],
)
def test_odd_authentication_results(value: str, identity: str, methods: list[str]) -> None:
    (read,) = authentication_results(headers(f"Authentication-Results: {value}"))
    assert (read.authserv_id, [one.method for one in read.results]) == (identity, methods)
