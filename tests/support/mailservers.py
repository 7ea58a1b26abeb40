"""Foreign mail servers with mailboxes, on ephemeral ports of the loopback: what their tests have in common.

with greenmail(folder) as server:                # tests/support/greenmail.py
    mailbox = server.mailbox()                   # a new user's, each time
    server.append(mailbox, raw)
    ...
    assert server.flags(mailbox) == {1: {b"\\Seen"}}
"""

import imaplib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postroad_schemas.directory import Credentials, IncomingMailbox, Protocol, Security
from tests.support.smtp_sink import Certificate

PASSWORD = "hush7890"
USERS = tuple(f"user{number}" for number in range(60))
REFERENCE = "env:POSTROAD_TEST_MAILBOX"
os.environ[REFERENCE.removeprefix("env:")] = PASSWORD


@dataclass
class MailServer:
    """Running. Ports by protocol and whether it is TLS from the start."""

    name: str
    ports: dict[tuple[Protocol, bool], int]
    certificate: Certificate | None = None
    _users: Iterator[str] = field(default_factory=lambda: iter(USERS))

    def mailbox(self, protocol: Protocol = Protocol.IMAP, security: Security = Security.NONE, **fields: Any) -> Any:
        """A confirmed mailbox of a user whom no test has had before, or of `username`."""
        username = fields.pop("username", "") or next(self._users)
        return IncomingMailbox(
            **{
                "name": fields.pop("name", username),
                "protocol": protocol,
                "host": "127.0.0.1",
                "port": self.ports[protocol, security is Security.TLS],
                "security": security,
                "ca_file": str(self.certificate.ca_file) if self.certificate and security is not Security.NONE else "",
                "credentials": Credentials(username=username, secret=REFERENCE),
                "confirmed": True,
                **fields,
            }
        )

    def login(self, mailbox: IncomingMailbox) -> imaplib.IMAP4:
        """As a person who reads the mailbox."""
        client = imaplib.IMAP4("127.0.0.1", self.ports[Protocol.IMAP, False], timeout=20)
        client.login(mailbox.credentials.username, PASSWORD)
        client.select(mailbox.folder)
        return client

    def append(self, mailbox: IncomingMailbox, *raws: bytes, flags: str = "") -> None:
        with self.login(mailbox) as client:
            for raw in raws:
                assert client.append(mailbox.folder, flags, "", raw)[0] == "OK"

    def store(self, mailbox: IncomingMailbox, uid: int, command: str, flags: str) -> None:
        with self.login(mailbox) as client:
            assert client.uid("STORE", str(uid), command, flags)[0] == "OK"
            if "Deleted" in flags:
                client.expunge()

    def flags(self, mailbox: IncomingMailbox) -> dict[int, set[bytes]]:
        """By UID, without the server's own \\Recent. What another session changes meanwhile comes without UID."""
        with self.login(mailbox) as client:
            answers = client.uid("FETCH", "1:*", "(FLAGS)")[1]
        found = [line for line in answers if isinstance(line, bytes) and b"UID " in line]
        uids = [int(re.search(rb"UID (\d+)", line)[1]) for line in found]  # type: ignore[index]
        flags = [set(re.search(rb"FLAGS \(([^)]*)\)", line)[1].split()) for line in found]  # type: ignore[index]
        return {uid: them - {b"\\Recent"} for uid, them in zip(uids, flags, strict=True)}

    def seen(self, mailbox: IncomingMailbox) -> list[int]:
        return [uid for uid, flags in self.flags(mailbox).items() if b"\\Seen" in flags]


def wait_for_ports(ports: list[int], alive: Callable[[], bool], log: Path, within: float = 90.0) -> None:
    deadline = time.monotonic() + within
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert alive(), log.read_text("utf-8", "replace")[-2000:]
                assert time.monotonic() < deadline, log.read_text("utf-8", "replace")[-2000:]
                time.sleep(0.05)


def mail(number: int, text: str = "Do you sell pens?") -> bytes:
    """Each with its own Message-ID."""
    return (
        f"From: Anna <anna@example.org>\r\nTo: sales@example.com\r\nMessage-ID: <{number}@example.org>\r\n"
        f"Subject: Mail {number}\r\n\r\n{text}\r\n"
    ).encode()
