"""`postroad dead`: what a worker could not work on is found by what it died of, and goes back or ends (promise 3)."""

import io
import os
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroad.runtime.embedded import hand_in
from postroad.runtime.embedded.log import VERSION, SqliteLog
from postroad_schemas import Record, record
from tests.cli.conftest import Running

POISON = b"not JSON"


def hand(running: Running, *records: Record) -> None:
    """What another process puts onto the log, worked to rest."""
    hand_in(running.folder / "log.sqlite", records)
    running.settle()


@pytest.fixture
def poisoned(running: Running) -> Running:
    """Two of one kind for routing, one of another for the loop guard."""
    hand(running, Record("mail.received", b"a", POISON), Record("mail.received", b"b", POISON))
    hand(running, Record("mail.routed", b"c", b'{"type":"of.tomorrow"}'))
    return running


def test_letters_are_grouped_by_what_they_died_of(poisoned: Running) -> None:
    first, second = poisoned.lines("dead", "list")
    assert (first["worker"], first["letters"], first["attempts"]) == ("routing", 2, 1)
    assert first["fingerprint"] == "invalid Unreadable mail.received -"
    assert (second["worker"], second["fingerprint"]) == ("loop_guard", "unknown_type Unreadable mail.routed -")
    assert [line["id"] for line in poisoned.lines("dead", "list", "--each")] == [
        "routing/0/1", "routing/0/2", "loop_guard/0/1",
    ]  # fmt: skip
    assert poisoned.good("dead", "list").splitlines()[0].strip().startswith("2  routing")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param(["--worker", "routing"], 2, id="of a worker"),
        pytest.param(["--reason", "unknown_type"], 1, id="of a reason"),
        pytest.param(["--topic", "mail.received"], 2, id="of a topic"),
        pytest.param(["--type", "mail.received"], 0, id="of a type that none can be told to be"),
        pytest.param(["--fingerprint", "invalid Unreadable mail.received -"], 2, id="of a fingerprint"),
        pytest.param(["--older-than", "1h"], 0, id="of an age"),
        pytest.param(["--worker", "routing", "--reason", "unknown_type"], 0, id="all must be so"),
    ],
)
def test_a_filter_names_some(poisoned: Running, words: list[str], found: int) -> None:
    assert len(poisoned.lines("dead", "list", "--each", *words)) == found


def test_one_is_shown_with_its_place_and_its_bytes(poisoned: Running) -> None:
    (shown,) = poisoned.lines("dead", "show", "loop_guard/0/1")
    assert (shown["topic"], shown["reason"], shown["key"]) == ("mail.routed", "unknown_type", "c")
    assert shown["record"] == '{"type":"of.tomorrow"}'
    assert poisoned.good("dead", "show", "routing/0/1", "--raw") == POISON.decode()


def test_what_fails_again_is_buried_again_with_one_attempt_more(poisoned: Running) -> None:
    first = poisoned.lines("dead", "show", "routing/0/1")[0]["first_failed"]
    assert poisoned.good("dead", "retry", "routing/0/1").startswith("sent back routing/0/1")
    poisoned.settle()
    (again,) = [line for line in poisoned.lines("dead", "list", "--each") if line["key"] == "a"]
    assert (again["attempts"], again["first_failed"]) == (2, first)
    assert again["id"] != "routing/0/1"
    assert poisoned("dead", "retry", "routing/0/1").code == os.EX_NOINPUT


def test_what_can_be_worked_on_now_takes_effect(running: Running) -> None:
    """As after a fix: the record was buried by a version that could not read it."""
    mail = running.mail()
    (before,) = running.became(mail)
    made = record(mail)
    said = {"reason": b"raised", "error": b"KeyError: x", "topic": b"mail.received", "attempts": b"1"}
    twin = made.value.replace(mail.event_id.encode(), b"f" * 32) if made.value else None
    hand(running, Record("routing.dead", made.key, twin, tuple(said.items())))
    assert running.lines("dead", "list")[0]["fingerprint"] == "raised KeyError mail.received mail.received"
    running.good("dead", "retry", "--reason", "raised")
    running.settle()
    assert [it.outcome for it in running.became(mail)] == [before.outcome, "duplicate"]
    assert running.lines("dead", "list") == []


def test_a_dry_run_changes_nothing(poisoned: Running) -> None:
    said = poisoned.good("dead", "retry", "--worker", "routing", "--dry-run")
    assert [line.startswith("would be sent back") for line in said.splitlines()] == [True, True]
    poisoned.settle()
    assert len(poisoned.lines("dead", "list", "--each")) == 3


@pytest.mark.parametrize(
    ("typed", "code", "left"),
    [
        pytest.param(None, os.EX_USAGE, 3, id="a script has nobody to ask"),
        pytest.param("n\n", os.EX_USAGE, 3, id="a person says no"),
        pytest.param("y\n", os.EX_OK, 1, id="a person says yes"),
    ],
)
def test_drop_asks(poisoned: Running, monkeypatch: pytest.MonkeyPatch, typed: str | None, code: int, left: int) -> None:
    if typed is not None:
        terminal = io.StringIO(typed)
        monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys, "stdin", terminal)
    said = poisoned("dead", "drop", "--worker", "routing")
    assert said.code == code
    assert ("Drop these 2 letters for ever? [y/N]" in said.err) is (typed is not None)
    assert ("nothing is dropped: --yes does it without asking" in said.err) is (code != os.EX_OK)
    poisoned.settle()
    assert len(poisoned.lines("dead", "list", "--each")) == left


def test_what_is_dropped_is_gone(poisoned: Running) -> None:
    assert "would be dropped" in poisoned.good("dead", "drop", "--worker", "routing", "--dry-run")
    poisoned.good("dead", "drop", "--worker", "routing", "--yes")
    poisoned.settle()
    assert [line["worker"] for line in poisoned.lines("dead", "list")] == ["loop_guard"]
    assert list(poisoned.log.records("mail.received")) == []


def test_a_letter_that_names_no_topic_stays_and_the_others_go(poisoned: Running) -> None:
    hand(poisoned, Record("routing.dead", b"x", b"{}", (("reason", b"invalid"), ("topic", b"of.nobody"))))
    said = poisoned("dead", "retry", "--worker", "routing")
    assert (said.code, said.out.count("sent back")) == (os.EX_DATAERR, 2)
    assert "of.nobody is no topic that it could go back to" in said.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(["retry"], os.EX_USAGE, "name letters by their IDs", id="none named"),
        pytest.param(["drop", "routing/0/1", "--worker", "routing"], os.EX_USAGE, "name letters", id="both ways"),
        pytest.param(["retry", "routing/0/9"], os.EX_NOINPUT, "did you mean routing/0/", id="no such letter"),
        pytest.param(["list", "--worker", "router"], os.EX_USAGE, "there are: ingest, routing", id="no such worker"),
        pytest.param(["retry", "--worker", "routing", "--rate", "0"], os.EX_USAGE, "is no rate", id="no rate"),
        pytest.param(["list", "--older-than", "soon"], os.EX_USAGE, "is no age", id="no age"),
    ],
)
def test_bad_words_are_told(poisoned: Running, words: list[str], code: int, told: str) -> None:
    said = poisoned("dead", *words)
    assert (said.code, told in said.err) == (code, True), said


def test_a_file_of_the_former_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """What a former version handed in is still taken."""
    path = tmp_path / "log.sqlite"
    SqliteLog.open(path).close()
    with sqlite3.connect(path) as former:
        former.execute("ALTER TABLE inbox DROP COLUMN headers")
        former.execute("INSERT INTO inbox (topic, key, value) VALUES ('mail.routed', x'61', x'62')")
        former.execute("PRAGMA user_version = 1")
    opened = SqliteLog.open(path)
    taken = opened.inbox(10)
    opened.close()
    assert taken is not None
    assert taken.records == [Record("mail.routed", b"a", b"b")]
    with sqlite3.connect(path) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_when_it_was_buried_is_kept(poisoned: Running) -> None:
    letter = next(iter(poisoned.log.letters("routing")))
    assert (datetime.now(UTC) - letter.at).total_seconds() < 60
