"""`postroad explain`: what would happen now, on live state, with nothing changed."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Running, raw_mail


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    return tmp_path / "letter.eml"


def rules(said: dict[str, list[dict[str, str]]]) -> list[tuple[str, str]]:
    return [(one["rule"], one["verdict"]) for one in said["rules"]]


def test_every_rule_each_budget_and_the_outcome(running: Running, letter: Path) -> None:
    running.good("params", "set", "mail.gateway.loop.threshold", "2")
    for _ in range(2):
        running.mail()
    letter.write_bytes(raw_mail("sales@example.com", "bob@example.org", number=77))
    (said,) = running.lines("explain", letter, "--mail-from", "bob@example.org", "--rcpt-to", "sales@example.com")
    verdicts = rules(said)
    assert ("R9", "decides") in verdicts
    assert {verdict for rule, verdict in verdicts[: verdicts.index(("R9", "decides"))]} == {"does not apply"}
    assert {verdict for rule, verdict in verdicts[verdicts.index(("R9", "decides")) + 1 :]} == {"not reached"}
    assert [(one["budget"], one["count"], one["limit"], one["verdict"]) for one in said["budgets"]] == [
        ("author sales@example.com bob@example.org", 2, 2, "blocks"),
        ("alias sales@example.com", 0, 2, "not reached"),
    ]
    assert (said["outcome"], said["rule"], said["notice"]) == ("held", "L1", "to bob@example.org")
    happened = running.became(running.mail())
    assert [(end.outcome, end.rule) for end in happened] == [("held", "L1")]


def test_a_reply_with_what_was_looked_up(running: Running, letter: Path) -> None:
    first = running.mail()
    (end,) = running.became(first)
    thread = end.links[0].thread
    letter.write_bytes(
        raw_mail("catchall@example.com", "eve@example.net", number=77, In_Reply_To=first.message_id, References="<x@y>")
    )
    told = running.good("explain", letter)
    assert [
        words
        for words in (
            f"R3  reply                  asks: is one of these known: <x@y>, {first.message_id}",
            "routing  <x@y>: never heard of",
            f"settled, on {thread}",
            f"outcome: delivered [R3] answers {first.message_id}, on {thread}",
            "notice: none",
        )
        if words not in told
    ] == []


def test_a_mail_that_was_taken_is_a_duplicate_unless_asked_anew(running: Running, letter: Path) -> None:
    """R1."""
    running.mail(to="sales@example.com")
    letter.write_bytes(raw_mail("sales@example.com", "bob@example.org", number=1))
    assert "outcome: duplicate [R1] taken already" in running.good("explain", letter)
    assert "outcome: delivered [R9] for sales@example.com" in running.good("explain", letter, "--anew")


def test_nothing_is_changed(running: Running, letter: Path) -> None:
    running.mail()
    letter.write_bytes(raw_mail("sales@example.com", "bob@example.org", number=77))
    running.wait(running.embedded.idle())

    def everything() -> list[str]:
        files = (file for file in sorted(running.folder.rglob("*")) if file.is_file() and file != letter)
        return [f"{file}: {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files if "shm" not in file.name]

    before = everything()
    running.good("explain", letter)
    running.good("explain", "sales@example.com")
    assert everything() == before


def test_what_the_door_would_refuse(running: Running, letter: Path) -> None:
    """I5."""
    letter.write_bytes(raw_mail("sales@example.com", "bob@example.org", number=77))
    told = running.good("explain", letter, "--rcpt-to", "sales@example.com", "--rcpt-to", "x@elsewhere.example")
    assert told.startswith("the door would refuse x@elsewhere.example: 550 5.7.1")


def test_an_address_as_recipient_and_as_sender(running: Running) -> None:
    running.good("contact", "add", "7", "bob@example.org", "--name", "Bob")
    running.mail()
    told = running.good("explain", "Bob@Example.org")
    assert "[I5] RCPT TO is answered 550 5.7.1" in told
    assert "[R15] contact 7 'Bob', external, mail" in told
    assert "[L1] author sales@example.com bob@example.org: 1 of 20 within 120 minutes" in told
    (said,) = running.lines("explain", "sales+anything@example.com")
    assert ("R9", "sales@example.com opens a crm.lead; everyone may write (R12)") in [
        (one["rule"], one["says"]) for one in said["findings"]
    ]
    running.good("alias", "rename", "sales@example.com", "orders")
    assert "[D9] a former address since" in running.good("explain", "sales@example.com")


def test_neither_a_file_nor_an_address(running: Running) -> None:
    said = running("explain", "nosuch.eml")
    assert (said.code, said.err) == (os.EX_NOINPUT, "postroad: nosuch.eml is neither a file nor an address\n")
    assert running("explain", "").err == "postroad: '' is neither a file nor an address\n"
    assert running("explain", running.folder).code == os.EX_NOINPUT


def test_a_key_that_cannot_be_read_from_here_is_said(running: Running, letter: Path) -> None:
    letter.write_bytes(raw_mail("sales@example.com", "bob@example.org", number=77))
    (running.folder / "signing.key").rename(running.folder / "elsewhere.key")
    said = running("explain", letter)
    assert said.code == os.EX_OK
    assert "key a (file:" in said.err
    assert "cannot be read from here: what it signed proves nothing" in said.err


def test_strangers_words_do_not_steer_a_terminal(running: Running) -> None:
    said = running.good("explain", "a@\x1b[2Jx.example")
    assert "relaying denied: \N{REPLACEMENT CHARACTER}[2jx.example" in said
    assert "\x1b" not in said
