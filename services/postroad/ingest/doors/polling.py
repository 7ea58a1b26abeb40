"""What IMAP and POP3 have in common: the connection's safety, the login by reference, and how a poll goes (I2-I4)."""

import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from postroad.ingest.checkpoint import Checkpoint, Uid, accepted, file_name, in_turn, marked
from postroad.runtime.config import secret
from postroad.runtime.worker import Unavailable
from postroad_schemas.directory import IncomingMailbox

log = structlog.get_logger("postroad.mailbox")

CONNECT = 20.0  # seconds
ANSWER = 60.0  # seconds of silence after which a server counts as gone
SAVE_EVERY = 1.0  # seconds; what is not saved is asked for again and known by its event id
FAILURES = 3  # acceptances in one poll; then store or log are away, and fetching more would be for nothing


class MailboxError(Exception):
    """The mailbox cannot be had now; the message says why and what to do."""


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

    def fetch(self, uid: Uid) -> bytes:
        """Byte for byte, its flags untouched. Raises NotGiven."""
        ...

    def mark(self, uid: Uid) -> bool:
        """Seen, or deleted. True once the server keeps it so."""
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

    @property
    def xoauth2(self) -> str:
        return f"user={self.username}\x01auth=Bearer {self.token}\x01\x01"


def login_of(mailbox: IncomingMailbox) -> Login:
    """Resolved at each login, so that a renewed token counts. A secret that begins with "Bearer " is a token.

    Raises MailboxError.
    """
    credentials = mailbox.credentials
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

    failed: set[Uid] = field(default_factory=set)
    told: set[Uid] = field(default_factory=set)


Take = Callable[[bytes, Uid, Checkpoint], None]
"""Accepts a mail (I2), or raises whatever keeps it from that."""


def poll(
    session: Session, kept: Kept, take: Take, limit: int, memory: Memory, stopping: Callable[[], bool], name: str
) -> bool:
    """Takes what is pending, each mail on its own (I3). False if one could not be accepted. Raises MailboxError."""
    checkpoint = session.look(kept.load())
    kept.save(checkpoint)  # before anything is marked: what a person reads from now on is still taken
    failures, all_well = 0, True
    try:
        for uid in checkpoint.unmarked:
            if session.mark(uid):
                checkpoint = marked(checkpoint, uid)
        sizes = session.sizes(checkpoint.pending)
        for uid in in_turn(checkpoint.pending, memory.failed):
            if stopping() or failures >= FAILURES:
                break
            if (size := sizes.get(uid, 0)) > limit:
                _left(uid, size, limit, memory, name)
                continue
            memory.failed.add(uid)  # until it is accepted, also when the session ends with it
            try:
                take(session.fetch(uid), uid, checkpoint)
            except MailboxError:
                raise
            except Exception as error:  # whatever it is, the mail stays and the next one has its turn
                failures, all_well = failures + isinstance(error, Unavailable), False
                log.warning("mail stays", mailbox=name, uid=uid, error=f"{type(error).__name__}: {error}")
                continue
            memory.failed.discard(uid)
            checkpoint = accepted(checkpoint, uid)
            kept.save(checkpoint, soon=True)
            if session.mark(uid):
                checkpoint = marked(checkpoint, uid)
    finally:
        kept.save(checkpoint)
    memory.failed &= set(checkpoint.pending)
    memory.told &= set(checkpoint.pending)
    return all_well


def _left(uid: Uid, size: int, limit: int, memory: Memory, name: str) -> None:
    """Too large: it stays there, and is told of once."""
    if uid not in memory.told:
        memory.told.add(uid)
        log.warning("mail left", mailbox=name, uid=uid, size=size, limit=limit, why="larger than mail.smtp.size")
