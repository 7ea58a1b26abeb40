"""A real Postfix as the sender at our doors: what it queues arrives, what we refuse for now it keeps (I1, I2, I5)."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.doors.lmtp import LmtpDoor
from postroad.runtime.config import Config, Lmtp
from postroad.runtime.worker import Unavailable
from tests.cli.installation import Installation
from tests.ingest.dialog import door
from tests.ingest.test_pipe import received
from tests.support.declared import tools
from tests.support.postfix import postfix
from tests.support.smtp_sink import SmtpSink, make_certificate

ANNA, SALES = "anna@example.org", "sales@example.com"
MAIL = (
    b"From: anna@example.org\r\nTo: sales@example.com\r\nSubject: From a Postfix\r\n\r\nHello\r\n.\r\n.. two dots\r\n"
)
AS_SENT = b"\r\n\r\nHello\r\n.\r\n.. two dots\r\n"
PIPE = "postroad unix - n n - - pipe flags=q user=nobody argv={folder}/postroad -f ${sender} -- ${recipient}"


class Log:
    """What is acknowledged; at first it may be away."""

    def __init__(self, away: int = 0) -> None:
        self.events: list[Any] = []
        self.away = away

    async def publish(self, events: Sequence[Any]) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("no broker")
        self.events.extend(events)


async def soon(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What it holds at last. Asked in a thread, while our doors serve."""
    deadline = time.monotonic() + seconds
    while not (found := await asyncio.to_thread(true)):
        assert time.monotonic() < deadline, "it does not come"
        await asyncio.sleep(0.1)
    return found


async def test_i1_it_relays_to_the_door() -> None:
    log = Log()
    async with door(log.publish) as opened:
        with postfix(("127.0.0.1", opened.port)) as peer:
            await asyncio.to_thread(peer.send, MAIL, ANNA, SALES)
            [event] = await soon(lambda: log.events)
            await soon(lambda: not peer.queued())
        raw = await opened._tools.store.get(event.raw.ref)
    assert raw.endswith(AS_SENT)
    assert (event.envelope.mail_from, event.envelope.rcpt_to) == (ANNA, (SALES,))


async def test_i2_while_the_log_is_away_it_keeps_the_mail() -> None:
    """451, twice; then one event."""
    log = Log(away=2)
    async with door(log.publish) as opened:
        with postfix(("127.0.0.1", opened.port)) as peer:
            await asyncio.to_thread(peer.send, MAIL, ANNA, SALES)
            [waits] = await soon(peer.queued)
            await soon(lambda: log.events and not peer.queued())
            assert peer.log().count("451 4.3.0 cannot be stored now") == 2
    assert waits.startswith(SALES)
    assert len(log.events) == 1


async def test_i1_lmtp_answers_each_recipient() -> None:
    """RFC 2033: one is taken, the other comes back to who sent it."""
    log = Log()
    async with SmtpSink() as sink:
        routes = {"example.com": "lmtp:unix:{folder}/lmtp", "example.org": f"smtp:[127.0.0.1]:{sink.port}"}
        with postfix(routes=routes) as peer:
            opened = LmtpDoor(tools(log.publish, config=Config(lmtp=Lmtp(path=str(peer.folder / "lmtp")))))
            await opened.start()
            await asyncio.to_thread(peer.send, MAIL, ANNA, SALES, "nobody@example.com")
            [event] = await soon(lambda: log.events)
            [returned] = await soon(lambda: sink.messages)
            await soon(lambda: not peer.queued())
            await opened.stop()
    assert event.envelope.rcpt_to == (SALES,)
    assert (returned.mail_from, returned.rcpt_tos) == ("", (ANNA,))
    assert b"Final-Recipient: rfc822; nobody@example.com" in returned.content
    assert b"5.1.1" in returned.content


async def test_i5_starttls_with_our_certificate(tmp_path: Path) -> None:
    """It checks the certificate, and we take nothing in the clear."""
    log, certificate = Log(), make_certificate(tmp_path, "localhost")
    files = {"certificate": str(certificate.ca_file), "key": str(certificate.key_file)}
    async with door(log.publish, require_tls=True, **files) as opened:
        settings = {
            "smtp_tls_security_level": "secure",
            "smtp_tls_CAfile": "{folder}/trusted.pem",
            "smtp_host_lookup": "native",
        }
        with postfix(("localhost", opened.port), settings=settings) as peer:
            shutil.copy(certificate.ca_file, peer.folder / "trusted.pem")
            await asyncio.to_thread(peer.send, MAIL, ANNA, SALES)
            await soon(lambda: log.events)
            assert "Verified TLS connection established to localhost" in peer.log()


async def test_i5_larger_than_size_comes_back() -> None:
    """RFC 1870: it reads our SIZE, and does not even send the mail."""
    log = Log()
    async with SmtpSink() as sink, door(log.publish) as opened:
        with postfix(("127.0.0.1", opened.port), routes={"example.org": f"smtp:[127.0.0.1]:{sink.port}"}) as peer:
            await asyncio.to_thread(peer.send, MAIL + b"A line of text.\r\n" * 70_000, ANNA, SALES)
            [returned] = await soon(lambda: sink.messages)
            await soon(lambda: not peer.queued())
    assert log.events == []
    assert (returned.mail_from, returned.rcpt_tos) == ("", (ANNA,))
    assert b"exceeds size limit 1000000" in returned.content


async def test_i1_the_pipe_is_tried_again_after_75(tmp_path: Path) -> None:
    """While there is no log the mail waits in the queue; then it is accepted, once."""
    with postfix(routes={"example.com": "postroad:"}, services=PIPE) as peer:
        folder = peer.folder / "installation"
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        installation = Installation(folder)
        _command(peer.folder / "postroad", installation)
        await asyncio.to_thread(peer.send, MAIL, ANNA, SALES)
        await soon(lambda: "not accepted now" in "".join(peer.queued()))

        assert installation("apply").code == os.EX_OK
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody")
        await soon(lambda: not peer.queued())
        with installation.up():
            [event] = await soon(lambda: received(installation))
    assert (event.door, event.envelope.mail_from, event.envelope.rcpt_to) == ("pipe", ANNA, (SALES,))


def _command(path: Path, installation: Installation) -> None:
    """`postroad pipe`, by a Python that the user nobody may run. Skips, saying why, where there is none."""
    roads = os.pathsep.join(place for place in sys.path if place)
    words = "from postroad.cli.main import main; main()"
    for python in (sys.executable, "/usr/bin/python3.11"):
        path.write_text(
            f"#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH='{roads}' exec {python} -c '{words}' pipe "
            f'--config {installation.file} "$@"\n'
        )
        path.chmod(0o755)
        with_nothing = subprocess.run([path], stdin=subprocess.DEVNULL, user="nobody", check=False, capture_output=True)
        if with_nothing.returncode == os.EX_DATAERR:
            return
    pytest.skip(f"the user nobody can run no Python 3.11 with what is installed here: {with_nothing.stderr.decode()}")


@pytest.fixture
def swaks() -> str:
    found = shutil.which("swaks")
    if found is None:
        pytest.skip("no swaks here: apt-get install swaks")
    return found


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--pipeline",), id="RFC 2920: commands in groups"),
        pytest.param(("--tls",), id="RFC 3207: STARTTLS"),
        pytest.param(("--tls", "--pipeline"), id="both"),
    ],
)
async def test_i5_swaks(swaks: str, words: tuple[str, ...], tmp_path: Path) -> None:
    log, certificate = Log(), make_certificate(tmp_path)
    files = {"certificate": str(certificate.ca_file), "key": str(certificate.key_file)}
    async with door(log.publish, **files) as opened:
        where = ("--server", f"127.0.0.1:{opened.port}", "--from", ANNA, "--to", f"{SALES},catchall@example.com")
        command = [swaks, *where, *words, "--header", "Subject: swaks", "--body", "Hello"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [event] = log.events
    assert (event.subject, event.envelope.rcpt_to) == ("swaks", (SALES, "catchall@example.com"))
    assert ("TLS started" in done.stdout) is ("--tls" in words)
