"""POP3 (RFC 1939): UIDL tells mails apart, DELE after acceptance, QUIT deletes."""

import base64
import contextlib
import poplib
import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

from postroad.ingest.checkpoint import Checkpoint, Uid, listed
from postroad.ingest.doors.polling import (
    ANSWER,
    CONNECT,
    Login,
    LoginRefused,
    MailboxError,
    NotGiven,
    Seen,
    context_of,
    unreachable,
)
from postroad.runtime.oauth2 import xoauth2
from postroad_schemas.directory import IncomingMailbox, Security

T = TypeVar("T")

BITE = 64 * 1024  # octets of a line at once: lines of mails may be longer than any limit
SURPLUS = 1024 * 1024  # octets that a mail may have beyond its announced size


class Pop3Session:
    """Logged in. Raises MailboxError at each step that fails."""

    def __init__(self, mailbox: IncomingMailbox, login: Login) -> None:
        self._mailbox = mailbox
        self._numbers: dict[Uid, list[int]] = {}  # of each unique id; equal mails may share one (RFC 1939 7)
        self._sizes: dict[int, int] = {}
        self._client = self._asked(self._connect)
        try:
            try:
                self._asked(lambda: self._login(login))
            except poplib.error_proto as error:
                raise LoginRefused(f"{mailbox.host} refuses the login of {login.username}: {_words(error)}") from error
            self._list()
        except BaseException:
            self.cut()
            raise

    def _connect(self) -> poplib.POP3:
        mailbox = self._mailbox
        if mailbox.security is Security.TLS:
            client: poplib.POP3 = poplib.POP3_SSL(
                mailbox.host, mailbox.port, timeout=CONNECT, context=context_of(mailbox)
            )
        else:
            client = poplib.POP3(mailbox.host, mailbox.port, timeout=CONNECT)
        try:
            client.sock.settimeout(ANSWER)
            if mailbox.security is Security.STARTTLS:
                client.stls(context_of(mailbox))
        except poplib.error_proto as error:
            client.close()
            raise MailboxError(f"{mailbox.host} offers no STLS ({_words(error)}): check security") from error
        except BaseException:
            client.close()
            raise
        return client

    def _login(self, login: Login) -> None:
        """A token is sent after a prompt (RFC 5034 4): with it the command would be longer than a line may be."""
        if login.token:
            self._say("AUTH XOAUTH2")
            answer = self._say(base64.b64encode(xoauth2(login.username, login.token).encode()).decode())
            if not answer.startswith(b"+OK"):  # a challenge, which says why not; what comes next is the refusal
                self._say("")
        else:
            self._client.user(login.username)
            self._client.pass_(login.password)

    def _say(self, line: str) -> bytes:
        return bytes(self._client._shortcmd(line))  # type: ignore[attr-defined]

    def _list(self) -> None:
        try:
            uidls = self._asked(lambda: self._client.uidl()[1])
            sizes = self._asked(lambda: self._client.list()[1])
        except poplib.error_proto as error:
            raise MailboxError(
                f"{self._mailbox.host} does not list its mails with UIDL ({_words(error)}): use IMAP there"
            ) from error
        for line in uidls:
            number, _, uidl = line.partition(b" ")
            self._numbers.setdefault(uidl.decode("latin-1").strip(), []).append(int(number))
        self._sizes = {int(number): int(size) for number, size, *_ in map(bytes.split, sizes)}

    def seen(self) -> Seen:
        try:
            capabilities = tuple(sorted(self._asked(self._client.capa)))
        except poplib.error_proto:  # RFC 2449 is an extension
            capabilities = ()
        return Seen("", len(self._sizes), len(self._sizes), capabilities)

    def look(self, known: Checkpoint | None) -> Checkpoint:
        return listed(known, map(str, self._numbers))

    def sizes(self, uids: Sequence[Uid]) -> dict[Uid, int]:
        return {uid: self._sizes.get(self._numbers[uid][0], 0) for uid in uids if uid in self._numbers}

    def fetch(self, uids: Sequence[Uid]) -> dict[Uid, bytes | NotGiven]:
        return {uid: self._fetch(self._numbers[uid][0]) for uid in uids}

    def _fetch(self, number: int) -> bytes | NotGiven:
        try:
            return self._asked(lambda: _octets(self._client, number, self._sizes.get(number, 0) + SURPLUS))
        except poplib.error_proto as error:
            return NotGiven(f"the server does not give it: {_words(error)}")

    def mark(self, uids: Sequence[Uid]) -> Sequence[Uid]:
        """Only QUIT deletes: until the mails are gone they stay in the checkpoint."""
        for number in (number for uid in uids for number in self._numbers[uid]):
            with contextlib.suppress(poplib.error_proto):
                self._asked(lambda number=number: self._client.dele(number))  # type: ignore[misc]
        return ()

    def wait(self, seconds: float) -> bool:
        return False

    def close(self) -> None:
        try:
            self._client.quit()
        except (OSError, EOFError, poplib.error_proto):
            self.cut()

    def cut(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._client.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, AttributeError, poplib.error_proto):
            self._client.close()

    def _asked(self, ask: Callable[[], T]) -> T:
        """A refusal is raised as the library's error, a lost connection as MailboxError."""
        try:
            return ask()
        except poplib.error_proto as error:
            if error.args and isinstance(error.args[0], bytes):  # the server's own words
                raise
            raise unreachable(self._mailbox, error) from error
        except (OSError, EOFError) as error:
            raise unreachable(self._mailbox, error) from error


def _octets(client: poplib.POP3, number: int, limit: int) -> bytes:
    """RFC 1939 3, byte for byte. The library's own reading refuses long lines and makes every LF a CRLF.

    Raises OSError for a mail that is much longer than the server said: the session is lost with it.
    """
    client._shortcmd(f"RETR {number}")  # type: ignore[attr-defined]
    bites: list[bytes] = []
    octets, tail = 0, b"\r\n"
    while bite := client.file.readline(BITE):
        if tail == b"\r\n":
            if bite == b".\r\n":
                return b"".join(bites)
            bite = bite[1:] if bite.startswith(b".") else bite
        octets, tail = octets + len(bite), (tail + bite)[-2:]
        if octets > limit:
            raise OSError(f"mail {number} is longer than the server said")
        bites.append(bite)
    raise EOFError("the connection was closed in the middle of a mail")


def _words(error: poplib.error_proto) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
