"""What IMAP and POP3 have in common: the connection's safety, the login by reference, and how a poll goes (I2-I4)."""

import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from postroad.ingest.checkpoint import Checkpoint, Uid, accepted, batches, file_name, in_turn, marked
from postroad.runtime.config import secret
from postroad.runtime.oauth2 import OAuth2Error, access_token
from postroad.runtime.worker import Unavailable
from postroad_schemas.directory import IncomingMailbox

log = structlog.get_logger("postroad.mailbox")

CONNECT = 20.0  # seconds
ANSWER = 60.0  # seconds of silence after which a server counts as gone
SAVE_EVERY = 1.0  # seconds; what is not saved is asked for again and known by its event id
FAILURES = 3  # acceptances in one poll; then store or log are away, and fetching more would be for nothing


class MailboxError(Exception):
    """The mailbox cannot be had now; the message says why and what to do."""


class LoginRefused(MailboxError):  # noqa: N818  # as its base: an answer
    """The server does not take what we log in with."""


class NotGiven(Exception):  # noqa: N818  # of one mail, not of the session
    """The server does not give this mail. The next ones are another matter."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a login saw. POP3 knows no unseen mails: all that is there counts."""

    folder: str
    messages: int
    unseen: int
    capabilities: tuple[str, ...]
    remarks: tuple[str, ...] = ()


class Session(Protocol):
    """A login that worked. All methods raise MailboxError when the session is lost."""

    def seen(self) -> Seen: ...

    def look(self, known: Checkpoint | None) -> Checkpoint: ...

    def sizes(self, uids: Sequence[Uid]) -> dict[Uid, int]:
        """In octets, as far as the server says."""
        ...

    def fetch(self, uids: Sequence[Uid]) -> dict[Uid, bytes | NotGiven]:
        """All of them, byte for byte, their flags untouched."""
        ...

    def mark(self, uids: Sequence[Uid]) -> Sequence[Uid]:
        """Seen, or deleted. Those that the server keeps so already."""
        ...

    def wait(self, seconds: float) -> bool:
        """IDLE: returns when something may have come, or after this time. False where there is no such thing."""
        ...

    def close(self) -> None:
        """Says goodbye: what is to be deleted is deleted by it."""
        ...

    def cut(self) -> None:
        """From another thread: whatever is waited for ends now."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """The name, and a password or a token (RFC 6750)."""

    username: str
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def login_of(mailbox: IncomingMailbox, fresh: bool = False) -> Login:
    """Resolved at each login, so that a renewed token counts. A secret that begins with "Bearer " is a token.

    With `oauth2` the token is asked for there; `fresh`: the server refused the last one. Raises MailboxError.
    """
    credentials = mailbox.credentials
    if credentials.oauth2 is not None:
        try:
            return Login(credentials.username, token=access_token(credentials, secret, fresh))
        except OAuth2Error as error:
            raise MailboxError(f"no access token: {error}") from error
    found = secret(credentials.secret)
    if not found:
        raise MailboxError(
            f"the password {credentials.secret} cannot be read here, or is empty: set it for this process"
        )
    try:
        words = found.decode()
    except UnicodeDecodeError:
        raise MailboxError(f"the password {credentials.secret} is not UTF-8") from None
    kind, _, token = words.partition(" ")
    if kind.lower() == "bearer" and token:
        return Login(credentials.username, token=token.strip())
    return Login(credentials.username, password=words)


def context_of(mailbox: IncomingMailbox) -> ssl.SSLContext:
    """TLS 1.2 at least; a private CA takes the place of the public ones. Raises MailboxError."""
    try:
        context = ssl.create_default_context(cafile=mailbox.ca_file or None)
    except (OSError, ValueError) as error:
        raise MailboxError(f"ca_file {mailbox.ca_file} cannot be used ({error}): name a PEM file") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not mailbox.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def unreachable(mailbox: IncomingMailbox, error: Exception) -> MailboxError:
    """Why a connection cannot be had, or is lost, in one sentence."""
    where = f"{mailbox.host}:{mailbox.port}"
    match error:
        case ssl.SSLCertVerificationError():
            why = f"its certificate is not trusted ({error.verify_message}): name its CA in ca_file"
        case ssl.SSLError():
            why = f"no TLS with it ({error.reason or error}): check port and security"
        case TimeoutError():
            why = "it does not answer in time"
        case OSError(strerror=str(words)):
            why = words
        case _:
            why = str(error) or type(error).__name__
    return MailboxError(f"{where}: {why}")


class Kept:
    """The checkpoint on the disk. Raises MailboxError where it cannot be kept: then nothing is taken."""

    def __init__(self, folder: Path, mailbox: IncomingMailbox) -> None:
        self._path = folder / file_name(mailbox)
        self._saved: Checkpoint | None = None
        self._when = 0.0

    def load(self) -> Checkpoint | None:
        try:
            self._saved = msgspec.json.decode(self._path.read_bytes(), type=Checkpoint)
        except FileNotFoundError:
            self._saved = None
        except (msgspec.DecodeError, OSError) as error:
            raise MailboxError(
                f"{self._path} cannot be read ({error}): mend it, or remove it to begin with what is unseen"
            ) from error
        return self._saved

    def save(self, checkpoint: Checkpoint, *, soon: bool = False) -> None:
        """Durable on return; with `soon` at most once a second."""
        now = time.monotonic()
        if checkpoint == self._saved or (soon and now - self._when < SAVE_EVERY):
            return
        try:
            self._write(msgspec.json.encode(checkpoint))
        except OSError as error:
            raise MailboxError(
                f"{self._path} cannot be written ({error.strerror}): choose folder in [mailboxes]"
            ) from error
        self._saved, self._when = checkpoint, now

    def _write(self, content: bytes) -> None:
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(prefix=".", suffix=".new", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(written).replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(written).unlink()
            raise
        names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(names)
        finally:
            os.close(names)


@dataclass
class Memory:
    """What a mailbox's thread knows beside the checkpoint: what failed, and what was told of already."""

    failures: dict[Uid, int] = field(default_factory=dict)  # how often; until it is accepted
    suspects: set[Uid] = field(default_factory=set)  # at whose fetching the session was lost
    told: set[Uid] = field(default_factory=set)

    def begin(self, uids: Sequence[Uid]) -> None:
        """They have failed until they are accepted, also when the session ends with them."""
        self.suspects.update(uids)
        for uid in uids:
            self.failures[uid] = self.failures.get(uid, 0) + 1

    def keep(self, pending: Iterable[Uid]) -> None:
        """Of these alone."""
        there = set(pending)
        self.failures = {uid: times for uid, times in self.failures.items() if uid in there}
        self.suspects &= there
        self.told &= there


Take = Callable[[Mapping[Uid, bytes], Checkpoint], Mapping[Uid, Exception]]
"""Accepts mails (I2), in their order. Gives what kept it from accepting some of them."""


def poll(
    session: Session, kept: Kept, take: Take, limit: int, memory: Memory, stopping: Callable[[], bool], name: str
) -> bool:
    """Takes what is pending, each mail on its own (I3). False if one could not be accepted. Raises MailboxError."""
    checkpoint = session.look(kept.load())
    kept.save(checkpoint)  # before anything is marked: what a person reads from now on is still taken
    away, all_well = 0, True
    try:
        checkpoint = marked(checkpoint, *session.mark(checkpoint.unmarked))
        sizes = session.sizes(checkpoint.pending)
        wanted = _not_too_large(in_turn(checkpoint.pending, memory.failures), sizes, limit, memory, name)
        for uids in batches(wanted, sizes, frozenset(memory.suspects)):
            if stopping() or away >= FAILURES:
                break
            memory.begin(uids)
            fetched = session.fetch(uids)
            memory.suspects.difference_update(uids)
            troubles = _taken(fetched, take, checkpoint, name)
            taken = [uid for uid in uids if uid not in troubles]
            away += sum(isinstance(trouble, Unavailable) for trouble in troubles.values())
            all_well = all_well and not troubles
            checkpoint = accepted(checkpoint, *taken)
            kept.save(checkpoint, soon=True)
            checkpoint = marked(checkpoint, *session.mark(taken))
    finally:
        kept.save(checkpoint)
        memory.keep(checkpoint.pending)
    return all_well


def _taken(
    fetched: Mapping[Uid, bytes | NotGiven], take: Take, checkpoint: Checkpoint, name: str
) -> dict[Uid, Exception]:
    """What could not be taken: it stays, and the others have their turn."""
    troubles: dict[Uid, Exception] = {uid: it for uid, it in fetched.items() if isinstance(it, NotGiven)}
    mails = {uid: it for uid, it in fetched.items() if isinstance(it, bytes)}
    troubles |= take(mails, checkpoint) if mails else {}
    for uid, trouble in troubles.items():
        log.warning("mail stays", mailbox=name, uid=uid, error=f"{type(trouble).__name__}: {trouble}")
    return troubles


def _not_too_large(
    uids: Sequence[Uid], sizes: Mapping[Uid, int], limit: int, memory: Memory, name: str
) -> Iterator[Uid]:
    """A mail that is too large stays there, and is told of once."""
    for uid in uids:
        if (size := sizes.get(uid, 0)) <= limit:
            yield uid
        elif uid not in memory.told:
            memory.told.add(uid)
            log.warning("mail left", mailbox=name, uid=uid, size=size, limit=limit, why="larger than mail.smtp.size")
