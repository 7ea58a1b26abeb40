"""`postroad simulate`: the outside door of the whole behaviour, as a command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postroad.simulate.play import Simulation
from postroad.simulate.schema import LINES, schema
from tests.support.scenario import EXAMPLE, Story

MAIL = "From: bob@example.org\r\nTo: sales@example.com\r\nMessage-ID: <1@example.org>\r\n\r\nPens?\r\n"
STORY = b"".join(
    json.dumps(line).encode() + b"\n"
    for line in (
        {"apply": EXAMPLE},
        {"mail": {"raw": MAIL}},
        {"at": "2026-01-01T01:00:00Z"},
        {"mail": {"raw": MAIL}},
        {
            "mail": {
                "raw": MAIL.replace("<1@", "<2@"),
                "door": "smtp",
                "rcpt_to": ["zoe@example.com", "zoe@elsewhere.example"],
            }
        },
    )
)


def command(*arguments: str, lines: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A process of its own, as a test from outside would start it."""
    code = "from postroad.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "simulate", *arguments],
        input=lines,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


def answered(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_story_through_the_command() -> None:
    played = command("-", lines=STORY)
    assert played.returncode == os.EX_OK
    answers = answered(played.stdout)
    assert [answer["line"] for answer in answers] == sorted(answer["line"] for answer in answers)
    settled = [a["event"] for a in answers if (a.get("event") or {}).get("type") == "message.settled"]
    assert [event["outcome"] for event in settled if event["mail_id"]] == ["delivered", "duplicate"]
    assert [a["answer"]["code"] for a in answers if "answer" in a] == [0, 0, 550, 550]
    assert [a["done"] for a in answers if "done" in a] == ["apply", "mail", "at", "mail", "mail"]


def test_the_same_input_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    scenario = tmp_path / "story.jsonl"
    scenario.write_bytes(STORY)
    one = command(str(scenario), PYTHONHASHSEED="1")
    two = command("-", lines=STORY, PYTHONHASHSEED="2")
    assert one.stdout == two.stdout != b""


@pytest.mark.parametrize(
    ("arguments", "lines", "code"),
    [
        pytest.param((), b"", os.EX_USAGE, id="no file"),
        pytest.param(("/nowhere/story.jsonl",), b"", os.EX_NOINPUT, id="a file that is not there"),
        pytest.param(("-",), b"", os.EX_OK, id="nothing to play"),
        pytest.param(("-",), b'{"at": "soon"}\n', os.EX_DATAERR, id="a line that cannot be played"),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], lines: bytes, code: int) -> None:
    assert command(*arguments, lines=lines).returncode == code


@pytest.mark.parametrize(
    ("line", "word"),
    [
        pytest.param(b"{", "truncated", id="no JSON"),
        pytest.param(b"[]", "object", id="no object"),
        pytest.param(b'{"mial": {}}', "mial", id="an unknown kind"),
        pytest.param(b'{"at": "2026-01-01T00:00:00Z", "drop": "x"}', "found 2", id="two kinds"),
        pytest.param(b'{"at": "2025-01-01T00:00:00Z"}', "forward", id="a clock that goes back"),
        pytest.param(b'{"event": {"type": "no.such"}}', "known:", id="an unknown event"),
        pytest.param(b'{"event": {"type": "chatter.posted"}}', "thread", id="an event without a field"),
        pytest.param(b'{"apply": {"alias": [{"adress": "x"}]}}', "address", id="a misspelt key"),
        pytest.param(b'{"mail": {}}', "raw_base64", id="no mail"),
        pytest.param(b'{"mail": {"raw_base64": "!"}}', "base64", id="no base64"),
        pytest.param(b'{"mail": {"path": "/nowhere"}}', "nowhere", id="no such file"),
        pytest.param(b'{"mail": {"raw": "\xff"}}', "raw_base64", id="bytes that are not UTF-8"),
        pytest.param(b'{"smarthost": {"name": "x", "body": 99}}', "550", id="no reply"),
        pytest.param(b'{"smarthost": {"name": "x", "times": 0}}', "times", id="no attempts"),
        pytest.param(b'{"state": {}}', "address", id="the state of nothing"),
        pytest.param(b'{"fetch": {"mailbox": "office"}}', "declared: none", id="fetch of no mailbox"),
        pytest.param(b'{"test": {"smarthost": "relay"}}', "declared: default", id="test of no server"),
        pytest.param(b'{"event":' * 100_000, "recursion", id="too deep"),
    ],
)
def test_a_bad_line_is_answered_and_the_next_is_read(line: bytes, word: str) -> None:
    answers: list[dict[str, Any]] = []
    simulation = Simulation(answers.append)
    assert not simulation.line(line)
    assert word in answers[-1]["error"]
    assert simulation.line(json.dumps({"apply": EXAMPLE}))
    assert answers[-1] == {"line": 2, "done": "apply"}


@pytest.mark.parametrize(
    ("mail_from", "degree"),
    [
        pytest.param(None, None, id="absent: the door does not know it"),
        pytest.param("", "answer", id="empty: the null reverse-path"),
        pytest.param("<>", "answer", id="as it is said in SMTP"),
        pytest.param("<bob@example.org>", None, id="in brackets"),
    ],
)
@pytest.mark.parametrize("door", ["pipe", "smtp"])
def test_what_an_absent_mail_from_means(door: str, mail_from: str | None, degree: str | None) -> None:
    story = Story()
    story.play(mail={"raw": MAIL, "door": door, "mail_from": mail_from})
    (received,) = story.events("mail.received")
    assert (received["automatic"] or {}).get("degree") == degree


def test_bytes_that_are_no_text() -> None:
    story = Story()
    story.play(mail={"raw_base64": "RnJvbTogYm9iQGV4YW1wbGUub3JnDQpUbzogc2FsZXNAZXhhbXBsZS5jb20NCg0K/wA="})
    (received,) = story.events("mail.received")
    assert story.outcome(received["message_id"]) == "delivered R9"


def test_a_contact_declared_again_stays_as_old_as_it_was() -> None:
    story = Story()
    story.apply(contact=[{"id": "eve", "address": "eve@customer.example"}])
    story.wait(days=1)
    story.apply(contact=[{"id": "eve", "address": "eve@customer.example", "name": "Eve"}])
    first, second = story.events("contact")
    assert first["created_at"] == second["created_at"]


def test_the_state_of_an_alias_however_it_is_written() -> None:
    story = Story()
    assert story.state(alias="Sales@Example.com")["alias"]["record_type"] == "crm.lead"
    assert story.state(alias="nobody@example.com") == {"alias": None, "state": None}


def test_contents_prints_each_object() -> None:
    story = Story(contents=True)
    story.mail(text="Pens?")
    kinds = [answer["object"]["type"] for answer in story.answers if "object" in answer]
    assert kinds == ["message/rfc822", "text/plain", "text/plain"]


def test_every_example_of_the_schema_can_be_played() -> None:
    answers: list[dict[str, Any]] = []
    simulation = Simulation(answers.append)
    for kind, (_, example) in LINES.items():
        played = simulation.line(json.dumps(example))
        assert played is (kind not in ("release", "drop"))
    assert set(LINES) == set(schema()["$defs"]["Line"]["properties"])


def test_the_schema_refers_to_nothing_that_is_not_there() -> None:
    document = json.loads(command("--schema").stdout)
    wanted = {part.partition('"')[0] for part in json.dumps(document).split("#/$defs/")[1:]}
    assert wanted <= document["$defs"].keys()
