"""I2 at the SMTP door of a whole system: it dies between store and event, or between event and answer."""

import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from postroad.runtime.named import digest
from postroad_schemas.chatter import RecordRequested
from postroad_schemas.mail import MailReceived
from postroad_schemas.message import Outcome
from tests.cli.installation import ENVIRONMENT, Installation, mail
from tests.faults.doors_dying import ACKNOWLEDGED, STORED
from tests.faults.test_kill import wait_for

MAIL = mail(1).as_bytes().replace(b"\n", b"\r\n")


def sent(port: int) -> int:
    """The code of the answer to the mail; 0: there was none."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.ehlo("client.example")
            client.mail("author1@example.org")
            client.rcpt("sales@example.com")
            return client.data(MAIL)[0]
    except (smtplib.SMTPServerDisconnected, ConnectionError):
        return 0


def die(installation: Installation, point: str) -> int:
    """The answer of a system that dies at this point. It must have died."""
    command = [sys.executable, "-m", "tests.faults.doors_dying", point, "up", "--config", str(installation.file)]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            ready = process.stderr.readline()
            port = int(ready.partition("127.0.0.1:")[2].split()[0])
            wait_for(lambda: len(installation.events("directory")) == 3)
            code = sent(port)
            assert process.wait(60) == -9
            return code
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("point", "acceptances"),
    [
        pytest.param(STORED, [Outcome.DELIVERED], id="between store and event: nothing was accepted yet"),
        pytest.param(
            ACKNOWLEDGED,
            [Outcome.DELIVERED, Outcome.DUPLICATE],
            id="between event and answer: accepted twice, and the second is a duplicate (R1)",
        ),
    ],
)
def test_who_got_no_yes_sends_it_again_and_it_is_in_once(
    tmp_path: Path, point: str, acceptances: list[Outcome]
) -> None:
    installation = Installation(tmp_path)
    installation("apply")
    assert die(installation, point) == 0
    assert len(installation.events("mail.received")) == (point == ACKNOWLEDGED)
    name = digest(MAIL).ref[-64:]
    assert (tmp_path / "objects" / "sha256" / name[:2] / name).read_bytes() == MAIL

    with installation.up():
        assert sent(installation.port) == 250
        wait_for(lambda: len(installation.settled()) == len(acceptances))

    received = [event for event in installation.events("mail.received") if isinstance(event, MailReceived)]
    records = [event for event in installation.events("chatter.published") if isinstance(event, RecordRequested)]
    assert sorted(event.outcome for event in installation.settled()) == sorted(acceptances)
    assert len({event.event_id for event in received}) == len(acceptances)
    assert [event.post.message_id for event in records] == ["<1@example.org>"]
