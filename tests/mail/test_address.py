"""Addresses: M2, M3 and the words "normalised address"."""

import pytest

from postroad.mail.address import MAX_MAILBOXES, ascii_domain, bare_address, mailboxes, normalise, split_token


@pytest.mark.parametrize(
    ("field", "found"),
    [
        pytest.param("Mary <mary@a.example>", [("Mary", "mary@a.example")], id="M3 name and address"),
        pytest.param("mary@a.example", [("", "mary@a.example")], id="M3 without brackets"),
        pytest.param("mary@a.example (Mary M.)", [("Mary M.", "mary@a.example")], id="M3 the name as a comment"),
        pytest.param("Mary Major mary@a.example", [("Mary Major", "mary@a.example")], id="M3 brackets forgotten"),
        pytest.param('"Major, Mary" <mary@a.example>', [("Major, Mary", "mary@a.example")], id="a comma in quotes"),
        pytest.param(r'"Mary \"M\" Major" <m@a.example>', [('Mary "M" Major', "m@a.example")], id="escaped quotes"),
        pytest.param('"boss@b.example" <m@a.example>', [("boss@b.example", "m@a.example")], id="address as a name"),
        pytest.param(
            "a@b.example c@d.example", [("", "a@b.example"), ("", "c@d.example")], id="space instead of comma"
        ),
        pytest.param("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")], id="semicolons"),
        pytest.param("Team: a@b.example, c@d.example;", [("", "a@b.example"), ("", "c@d.example")], id="a group"),
        pytest.param("undisclosed-recipients:;", [], id="an empty group"),
        pytest.param("<>", [], id="nobody"),
        pytest.param("", [], id="M2 an empty field"),
        pytest.param("Mary <Undisclosed Recipients>", [], id="no address at all"),
        pytest.param("=?utf-8?q?Andr=C3=A9?= <a@b.example>", [("André", "a@b.example")], id="encoded name"),
        pytest.param("=?utf-8?q?Doe,_John?= <a@b.example>", [("Doe, John", "a@b.example")], id="comma in encoded word"),
        pytest.param('"=?utf-8?q?Andr=C3=A9?=" <a@b.example>', [("André", "a@b.example")], id="encoded, in quotes"),
        pytest.param("=?utf-8?q?Mary_=3Cm=40a.example=3E?=", [("Mary", "m@a.example")], id="all of it encoded"),
        pytest.param("a@BÜCHER.example", [("", "a@xn--bcher-kva.example")], id="domain to IDNA"),
        pytest.param("Mary.M@A.Example", [("", "Mary.M@a.example")], id="local part as written"),
        pytest.param("jürgen@a.example", [("", "jürgen@a.example")], id="non-ASCII local part"),
        pytest.param('"mary major"@a.example', [("", '"mary major"@a.example')], id="quoted local part"),
        pytest.param("mary @ a.example", [("", "mary@a.example")], id="blanks around the at"),
        pytest.param("<mary@a.example", [("", "mary@a.example")], id="bracket never closed"),
        pytest.param(
            '"Mary <m@a.example>, b@c.example', [("Mary", "m@a.example"), ("", "b@c.example")], id="open quote"
        ),
        pytest.param("Mary (M <m@a.example>", [("Mary M", "m@a.example")], id="comment never closed"),
        pytest.param(
            "Bob <b@a.example> Bo <c@a.example>", [("Bob", "b@a.example"), ("Bo", "c@a.example")], id="no comma"
        ),
        pytest.param("<@r.example,@s.example:m@a.example>", [("", "m@a.example")], id="source route"),
        pytest.param("m@a.example<mailto:m@a.example>", [("m@a.example", "m@a.example")], id="mailto in brackets"),
        pytest.param("'m@a.example'", [("", "m@a.example")], id="apostrophes around"),
        pytest.param("root@[192.0.2.1]", [("", "root@[192.0.2.1]")], id="address literal"),
        pytest.param("a@b.example, ,, c@d.example,", [("", "a@b.example"), ("", "c@d.example")], id="empty elements"),
    ],
)
def test_finds_mailboxes(field: str, found: list[tuple[str, str]]) -> None:
    assert [(box.name, box.address) for box in mailboxes(field)] == found


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        pytest.param("Mary.Major+News@A.Example", "mary.major+news@a.example", id="dots and tags stay"),
        pytest.param(" <mary@a.example> ", "mary@a.example", id="bare"),
        pytest.param("mary@BÜCHER.example.", "mary@xn--bcher-kva.example", id="IDNA, no final dot"),
        pytest.param('"mary"@a.example', "mary@a.example", id="needless quotes"),
        pytest.param('"mary m"@a.example', '"mary m"@a.example', id="needed quotes"),
        pytest.param("JÜRGEN@a.example", "jürgen@a.example", id="lower case beyond ASCII"),
        pytest.param("MAILER-DAEMON", "mailer-daemon", id="without domain"),
    ],
)
def test_normalises(address: str, normal: str) -> None:
    assert normalise(address) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        pytest.param("catchall+abc@a.example", ("catchall@a.example", "abc"), id="a token"),
        pytest.param("catchall@a.example", ("catchall@a.example", ""), id="none"),
        pytest.param("c++@a.example", ("c@a.example", "+"), id="the first plus splits"),
        pytest.param("+abc@a.example", ("+abc@a.example", ""), id="nothing before the plus"),
        pytest.param("c@a+b.example", ("c@a+b.example", ""), id="a plus in the domain is none"),
    ],
)
def test_splits_tokens(address: str, parts: tuple[str, str]) -> None:
    assert split_token(address) == parts


@pytest.mark.parametrize("text", ["", "mary", "a b@c.example d", "@a.example", "mary@", "rfc822;", "a@b@c.example"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert bare_address(text) == ""


def test_a_domain_that_idna_refuses_stays() -> None:
    assert ascii_domain("A\u200b\u2060.-ü-.Example") == "a\u200b\u2060.-ü-.example"


def test_the_number_of_mailboxes_is_bounded() -> None:
    assert len(mailboxes("a@b.example," * (MAX_MAILBOXES + 5))) == MAX_MAILBOXES


@pytest.mark.parametrize(
    "text",
    [
        "m@A.example",
        "<m@a.example>,",
        "Mary Smith <m@A.example>, Dr. Bob<b@b.example>",
        '"Smith, Mary" <m@a.example>,"=?utf-8?q?B=C3=B6b?=" <b@b.example>',
        "Zoë O'Neil <z@a.example>",
    ],
)
def test_the_quick_way_finds_what_the_thorough_way_finds(text: str) -> None:
    """A comment is unusual, so that the field is read piece by piece."""
    assert mailboxes(text) == mailboxes(text + " ()") != ()
