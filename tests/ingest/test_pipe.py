"""`postroad pipe` as a mail server runs it: 0 after acceptance and not before (I2), 75 for whatever is our fault."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.doors.envelope import envelope
from postroad.runtime.broker import Cluster
from postroad.runtime.named import digest
from postroad_schemas import read
from postroad_schemas.directory import Parameter
from postroad_schemas.mail import MailReceived
from postroad_schemas.values import Envelope
from tests.cli.installation import COMMAND, ENVIRONMENT, Installation
from tests.ingest.acceptance import MAIL
from tests.support.kafka import cluster_settings, fresh_topics, publish, records


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log on which the gate has written what is declared."""
    made = Installation(tmp_path_factory.mktemp("declared"))
    assert made("apply").code == os.EX_OK
    with made.up():
        soon(lambda: len(made.events("directory")) >= 2)
    return made.folder


@pytest.fixture
def declared(template: Path, tmp_path: Path) -> Installation:
    """With such a log; nobody runs."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


def soon(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(*words: str | Path, stdin: Any = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    command = [*COMMAND, "pipe", *map(str, words)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def pipe(*words: str | Path, mail: bytes = MAIL) -> tuple[int, str]:
    """Exit code, and what was said."""
    with start(*words) as process:
        out, err = process.communicate(mail, timeout=60)
        assert out == b""  # a mail server would put it into the mail it returns
        return process.returncode, err.decode()


def inbox(installation: Installation) -> int:
    """How many events wait for the next start."""
    with contextlib.closing(sqlite3.connect(installation.folder / "log.sqlite")) as log:
        return int(log.execute("SELECT count(*) FROM inbox").fetchone()[0])


def received(installation: Installation) -> list[MailReceived]:
    return [event for event in installation.events("mail.received") if isinstance(event, MailReceived)]


@pytest.mark.parametrize(
    ("mail_from", "rcpt_to", "made"),
    [
        pytest.param(None, [], Envelope(), id="not known"),
        pytest.param("", [], Envelope(mail_from=""), id="the null reverse-path"),
        pytest.param("<>", [], Envelope(mail_from=""), id="the null reverse-path in brackets"),
        pytest.param("MAILER-DAEMON", [], Envelope(mail_from=""), id="the null reverse-path as pipe(8) writes it"),
        pytest.param("MAILER-DAEMON@a.example", [], Envelope(mail_from="MAILER-DAEMON@a.example"), id="a real address"),
        pytest.param("root", [], Envelope(mail_from="root"), id="a sender without domain"),
        pytest.param(
            "a@example.org",
            ["<b@example.com>", "postmaster"],
            Envelope(mail_from="a@example.org", rcpt_to=("b@example.com", "postmaster")),
            id="as given",
        ),
    ],
)
def test_the_envelope_is_as_it_is_said(mail_from: str | None, rcpt_to: list[str], made: Envelope) -> None:
    assert envelope(mail_from, rcpt_to) == made


@pytest.mark.parametrize(
    ("mail_from", "rcpt_to"),
    [
        pytest.param("a\n@example.org", [], id="two lines"),
        pytest.param("a" * 999, [], id="longer than a line"),
        pytest.param(None, ["sales"], id="no domain"),
        pytest.param(None, ["@example.com"], id="no local part"),
        pytest.param(None, ["sales@"], id="an empty domain"),
        pytest.param(None, [""], id="nothing"),
    ],
)
def test_what_is_no_address_is_told(mail_from: str | None, rcpt_to: list[str]) -> None:
    with pytest.raises(ValueError, match="is no address: "):
        envelope(mail_from, rcpt_to)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], Envelope(), id="no envelope"),
        pytest.param(
            ["-f", "a@example.org", "--", "sales@example.com", "-x@example.com"],
            Envelope(mail_from="a@example.org", rcpt_to=("sales@example.com", "-x@example.com")),
            id="as in master.cf",
        ),
        pytest.param(
            ["-f", "", "--", "sales@example.com"], Envelope(mail_from="", rcpt_to=("sales@example.com",)), id="null"
        ),
        pytest.param(
            ["-f", "--kafka=evil@example.org", "--rcpt-to", "-x@example.com"],
            Envelope(mail_from="--kafka=evil@example.org", rcpt_to=("-x@example.com",)),
            id="addresses are no options",
        ),
        pytest.param(
            ["--mail-from", "a@example.org", "--rcpt-to", "sales@example.com", "--rcpt-to", "b@example.com"],
            Envelope(mail_from="a@example.org", rcpt_to=("sales@example.com", "b@example.com")),
            id="in words",
        ),
    ],
)
def test_a_mail_waits_for_the_next_start(declared: Installation, words: list[str], said: Envelope) -> None:
    assert pipe("--config", declared.file, *words) == (os.EX_OK, "")
    assert inbox(declared) == 1
    with declared.up():
        soon(lambda: len(declared.settled()) == 1)
    [event] = received(declared)
    assert (event.door, event.envelope, event.raw) == ("pipe", said, digest(MAIL))


def test_each_call_is_an_acceptance_of_its_own_and_the_second_a_duplicate(declared: Installation) -> None:
    with declared.up():
        for _ in range(2):
            assert pipe("--config", declared.file, "--", "sales@example.com")[0] == os.EX_OK
        soon(lambda: len(declared.settled()) == 2)
    assert len({event.event_id for event in received(declared)}) == 2
    assert sorted(event.outcome for event in declared.settled()) == ["delivered", "duplicate"]


def relative_store(installation: Installation) -> None:
    installation.file.write_text(installation.file.read_text().replace(f"file:{installation.folder}/", "file:"))


def store_in_memory(installation: Installation) -> None:
    text = installation.file.read_text().replace(f"file:{installation.folder}/objects", "memory:")
    installation.file.write_text(text)


def store_is_a_file(installation: Installation) -> None:
    shutil.rmtree(installation.folder / "objects")  # a start has tried it
    (installation.folder / "objects").write_text("")


def log_is_none(installation: Installation) -> None:
    (installation.folder / "log.sqlite").write_bytes(b"something else" * 100)


def unknown_key(installation: Installation) -> None:
    installation.file.write_text("[smpt]\n")


def no_broker(installation: Installation) -> None:
    installation.file.write_text(f'{installation.file.read_text()}[kafka]\nbootstrap = "127.0.0.1:1"\n')


@pytest.mark.parametrize(
    ("prepare", "words", "mail", "code", "answer"),
    [
        pytest.param(None, ["sales"], MAIL, os.EX_USAGE, "write local-part@domain", id="no address"),
        pytest.param(None, ["--nosuch"], MAIL, os.EX_USAGE, "--nosuch", id="no such option"),
        pytest.param(None, [], b"", os.EX_DATAERR, "no mail on standard input", id="nothing"),
        pytest.param(log_is_none, [], b"", os.EX_DATAERR, "no mail on standard input", id="nothing, and no log"),
        pytest.param(log_is_none, [], MAIL, os.EX_TEMPFAIL, "restore the backup", id="no log"),
        pytest.param(store_is_a_file, [], MAIL, os.EX_TEMPFAIL, "name a folder in [store] url", id="no store"),
        pytest.param(store_in_memory, [], MAIL, os.EX_TEMPFAIL, "ends with this command", id="a store in memory"),
        pytest.param(relative_store, [], MAIL, os.EX_TEMPFAIL, "name a whole path", id="a store somewhere"),
        pytest.param(unknown_key, [], MAIL, os.EX_TEMPFAIL, "did you mean 'smtp'", id="settings with a slip"),
        pytest.param(no_broker, [], MAIL, os.EX_TEMPFAIL, "127.0.0.1:1", id="broker away"),
    ],
)
def test_exit_codes(
    declared: Installation,
    prepare: Callable[[Installation], None] | None,
    words: list[str],
    mail: bytes,
    code: int,
    answer: str,
) -> None:
    if prepare:
        prepare(declared)
    ended, said = pipe("--config", declared.file, *words, mail=mail)
    assert (ended, answer in said) == (code, True), said
    assert "Traceback" not in said
    assert prepare is log_is_none or inbox(declared) == 0


def test_without_a_log_nothing_is_accepted_into_one_that_nobody_reads(installation: Installation) -> None:
    code, said = pipe("--config", installation.file)
    assert (code, "start `postroad up` once" in said) == (os.EX_TEMPFAIL, True), said
    assert not (installation.folder / "log.sqlite").exists()


@contextlib.contextmanager
def locked(installation: Installation) -> Iterator[None]:
    """Somebody holds the log, so that nothing is written to it."""
    with contextlib.closing(sqlite3.connect(installation.folder / "log.sqlite", isolation_level=None)) as log:
        log.execute("BEGIN IMMEDIATE")
        yield
        log.execute("ROLLBACK")


def test_a_broker_that_never_answers_is_75_in_time(declared: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f'[kafka]\nbootstrap = "127.0.0.1:{silent.getsockname()[1]}"\nrequest = 1.0\n'
        declared.file.write_text(declared.file.read_text() + where)
        began = time.monotonic()
        code, said = pipe("--config", declared.file)
    assert (code, "does not answer within 2 seconds" in said) == (os.EX_TEMPFAIL, True), said
    assert time.monotonic() - began < 60


def test_a_log_that_cannot_be_written_to_is_75(declared: Installation) -> None:
    with locked(declared):
        code, said = pipe("--config", declared.file)
    assert (code, "locked" in said) == (os.EX_TEMPFAIL, True), said
    assert inbox(declared) == 0


def test_killed_between_store_and_event_it_did_not_end_with_0(declared: Installation) -> None:
    name = digest(MAIL).ref.removeprefix("sha256/")
    with locked(declared), start("--config", declared.file) as process:
        assert process.stdin is not None
        process.stdin.write(MAIL)
        process.stdin.close()
        soon(lambda: any((declared.folder / "objects").rglob(name)))
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    assert inbox(declared) == 0


def test_memory_is_bounded_by_the_size_limit(declared: Installation) -> None:
    with Path("/dev/zero").open("rb") as endless, start("--config", declared.file, stdin=endless) as process:
        largest = 0
        while process.poll() is None:
            largest = max(largest, high_water(process.pid))
        assert process.stderr is not None
        assert "larger than mail.smtp.size allows" in process.stderr.read().decode()
    assert process.returncode == os.EX_DATAERR
    assert 0 < largest < 256 * 1024  # KiB; the limit is 25 MiB


def high_water(pid: int) -> int:
    """Most resident memory of a process so far, in KiB."""
    with contextlib.suppress(OSError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next((line for line in lines if line.startswith("VmHWM")), "VmHWM: 0").split()[1])
    return 0


@pytest.mark.broker
async def test_on_a_cluster(installation: Installation, broker: Cluster) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka)
    where = ("--config", installation.file, "--kafka", broker.bootstrap)
    words = (*where, "-f", "a@example.org", "--", "sales@example.com")

    assert (await asyncio.to_thread(pipe, *words))[0] == os.EX_OK
    [found] = await records(kafka, "mail.received")
    event = read(found.topic, found.value or b"")
    assert isinstance(event, MailReceived)
    assert (event.door, event.raw, event.envelope.mail_from) == ("pipe", digest(MAIL), "a@example.org")

    await publish(kafka, [Parameter(name="mail.smtp.size", value="10")])
    code, said = await asyncio.to_thread(pipe, *words)
    assert (code, "(10 octets)" in said) == (os.EX_DATAERR, True), said
    assert len(await records(kafka, "mail.received")) == 1
