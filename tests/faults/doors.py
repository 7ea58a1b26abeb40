"""`postroad up` with every door open (I1), a real Dovecot with a mailbox for two of them, and strangers before them."""

import os
import smtplib
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from postroad.runtime.broker_files.loopback import free_ports
from postroad_schemas.chatter import RecordRequested
from postroad_schemas.directory import IncomingMailbox, Protocol
from tests.cli.installation import COMMAND, DECLARED, ENVIRONMENT, Installation, mail, postroad
from tests.faults.test_kill import wait_for
from tests.support.mailservers import PASSWORD, MailServer
from tests.support.polling import left

TOKEN, SECRET = "a token of the tests", "POSTROAD_TEST_MAILBOX"
ENVIRONMENT |= {"POSTROAD_TEST_TOKEN": TOKEN, SECRET: PASSWORD}
SYNCHRONOUS = ("smtp", "lmtp", "http", "pipe")  # the peer waits for an answer
POLLED = ("imap", "pop3")
DOORS = (*SYNCHRONOUS, *POLLED)


def raw_of(number: int) -> bytes:
    return mail(number).as_bytes().replace(b"\n", b"\r\n")


def id_of(number: int) -> str:
    return f"<{number}@example.org>"


class Doors(Installation):
    """The installation. `lmtp` and `http` are ports, `boxes` the mailboxes by door."""

    def __init__(self, folder: Path, server: MailServer) -> None:
        super().__init__(folder)
        self.server = server
        self.lmtp, self.http = free_ports(2)
        self.boxes: dict[str, IncomingMailbox] = {door: server.mailbox(Protocol(door), interval=1) for door in POLLED}
        tables = (
            f"[lmtp]\nport = {self.lmtp}\n"
            f'[http]\nport = {self.http}\ntoken = "env:POSTROAD_TEST_TOKEN"\n'
            f'[mailboxes]\nfolder = "{folder}/mailboxes"\n[metrics]\nport = 0\n'
            '[parameters]\n"mail.gateway.loop.threshold" = 100_000\n'
        )
        self.declare(tables + DECLARED + "".join(map(_table, self.boxes.values())))

    def begin(self) -> None:
        """All is declared and kept, both mailboxes are confirmed."""
        assert self("apply").code == os.EX_OK
        with self.up():
            wait_for(lambda: len(self.events("directory")) >= 6)
            for row in self.boxes.values():
                said = postroad("mailbox", "confirm", row.name, "--config", self.file)
                assert said.code == os.EX_OK, said

    def give(self, door: str, raw: bytes) -> bool:
        """Whether the mail is taken: True is a yes, False "not now". Anything else is an error."""
        return {"smtp": self._smtp, "lmtp": self._lmtp, "http": self._http, "pipe": self._pipe}[door](raw)

    def put(self, door: str, *raws: bytes) -> None:
        """Into the mailbox that is polled."""
        self.server.append(self.boxes[door], *raws)

    def left(self, door: str) -> int:
        """How many mails the mailbox still has that were not taken."""
        return len(left(self.server, self.boxes[door]))

    def _smtp(self, raw: bytes) -> bool:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            return _data(client, raw)

    def _lmtp(self, raw: bytes) -> bool:
        with smtplib.LMTP("127.0.0.1", self.lmtp, timeout=60) as client:
            return _data(client, raw)

    def _http(self, raw: bytes) -> bool:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/mail?rcpt_to=sales@example.com",
            raw,
            {"Authorization": f"Bearer {TOKEN}", "Content-Type": "message/rfc822"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                status: int = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        assert status in (202, 503)
        return status == 202

    def _pipe(self, raw: bytes) -> bool:
        return self.pipe(COMMAND, raw) == os.EX_OK

    def pipe(self, command: Sequence[str], raw: bytes) -> int:
        """The exit code, which is 0, 75, or that of a kill. `command` is what stands for `postroad`."""
        words = [*command, "pipe", "--config", str(self.file), "--", "sales@example.com"]
        done = subprocess.run(words, input=raw, env=ENVIRONMENT, capture_output=True, timeout=40, check=False)
        assert done.returncode in (os.EX_OK, os.EX_TEMPFAIL, -9), done.stderr
        return done.returncode

    def opened(self) -> Counter[str]:
        """How many records each mail opened, by Message-ID. An event that is said again is the same (promise 2)."""
        found = [event for event in self.events("chatter.published") if isinstance(event, RecordRequested)]
        return Counter(identity for identity, _ in {(event.post.message_id, event.event_id) for event in found})

    def acceptances(self) -> set[str]:
        return {event.event_id for event in self.events("mail.received")}

    def outcomes(self) -> Counter[str]:
        """How many each acceptance has."""
        return Counter(mail_id for mail_id, _ in {(event.mail_id, event.event_id) for event in self.settled()})

    def all_in(self, message_ids: Iterable[str]) -> None:
        """Each of these mails opens exactly one record, and each acceptance has exactly one outcome (I2, R16)."""
        wanted = Counter(message_ids)
        wait_for(lambda: self.opened() >= wanted and self.acceptances() <= self.outcomes().keys())
        assert self.opened() == wanted
        assert set(self.outcomes().values()) == {1}
        assert not [
            letter for worker in ("ingest", "routing", "loop_guard") for letter in self.events(f"{worker}.dead")
        ]


def _data(client: smtplib.SMTP, raw: bytes) -> bool:
    client.ehlo("client.example")
    client.mail("stranger@example.org")
    client.rcpt("sales@example.com")
    code, text = client.data(raw)
    assert code == 250 or (code == 451 and text.startswith(b"4.3.")) or code == 452, (code, text)
    return code == 250


def _table(row: IncomingMailbox) -> str:
    login = f'{{ username = "{row.credentials.username}", secret = "env:{SECRET}" }}'
    return (
        f'\n[[mailbox]]\nname = "{row.name}"\nprotocol = "{row.protocol}"\nhost = "{row.host}"\nport = {row.port}\n'
        f'security = "none"\ninterval = {row.interval}\ncredentials = {login}\n'
    )
