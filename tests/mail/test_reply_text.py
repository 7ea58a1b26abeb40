"""Quotes and signatures: M6, and what L6 compares."""

import pytest

from postroad.mail.parse import read
from postroad.mail.reply_text import MAX_LINES, strip_reply

THEIRS = "\n\n> old words\n> more"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("new\n\nOn Mon, 1 May 2023 at 10:00, Mary <m@a.example> wrote:" + THEIRS, "new", id="English"),
        pytest.param("new\n\nOn Mon, 1 May 2023, Mary <\nm@a.example> wrote:" + THEIRS, "new", id="wrapped"),
        pytest.param("neu\n\nAm 1. Mai 2023 um 10:00 schrieb Mary <m@a.example>:" + THEIRS, "neu", id="German"),
        pytest.param("neu\n\nMary <m@a.example> schrieb am Mo., 1. Mai 2023:" + THEIRS, "neu", id="German of Gmail"),
        pytest.param("oui\n\nLe lun. 1 mai 2023 à 10:00, Mary <m@a.example> a écrit :" + THEIRS, "oui", id="French"),
        pytest.param("sí\n\nEl lun, 1 may 2023, Mary (<m@a.example>) escribió:" + THEIRS, "sí", id="Spanish"),
        pytest.param("sì\n\nIl giorno 1 mag 2023 Mary <m@a.example> ha scritto:" + THEIRS, "sì", id="Italian"),
        pytest.param("ja\n\nOp ma 1 mei 2023 schreef Mary <m@a.example>:" + THEIRS, "ja", id="Dutch"),
        pytest.param(
            "sim\n\nEm seg., 1 de mai. de 2023, Mary <m@a.example> escreveu:" + THEIRS, "sim", id="Portuguese"
        ),
        pytest.param("new\n\n-----Original Message-----\nFrom: Mary\n\nold", "new", id="Outlook's separator"),
        pytest.param("neu\n\n-----Ursprüngliche Nachricht-----\nVon: Mary\n\nalt", "neu", id="in German"),
        pytest.param("new\n\nFrom: Mary\nSent: Monday\nTo: Bob\nSubject: x\n\nold", "new", id="Outlook's fields"),
        pytest.param("oui\n\nDe : Mary\nEnvoyé : lundi\nÀ : Bob\nObjet : x\n\nvieux", "oui", id="in French"),
        pytest.param("ja\n________\nVan: Mary\nVerzonden: maandag\nAan: Bob\n\noud", "ja", id="in Dutch, under a rule"),
        pytest.param("new\n\n-- \nMary\nBoss", "new", id="signature"),
        pytest.param("new\n\nSent from my iPhone", "new", id="Sent from my"),
        pytest.param("neu\n\nVon meinem iPhone gesendet", "neu", id="the same in German"),
        pytest.param("On 1 May 2023, Mary wrote:\n> old\n\nnew below", "new below", id="answered below"),
        pytest.param("> one?\nyes\n> two?\nno", "> one?\nyes\n> two?\nno", id="answered in between: stays readable"),
        pytest.param("> only\n> quotes", "> only\n> quotes", id="nothing new: all of it"),
        pytest.param(
            "---------- Forwarded message ---------\nFrom: M\nTo: B\n\ntheir words", "their words", id="forwarded"
        ),
        pytest.param("On 3 May I will be there.\nSee you", "On 3 May I will be there.\nSee you", id="no introduction"),
        pytest.param("From: here\nto there", "From: here\nto there", id="no block of fields"),
        pytest.param("a\n-- b\n--- c", "a\n-- b\n--- c", id="hyphens that are no signature"),
        pytest.param("We sent it from the warehouse", "We sent it from the warehouse", id="words about sending"),
        pytest.param("| a | b |\n| 1 | 2 |", "| a | b |\n| 1 | 2 |", id="a table at the end"),
        pytest.param("\n\n  indented\n\n", "  indented", id="blank lines around"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_leaves_the_new_words(text: str, words: str) -> None:
    assert strip_reply(text) == words


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("a  b\n\nc", "a b c", True, id="L6 white space folded"),
        pytest.param("a\n\nOn 1 May 2023, M wrote:\n> x", "a\n> y", True, id="L6 without quotes"),
        pytest.param("> x\na", "a", True, id="L6 quotes in between too"),
        pytest.param("a\n-- \nMary", "a", True, id="L6 without signature"),
        pytest.param("a", "b", False, id="other words"),
        pytest.param("> a", "> b", False, id="quotes alone compare as they are"),
    ],
)
def test_folded_bodies(one: str, other: str, same: bool) -> None:
    folded = [read(b"Subject: x\n\n" + text.encode()).folded_body for text in (one, other)]
    assert (folded[0] == folded[1]) is same


def test_html_alone_is_read_for_its_reply() -> None:
    html = "<div>new</div><div>On Mon, 1 May 2023 Mary &lt;m@a.example&gt; wrote:</div><blockquote>old</blockquote>"
    assert read(b"Content-Type: text/html\n\n" + html.encode()).reply_text == "new"


def test_lines_beyond_the_limit_are_kept() -> None:
    assert strip_reply("x\n" * MAX_LINES + "\n-- \nkept").endswith("-- \nkept")
