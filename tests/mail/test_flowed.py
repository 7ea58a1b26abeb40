"""Wrapped paragraphs: RFC 3676."""

import pytest

from postroad.mail.flowed import unwrapped
from postroad.mail.parse import read


@pytest.mark.parametrize(
    ("lines", "delsp", "told"),
    [
        pytest.param(["one ", "two ", "three", "four"], False, ["one two three", "four"], id="4.1 a paragraph"),
        pytest.param(["一 ", "二"], True, ["一二"], id="4.1 DelSp"),
        pytest.param([" From here", " >mark", "  in"], False, ["From here", ">mark", " in"], id="4.4 stuffed"),
        pytest.param(["a ", "-- ", "Mary"], False, ["a", "--", "Mary"], id="4.3 a signature joins nothing"),
        pytest.param(["> a ", "> b", "c"], False, ["> a b", "c"], id="4.5 a quoted paragraph"),
        pytest.param(["> a ", "b"], False, ["> a", "b"], id="4.5 another depth ends it"),
        pytest.param([">> a ", "> b ", "> c"], False, [">> a", "> b c"], id="4.5 depths"),
        pytest.param(["a ", "", "b"], False, ["a", "", "b"], id="a blank line ends it and stays"),
        pytest.param(["a", "", "b"], False, ["a", "", "b"], id="a blank line between"),
        pytest.param(["a "], False, ["a"], id="open at the end"),
        pytest.param([], False, [], id="nothing"),
    ],
)
def test_unwraps(lines: list[str], delsp: bool, told: list[str]) -> None:
    assert unwrapped(lines, delsp=delsp) == told


@pytest.mark.parametrize(
    ("parameters", "reply"),
    [
        pytest.param("; format=flowed", "a long paragraph\n\nFrom me", id="flowed"),
        pytest.param("; format=Flowed; delsp=YES", "a longparagraph\n\nFrom me", id="DelSp"),
        pytest.param("; format=fixed", "a long\nparagraph\n\n From me", id="fixed"),
        pytest.param("", "a long\nparagraph\n\n From me", id="undeclared"),
    ],
)
def test_the_reply_is_unwrapped_and_the_text_is_kept(parameters: str, reply: str) -> None:
    words = "a long \nparagraph\n\n From me\n\nOn 1 May 2023, Mary <m@a.example> wrote:\n> old\n"
    mail = read(f"Content-Type: text/plain{parameters}\n\n{words}".encode())
    assert (mail.text, mail.reply_text) == (words, reply)


def test_a_mail_of_flowed_and_fixed_parts_is_fixed() -> None:
    part = "--b\nContent-Type: text/plain{}\n\na \nb\n"
    raw = "Content-Type: multipart/mixed; boundary=b\n\n" + part.format("; format=flowed") + part.format("")
    assert read(raw.encode()).reply_text == "a\nb\na\nb"
