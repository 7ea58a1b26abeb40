"""IMAP (RFC 3501, RFC 9051): UIDs, PEEK, and the flag `\\Seen` after acceptance."""

import contextlib
import imaplib
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from postroad.ingest.checkpoint import NAMED, Checkpoint, Look, Uid, looked, sought
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

log = structlog.get_logger("postroad.imap")
T = TypeVar("T")

imaplib._MAXLINE = 16 * 1024 * 1024  # type: ignore[attr-defined]  # a line of UIDs of a mailbox with a million mails
RENEW = 28 * 60.0  # seconds; RFC 2177: before 29 minutes
SEEN = b"\\Seen"


class ImapSession:
    """Logged in, its folder selected. Raises MailboxError at each step that fails."""

    def __init__(self, mailbox: IncomingMailbox, login: Login) -> None:
        self._mailbox = mailbox
        tls = mailbox.security is Security.TLS
        context = context_of(mailbox) if mailbox.security is not Security.NONE else None
        self._client: Any = self._asked(
            lambda: IMAPClient(
                mailbox.host, mailbox.port, ssl=tls, ssl_context=context, timeout=SocketTimeout(CONNECT, ANSWER)
            )
        )
        try:
            if mailbox.security is Security.STARTTLS:
                self._start_tls(context)
            try:
                self._asked(lambda: self._log_in(login))
            except LoginError as error:
                words = f"{mailbox.host} refuses the login of {login.username}: {_words(error)}"
                raise LoginRefused(words) from error
            try:
                self._selected = self._asked(lambda: self._client.select_folder(mailbox.folder))
            except IMAPClientError as error:
                raise MailboxError(f"{mailbox.host} has no folder {mailbox.folder!r} for us: {error}") from error
            if b"UIDVALIDITY" not in self._selected:
                raise MailboxError(f"{mailbox.host} gives no UIDVALIDITY: mails cannot be told apart there")
        except BaseException:
            self.cut()
            raise
        self._told_unmarkable = False

    def _log_in(self, login: Login) -> None:
        """LOGIN takes ASCII alone, and some servers take none (RFC 9051 6.2.3): then AUTHENTICATE PLAIN (RFC 4616)."""
        plain = f"{login.username}{login.password}".isascii() and not self._client.has_capability("LOGINDISABLED")
        if login.token:
            words = iter((xoauth2(login.username, login.token),))
            self._client.sasl_login("XOAUTH2", lambda _: next(words, ""))  # "" after a challenge, which says why not
        elif plain:
            self._client.login(login.username, login.password)
        else:
            self._client.plain_login(login.username, login.password)

    def _start_tls(self, context: Any) -> None:
        try:
            self._asked(lambda: self._client.starttls(context))
        except IMAPClientError as error:
            raise MailboxError(f"{self._mailbox.host} offers no STARTTLS ({error}): check security") from error

    def seen(self) -> Seen:
        unseen = self._asked(lambda: self._client.search("UNSEEN"))
        capabilities = tuple(sorted(name.decode("ascii", "replace") for name in self._client.capabilities()))
        remarks = (
            [] if self._can_mark else ["the folder keeps no \\Seen: what was taken is known by the checkpoint alone"]
        )
        if self._mailbox.idle and "IDLE" not in capabilities:
            remarks.append("the server has no IDLE: it is polled instead")
        return Seen(self._mailbox.folder, self._selected[b"EXISTS"], len(unseen), capabilities, tuple(remarks))

    @property
    def _can_mark(self) -> bool:
        """RFC 9051 7.1: without PERMANENTFLAGS all can be kept, with it those that it names."""
        kept = self._selected.get(b"PERMANENTFLAGS")
        read_only = b"READ-ONLY" in self._selected
        return not read_only and (kept is None or any(flag.lower() == SEEN.lower() for flag in kept))

    def look(self, known: Checkpoint | None) -> Checkpoint:
        validity = self._selected[b"UIDVALIDITY"]
        if known is not None and known.uidvalidity != validity:
            log.warning("UIDVALIDITY changed", mailbox=self._mailbox.name, was=known.uidvalidity, now=validity)
        found = self._asked(lambda: self._client.search(["UID", sought(known, validity)]))
        unseen = self._asked(lambda: self._client.search("UNSEEN"))
        return looked(known, Look(validity, frozenset(found), frozenset(unseen)))

    def sizes(self, uids: Sequence[Uid]) -> dict[Uid, int]:
        found: dict[Uid, int] = {}
        for start in range(0, len(uids), NAMED):
            some = list(uids[start : start + NAMED])
            answers = self._asked(lambda some=some: self._client.fetch(some, ["RFC822.SIZE"]))  # type: ignore[misc]
            found |= {uid: answer[b"RFC822.SIZE"] for uid, answer in answers.items() if b"RFC822.SIZE" in answer}
        return found

    def fetch(self, uids: Sequence[Uid]) -> dict[Uid, bytes | NotGiven]:
        try:
            answer = self._asked(lambda: self._client.fetch(uids, ["BODY.PEEK[]"]))
        except IMAPClientError as error:
            if len(uids) == 1:
                return {uids[0]: NotGiven(f"the server does not give it: {error}")}
            return {uid: it for alone in uids for uid, it in self.fetch([alone]).items()}  # one refuses for all
        found = {uid: answer.get(uid, {}).get(b"BODY[]") for uid in uids}
        return {
            uid: NotGiven("the server gives nothing for it") if content is None else bytes(content)
            for uid, content in found.items()
        }

    def mark(self, uids: Sequence[Uid]) -> Sequence[Uid]:
        if not uids:
            return ()
        try:
            if self._can_mark:
                for start in range(0, len(uids), NAMED):
                    some = uids[start : start + NAMED]
                    self._asked(lambda some=some: self._client.add_flags(some, [SEEN], silent=True))  # type: ignore[misc]
                return uids
        except IMAPClientError as error:
            why = str(error)
        else:
            why = "the folder keeps no such flag"
        if not self._told_unmarkable:
            self._told_unmarkable = True
            log.warning("cannot be marked as seen", mailbox=self._mailbox.name, uids=list(uids), why=why)
        return ()

    def wait(self, seconds: float) -> bool:
        """RFC 2177. Any line of the server ends it: what it means, the next look finds out."""
        if not self._client.has_capability("IDLE"):
            return False
        self._asked(self._client.idle)
        if not self._came_already():
            self._asked(lambda: self._client.idle_check(min(seconds, RENEW)))
        self._asked(self._client.idle_done)
        return True

    def _came_already(self) -> bool:
        """Whether a line came together with the answer to IDLE: the library waits for the socket, past its buffer."""
        connection = self._client.socket()
        connection.setblocking(False)
        try:
            return bool(self._client._imap.file.peek(1))
        except OSError:  # nothing there; a lost connection shows at the next step
            return False
        finally:
            connection.settimeout(ANSWER)

    def close(self) -> None:
        try:
            self._client.logout()
        except (OSError, IMAPClientError):
            self.cut()

    def cut(self) -> None:
        with contextlib.suppress(OSError, IMAPClientError, AttributeError):
            self._client.socket().shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, IMAPClientError, AttributeError):
            self._client.shutdown()

    def _asked(self, ask: Callable[[], T]) -> T:
        """A refusal is raised as the library's error, a lost connection as MailboxError."""
        try:
            return ask()
        except LoginError as error:
            lost = isinstance(error.__context__, IMAPClientAbortError)
            raise unreachable(self._mailbox, error) if lost else error from error
        except (IMAPClientAbortError, OSError, EOFError) as error:
            raise unreachable(self._mailbox, error) from error


def _words(error: LoginError) -> str:
    """What the server said: the library quotes its octets as Python would."""
    before = error.__context__
    said = before.args[0] if before is not None and before.args else str(error)
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
