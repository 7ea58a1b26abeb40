"""Commands as a newcomer meets them: help, usage, exit codes of sysexits, one line for each trouble."""

import io
import os
import shlex
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postroad import __version__
from postroad.cli.main import COMMANDS
from postroad.tour.story import STEPS
from tests.cli.installation import COMMAND, ENVIRONMENT, Installation, Said, mail, postroad

Run = Callable[..., Said]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_the_demo_ends_by_itself_and_says_each_step() -> None:
    started = time.monotonic()
    said = postroad("demo")
    assert (said.code, said.err) == (os.EX_OK, "")
    assert time.monotonic() - started < 60
    assert [step.__doc__ for step in STEPS if f"{step.__doc__}" not in said.out] == []


@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS])
def test_help_opens_with_what_the_command_does(run: Run, name: str) -> None:
    said = run(name, "--help")
    lines = [line for line in said.out.splitlines() if line.strip()]
    summary = next(text for command, _, text in COMMANDS if command == name)
    assert (said.code, lines[0].startswith(f"Usage: postroad {name}")) == (os.EX_OK, True)
    assert lines[1] == summary


def test_help_names_every_command_and_where_to_start(run: Run) -> None:
    said = run("--help")
    assert [name for name, _, text in COMMANDS if name not in said.out or text not in said.out] == []
    assert "Start with postroad demo" in said.out.replace("`", "")


def test_version() -> None:
    assert postroad("version") == Said(os.EX_OK, f"{__version__}\n", "")


def test_wrong_usage_of_the_real_command() -> None:
    said = postroad("up", "--nosuch")
    assert (said.code, said.out, "Unknown option: --nosuch" in said.err) == (os.EX_USAGE, "", True)


def test_a_reader_that_goes_away_is_no_trouble() -> None:
    program = f"{' '.join(map(shlex.quote, COMMAND))} schemas | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", program], env=ENVIRONMENT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (os.EX_OK, b"")


@pytest.mark.parametrize(
    ("line", "code", "answer"),
    [
        pytest.param("schemas > /dev/full", os.EX_IOERR, b"No space left on device\n", id="output that is full"),
        pytest.param("simulate --schema >&-", os.EX_OK, b"", id="output that is closed"),
        pytest.param("simulate - <&-", os.EX_OK, b"", id="input that is closed"),
        pytest.param("manifests --write /dev/null/x", os.EX_IOERR, b"/kafka: Not a directory\n", id="no folder"),
        pytest.param(
            "domain add $'a\\xff.example' --config {file}", os.EX_DATAERR, b"is not UTF-8: write it so\n", id="no UTF-8"
        ),
    ],
)
def test_what_a_shell_may_do_ends_in_one_line(installation: Installation, line: str, code: int, answer: bytes) -> None:
    program = f"{' '.join(map(shlex.quote, COMMAND))} {line.format(file=installation.file)}"
    done = subprocess.run(["bash", "-c", program], env=ENVIRONMENT, capture_output=True, check=False)
    assert (done.returncode, done.stderr.endswith(answer), done.stderr.count(b"\n")) == (code, True, bool(answer)), done


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["nosuch"], id="no such command"),
        pytest.param(["up", "--nosuch"], id="no such option"),
        pytest.param(["apply"], id="an argument is missing"),
        pytest.param(["trace", "--config"], id="an option's value is missing"),
        pytest.param(["show", "a", "b", "c"], id="an argument too many"),
        pytest.param(["worker", "nosuch"], id="no such worker"),
        pytest.param(["simulate"], id="no scenario"),
        pytest.param(["parse"], id="no mail"),
        pytest.param(["schemas", "nosuch"], id="no such topic"),
    ],
)
def test_wrong_usage_is_64_and_no_traceback(run: Run, words: list[str]) -> None:
    said = run(*words)
    assert said.code == os.EX_USAGE
    assert said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "called"),
    [
        pytest.param(["nosuch"], "postroad", id="of the whole"),
        pytest.param(["mailbox", "add", "office"], "postroad mailbox add", id="of the command that was meant"),
    ],
)
def test_wrong_usage_names_the_help(run: Run, words: list[str], called: str) -> None:
    assert run(*words).err.splitlines()[-1] == f"postroad: `{called} --help` says how it is called"


ASKED = {  # what each command needs beside --config
    **dict.fromkeys(("up", "show", "doctor", "events", "history", "budgets", "manifests", "publish"), ()),
    **dict.fromkeys(("params", "alias", "domain", "contact", "smarthost", "keys", "held", "outbound"), ("list",)),
    **dict.fromkeys(("dead", "suppression", "mailbox"), ("list",)),
    "worker": ("ingest",),
    "topics": ("plan",),
    "trace": ("x",),
    "events": ("mail.received",),
    "explain": ("a@example.com",),
}


@pytest.mark.parametrize("command", ASKED)
def test_settings_are_where_the_environment_says(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("POSTROAD_CONFIG", "/no where:at/all.toml")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    said = run(command, *ASKED[command])
    assert (said.code, said.out) == (os.EX_CONFIG, "")
    assert "/no where:at/all.toml: No such file" in said.err


@pytest.mark.parametrize(
    ("variable", "words", "answer"),
    [
        pytest.param("a.toml", ["show"], "a.toml: No such file", id="by the environment"),
        pytest.param("a.toml", ["show", "--config", "b.toml"], "b.toml: No such file", id="the command line beats it"),
        pytest.param("", ["show"], "nothing is declared yet", id="set to nothing it is not set"),
        pytest.param("a.toml", ["apply", "{file}"], "a.toml: No such file", id="the installation that apply is for"),
    ],
)
def test_which_settings(
    run: Run, monkeypatch: pytest.MonkeyPatch, installation: Installation, variable: str, words: list[str], answer: str
) -> None:
    monkeypatch.chdir(installation.folder)
    monkeypatch.setenv("POSTROAD_CONFIG", variable)
    assert answer in run(*(word.format(file=installation.file) for word in words)).err


def test_help_names_the_variable(run: Run) -> None:
    for words in (["show"], ["up"], ["worker"], ["topics", "plan"], ["alias", "list"]):
        assert "env var: POSTROAD_CONFIG" in run(*words, "--help").out


def not_a_log(installation: Installation) -> None:
    (installation.folder / "log.sqlite").write_bytes(b"something else" * 100)


def a_row(text: str) -> Callable[[Installation], None]:
    def prepare(installation: Installation) -> None:
        installation.declare(text)

    return prepare


@pytest.mark.parametrize(
    ("prepare", "words", "code", "answer"),
    [
        pytest.param(None, ["apply", "none.toml"], os.EX_CONFIG, "none.toml: No such file", id="no such file"),
        pytest.param(None, ["up", "--config", "none.toml"], os.EX_CONFIG, "none.toml: No such file", id="no settings"),
        pytest.param(
            None,
            ["preview", "crm.lead/7", "--config", "none.toml"],
            os.EX_CONFIG,
            "none.toml: No such file",
            id="preview",
        ),
        pytest.param(a_row("[smpt]\n"), ["up", "--config", "{file}"], os.EX_CONFIG, "did you mean 'smtp'", id="a key"),
        pytest.param(
            a_row("[kafka]\npartitions = 0"), ["up", "--config", "{file}"], os.EX_CONFIG, ">= 1", id="a value"
        ),
        pytest.param(
            a_row('[[alias]]\nadress = "x"'), ["apply", "{file}"], os.EX_CONFIG, "did you mean 'address'", id="a row"
        ),
        pytest.param(
            a_row('[[smarthost]]\nname = "a"\nhost = "h.example"\ncredentials = { username = "u", secret = "hush" }'),
            ["apply", "{file}", "--dry-run"],
            os.EX_OK,
            "",
            id="a dry run asks no gate",
        ),
        pytest.param(not_a_log, ["up", "--config", "{file}"], os.EX_UNAVAILABLE, "restore the backup", id="up: no log"),
        pytest.param(
            not_a_log, ["show", "--config", "{file}"], os.EX_UNAVAILABLE, "restore the backup", id="show: no log"
        ),
        pytest.param(not_a_log, ["apply", "{file}"], os.EX_UNAVAILABLE, "restore the backup", id="apply: no log"),
        pytest.param(
            None, ["trace", "<1@a>", "--config", "{file}"], os.EX_UNAVAILABLE, "start `postroad up` once", id="no trace"
        ),
        pytest.param(None, ["show", "--config", "{file}"], os.EX_OK, "nothing is declared yet", id="nothing declared"),
        pytest.param(
            None, ["show", "alias", "--config", "{file}"], os.EX_NOINPUT, "there is: nothing yet", id="no such kind"
        ),
        pytest.param(None, ["parse", "none.eml"], os.EX_NOINPUT, "none.eml: cannot be read", id="no such mail"),
        pytest.param(None, ["simulate", "none"], os.EX_NOINPUT, "none: No such file", id="no such scenario"),
    ],
)
def test_trouble_is_one_line_that_says_what_to_do(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    installation: Installation,
    prepare: Callable[[Installation], None] | None,
    words: list[str],
    code: int,
    answer: str,
) -> None:
    if prepare:
        prepare(installation)
    monkeypatch.chdir(installation.folder)
    said = run(*(word.format(file=installation.file) for word in words))
    assert (said.code, answer in said.err) == (code, True), said.err
    assert said.err.count("\n") == bool(answer)


@pytest.mark.parametrize(
    ("smtp", "answer"),
    [
        pytest.param('certificate = "none.pem"', "certificate none.pem cannot be used", id="no certificate"),
        pytest.param('certificate = "{file}"', "name PEM files", id="a certificate that is none"),
        pytest.param('host = "192.0.2.1"', "choose host and port in [smtp]", id="no address of this machine"),
        pytest.param('host = "no such host"', "choose host and port in [smtp]", id="no address at all"),
    ],
)
def test_a_door_that_cannot_open_says_why(run: Run, installation: Installation, smtp: str, answer: str) -> None:
    text = installation.file.read_text().replace("[smtp]\n", f"[smtp]\n{smtp.format(file=installation.file)}\n")
    installation.file.write_text(text)
    said = run("up", "--config", installation.file)
    assert said.code in (os.EX_CONFIG, os.EX_UNAVAILABLE)
    assert answer in said.err
    assert said.err.count("\n") == 1


def test_a_port_that_is_taken_is_said(run: Run, installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        installation.declare("", port)
        said = run("up", "--config", installation.file)
    assert said.code == os.EX_UNAVAILABLE
    assert said.err == (
        f"postroad: 127.0.0.1:{port} cannot be listened on (Address already in use): choose host and port in [smtp]\n"
    )


@pytest.mark.parametrize(
    ("store", "code", "answer"),
    [
        pytest.param("floppy:{folder}", os.EX_CONFIG, "is no object store", id="no such kind"),
        pytest.param(
            "file:{file}/objects", os.EX_CANTCREAT, "/objects: File exists: name a folder in", id="a file is in the way"
        ),
        pytest.param(
            "file:/proc/self/mem/objects", os.EX_CANTCREAT, "name a folder in [store] url", id="not even that"
        ),
    ],
)
def test_a_store_that_cannot_be_used_stops_the_start(
    run: Run, installation: Installation, store: str, code: int, answer: str
) -> None:
    url = store.format(folder=installation.folder, file=installation.file)
    text = installation.file.read_text().replace(f"file:{installation.folder}/objects", url)
    installation.file.write_text(text)
    said = run("up", "--config", installation.file)
    assert (said.code, answer in said.err, said.err.count("\n")) == (code, True, 1), said


def test_a_bucket_that_is_away_is_told_and_mails_wait(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I2: it may be back before the next mail."""
    login = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    for name, value in {**login, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true"}.items():
        monkeypatch.setitem(ENVIRONMENT, name, value)
    text = installation.file.read_text().replace(f"file:{installation.folder}/objects", "s3://mails")
    installation.file.write_text(text)
    installation("apply")
    warned = "postroad: objects in s3://mails: .*: check its address, credentials and rights; mails are answered 451"
    with installation.up(warned), installation.session() as client, pytest.raises(smtplib.SMTPDataError) as answer:
        client.send_message(mail(1), "a@example.org", ["sales@example.com"])
    assert answer.value.smtp_code == 451
