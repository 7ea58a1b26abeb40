"""`postroad publish` and `postroad events`: an application takes part on one machine, without Kafka."""

import json
import os
import sys

import pytest

from tests.cli.conftest import Running
from tests.cli.installation import postroad

MARY = {"type": "contact", "contact_id": "7", "addresses": ["mary@example.org"], "name": "Mary"}
FOLLOWS = {"type": "thread.followed", "thread": "crm.lead/1", "followers": [{"contact": "7"}]}
POSTED = {
    "type": "chatter.posted",
    "thread": "crm.lead/1",
    "post": {
        "author": {"address": "ann@example.com", "name": "Ann"},
        "subject": "Chairs",
        "contents": {"text": "They come on Monday."},
    },
}


def given(running: Running, *lines: object) -> None:
    file = running.folder / "events.jsonl"
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))


def test_what_an_application_publishes_takes_effect(running: Running) -> None:
    """F1: a follower is told of a post."""
    given(running, MARY, "", FOLLOWS, POSTED)
    said = running.lines("publish", running.folder / "events.jsonl")
    assert [line["type"] for line in said] == ["contact", "thread.followed", "chatter.posted"]
    running.settle()
    (sent,) = running.lines("events", "outbound.submitted")
    assert (sent["event"]["recipient"], sent["event"]["cause_id"]) == ("mary@example.org", said[2]["event_id"])
    assert sent["event"]["trace_id"] == said[2]["event_id"]


def test_the_same_lines_twice_are_the_same_events(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    given(running, MARY, FOLLOWS, POSTED)
    first = running.good("publish", running.folder / "events.jsonl")
    with (running.folder / "events.jsonl").open() as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        assert running.good("publish", "-") == first
    running.settle()
    ids = {line["event"]["event_id"] for line in running.lines("events", "outbound.submitted")}
    assert len(ids) == 1


def test_an_application_goes_on_where_it_stopped(running: Running) -> None:
    running.mail()
    *_, last = running.lines("events", "mail.received")
    running.mail()
    (new,) = running.lines("events", "mail.received", "--after", str(last["offset"]))
    assert new["offset"] > last["offset"]
    assert new["event"]["message_id"] == "<2@example.org>"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("chairs", "line 2: not a JSON object", id="no JSON"),
        pytest.param("[]", "line 2: not a JSON object", id="no object"),
        pytest.param({"type": "mail.received"}, "'mail.received' is none that applications publish", id="not theirs"),
        pytest.param({"thread": "crm.lead/1"}, "type None is none", id="no type"),
        pytest.param({**FOLLOWS, "followers": 1}, "Expected `array`, got `int` - at `$.followers`", id="a wrong field"),
        pytest.param({"type": "thread.closed"}, "missing required field `thread`", id="a field left out"),
    ],
)
def test_of_lines_with_a_wrong_one_nothing_is_published(running: Running, line: object, words: str) -> None:
    given(running, MARY, line)
    said = running("publish", running.folder / "events.jsonl")
    assert (said.code, words in said.err, "nothing is published" in said.err) == (os.EX_DATAERR, True, True), said
    running.settle()
    assert running.rows("contacts") == {}


def test_nothing_is_said_aloud(running: Running) -> None:
    said = running("publish", os.devnull)
    assert (said.code, said.out, "no line came" in said.err) == (os.EX_OK, "", True), said
    said = running("events", "mail.routed")
    assert (said.code, said.out, said.err) == (os.EX_OK, "", "postroad: nothing lies on mail.routed\n"), said


def test_bad_words_are_told(running: Running) -> None:
    assert running("events", "mail.lost").code == os.EX_USAGE
    assert running("publish", running.folder / "nothing").code == os.EX_NOINPUT


def test_standard_input_before_anything_runs(stopped: Running) -> None:
    """It waits in the log."""
    said = postroad("publish", "--config", stopped.file, input=json.dumps(MARY))
    assert (said.code, said.out, "takes effect when the workers run" in said.err) == (os.EX_OK, "contact\n", True), said
