"""Promise 1: `postroad up` killed while it takes mail in loses nothing that it accepted, and nothing counts twice."""

import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from postroad_schemas.chatter import RecordRequested
from postroad_schemas.message import Outcome
from tests.cli.installation import Installation, mail

MAILS = 200
SESSIONS = 4


class Senders:
    """Clients that send all mails side by side, and know what was answered."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.accepted: dict[str, str] = {}  # acceptance -> Message-ID
        self.enough = threading.Event()

    def send(self, numbers: list[int], enough: int) -> None:
        """Until the server is gone. `enough` answers set the event."""
        try:
            with self.installation.session() as client:
                client.ehlo("client.example")
                for number in numbers:
                    self._send_one(client, number)
                    if len(self.accepted) >= enough:
                        self.enough.set()
        except (smtplib.SMTPException, OSError):
            return

    def _send_one(self, client: smtplib.SMTP, number: int) -> None:
        client.mail(f"author{number}@example.org")
        client.rcpt("sales@example.com")
        code, text = client.data(mail(number).as_bytes())
        if code == 250:
            self.accepted[text.decode().rpartition(" ")[2]] = f"<{number}@example.org>"

    def send_all(self, numbers: list[int], enough: int = MAILS) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=self.send, args=(numbers[first::SESSIONS], enough)) for first in range(SESSIONS)
        ]
        for thread in threads:
            thread.start()
        return threads


def end(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)


@pytest.mark.slow
def test_a_kill_in_the_middle_loses_no_accepted_mail_and_repeats_no_record(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation("apply")
    with installation.up() as process:
        senders = Senders(installation)
        wait_for(lambda: len(installation.events("directory")) == 3)
        threads = senders.send_all(list(range(MAILS)), enough=MAILS // 3)
        assert senders.enough.wait(30)
        process.kill()
        end(threads)
    before = len(senders.accepted)
    assert MAILS // 3 <= before < MAILS

    with installation.up():
        unanswered = [n for n in range(MAILS) if f"<{n}@example.org>" not in senders.accepted.values()]
        end(senders.send_all(unanswered))
        wait_for(lambda: senders.accepted.keys() <= {event.mail_id for event in installation.settled()})

    found = installation.settled()
    per_acceptance = Counter(event.mail_id for event in found)
    records = Counter(
        event.post.message_id
        for event in installation.events("chatter.published")
        if isinstance(event, RecordRequested)
    )
    assert {per_acceptance[mail_id] for mail_id in senders.accepted} == {1}
    assert set(per_acceptance.values()) == {1}
    assert records == Counter(f"<{n}@example.org>" for n in range(MAILS))
    assert {event.outcome for event in found} <= {Outcome.DELIVERED, Outcome.DUPLICATE}


def wait_for(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it does not come"
        time.sleep(0.05)
