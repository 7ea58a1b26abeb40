"""`postroad parse`."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import cyclopts
import pytest

RAW = (
    b"From: Mary <m@a.example>\nTo: b@c.example\nSubject: x\nMessage-ID: <1@a>\nPrecedence: bulk\n\n"
    b"hello\n\n-- \nMary\n"
)
KEYS = (
    *("subject", "from", "to", "cc", "date", "message_id", "in_reply_to", "references", "automatic", "report"),
    *("text", "html", "reply_text", "leaves"),
)


@pytest.fixture
def app() -> cyclopts.App:
    app = cyclopts.App(result_action="return_value")
    app.command("postroad.cli.parse:parse", name="parse")
    return app


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    path = tmp_path / "a mail.eml"
    path.write_bytes(RAW)
    return path


@pytest.fixture
def batch() -> Iterator[subprocess.Popen[str]]:
    program = "import sys; from postroad.cli.parse import parse; sys.exit(parse(batch=True))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.kill()


def ask(process: subprocess.Popen[str], path: object) -> dict[str, object]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path}\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    assert isinstance(answer, dict)
    return answer


def test_shows_a_mail_to_people(app: cyclopts.App, mail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app(["parse", str(mail)]) == os.EX_OK
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("Mary <m@a.example>", "Precedence: bulk", "| hello"))
    assert "-- " not in shown


def test_shows_a_mail_to_scripts(app: cyclopts.App, mail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app(["parse", str(mail), "--json"]) == os.EX_OK
    shown = json.loads(capsys.readouterr().out)
    assert tuple(shown) == KEYS
    assert shown["from"] == [{"name": "Mary", "address": "m@a.example"}]
    assert (shown["automatic"], shown["report"], shown["date"]) == ("Precedence: bulk", None, None)


def test_an_unreadable_path_is_named(app: cyclopts.App, mail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app(["parse", str(mail.parent / "none"), str(mail)]) == os.EX_NOINPUT
    shown = capsys.readouterr()
    assert "none: cannot be read: No such file" in shown.err
    assert "| hello" in shown.out


def test_no_path_is_a_usage_error(app: cyclopts.App, capsys: pytest.CaptureFixture[str]) -> None:
    assert app(["parse"]) == os.EX_USAGE
    assert "--batch" in capsys.readouterr().err


def test_batch_answers_each_line_before_the_next_is_sent(batch: subprocess.Popen[str], mail: Path) -> None:
    first = ask(batch, mail)
    assert tuple(first) == KEYS
    assert first["reply_text"] == "hello"
    assert first["leaves"] == [
        {
            "type": "text/plain",
            "b64": b64encode(b"hello\n\n-- \nMary\n").decode(),
            "text": "hello\n\n-- \nMary\n",
            "filename": "",
            "content_id": "",
            "disposition": "",
        }
    ]
    assert "error" in ask(batch, mail.parent / "none")
    assert ask(batch, mail) == first


def test_batch_reads_odd_bytes_without_an_error(batch: subprocess.Popen[str], tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(bytes(range(256)) * 10)
    assert tuple(ask(batch, odd)) == KEYS
    assert "error" in ask(batch, "no\0path")
    odd.write_bytes(b"")
    assert ask(batch, odd)["leaves"] == []
