"""The doors IMAP and POP3: every confirmed mailbox of the directory has a thread that polls it (D8, I4).

Only one process may poll a mailbox: of several ingest processes all but one have `[mailboxes] enabled = false`.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import structlog

from postroad.ingest.accept import Origin, accept
from postroad.ingest.checkpoint import Checkpoint, Uid, session
from postroad.ingest.doors.imap import ImapSession
from postroad.ingest.doors.polling import (
    Kept,
    Login,
    LoginRefused,
    MailboxError,
    Memory,
    Session,
    login_of,
    poll,
)
from postroad.ingest.doors.pop3 import Pop3Session
from postroad.runtime.observe import metrics
from postroad.runtime.worker import Tools
from postroad.stage import Emission
from postroad_schemas.directory import IncomingMailbox, Protocol
from postroad_schemas.mail import Door, MailReceived
from postroad_schemas.values import Envelope

log = structlog.get_logger("postroad.mailboxes")

LOOK = 1.0  # seconds between looks at the directory
RETRY = 5.0  # seconds before a failed poll is tried again; twice as long each time, up to the interval
DRAIN = 3.0  # seconds that a mail being taken in gets at a stop

SESSIONS: dict[Protocol, Callable[[IncomingMailbox, Login], Session]] = {
    Protocol.IMAP: ImapSession,
    Protocol.POP3: Pop3Session,
}
_DOORS = {Protocol.IMAP: Door.IMAP, Protocol.POP3: Door.POP3}


def open_session(mailbox: IncomingMailbox) -> Session:
    """Logs in; an access token that is refused is renewed once. Raises MailboxError."""
    begin = SESSIONS[mailbox.protocol]
    try:
        return begin(mailbox, login_of(mailbox))
    except LoginRefused:
        if mailbox.credentials.oauth2 is None:
            raise
        return begin(mailbox, login_of(mailbox, fresh=True))


class Mailboxes:
    """Follows the directory: what is confirmed is polled, what changed is begun anew, what is gone stops."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._polled: dict[str, Polled] = {}
        self._ending: list[Polled] = []
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Never fails: a mailbox that cannot be had is told of in the log, and tried again."""
        if self._tools.config.mailboxes.enabled:
            self._watch = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Starts and stops what the directory now says."""
        wanted = {row.name: row for row in self._tools.views.directory.mailboxes() if row.confirmed}
        for name, polled in list(self._polled.items()):
            if name not in wanted or bare(wanted[name]) != bare(polled.mailbox):
                polled.stop()
                self._ending.append(self._polled.pop(name))
        self._ending = [polled for polled in self._ending if polled.is_alive()]
        ending = {polled.mailbox.name for polled in self._ending}
        for name, row in wanted.items():
            if name not in self._polled and name not in ending:  # two of them would share a checkpoint
                self._polled[name] = Polled(row, self._tools, asyncio.get_running_loop())
                self._polled[name].start()

    async def stop(self) -> None:
        """A mail being accepted is finished and marked; what is only waited for is cut."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        ending = [*self._polled.values(), *self._ending]
        for polled in ending:
            polled.stop()
        await asyncio.to_thread(_join, ending, DRAIN)
        for polled in ending:
            polled.give_up()


def _join(threads: list["Polled"], seconds: float) -> None:
    """Until all have ended, at most so long."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def bare(row: IncomingMailbox) -> IncomingMailbox:
    """Without what only tells of its history."""
    return msgspec.structs.replace(row, version=0, created_at=None, changed_at=None, changed_by="")


class Polled(threading.Thread):
    """One mailbox. What goes wrong with it ends here."""

    def __init__(self, mailbox: IncomingMailbox, tools: Tools, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name=f"mailbox {mailbox.name}", daemon=True)
        self.mailbox = mailbox
        self._tools = tools
        self._loop = loop
        self._stopping = threading.Event()
        self._memory = Memory()
        self._session: Session | None = None
        self._retry = self._pause = RETRY
        self._idling = False
        self._accepting: Any = None  # mails on their way, as a future of the loop

    def run(self) -> None:
        log.info("mailbox polled", mailbox=self.mailbox.name, protocol=self.mailbox.protocol)
        while not self._stopping.is_set():
            self._once()
            self._stopping.wait(self._pause)

    def _once(self) -> None:
        """A login, and as many polls as IDLE asks for."""
        try:
            self._session = open_session(self.mailbox)
            kept = Kept(Path(self._tools.config.mailboxes.folder), self.mailbox)
            try:
                self._went(self._poll(self._session, kept))
                while self._idle(self._session):
                    self._went(self._poll(self._session, kept))
            finally:
                self._session.close()
        except MailboxError as error:
            self._went(False)
            if not self._stopping.is_set():
                log.warning("mailbox cannot be polled", mailbox=self.mailbox.name, error=str(error))
        except Exception:
            self._went(False)
            log.exception("fault", mailbox=self.mailbox.name)
        finally:
            self._session = None

    def _went(self, well: bool) -> None:
        """How long until the next poll: the interval, or soon and ever less often while something fails."""
        interval = float(self.mailbox.interval)
        if well:
            metrics.POLLED.set(time.time(), self.mailbox.name)
        self._pause = interval if well else min(self._retry, interval)
        self._retry = RETRY if well else min(self._retry * 2, interval)

    def _poll(self, opened: Session, kept: Kept) -> bool:
        limit = self._tools.views.directory.number("mail.smtp.size")
        return poll(opened, kept, self._take, limit, self._memory, self._stopping.is_set, self.mailbox.name)

    def _idle(self, opened: Session) -> bool:
        """False where the next poll is one of a new login."""
        if not self.mailbox.idle or self._stopping.is_set():
            return False
        self._idling = True
        try:
            return opened.wait(self._pause) and not self._stopping.is_set()
        finally:
            self._idling = False

    def _take(self, mails: Mapping[Uid, bytes], checkpoint: Checkpoint) -> Mapping[Uid, Exception]:
        taken: list[MailReceived | Exception] = self._on_loop(self._accept(mails, checkpoint.uidvalidity))
        troubles = {}
        for uid, event in zip(mails, taken, strict=True):
            if isinstance(event, MailReceived):
                ids = {"event_id": event.event_id, "trace_id": event.trace_id}
                log.info("mail taken", mailbox=self.mailbox.name, uid=uid, **ids)
            else:
                troubles[uid] = event
        return troubles

    async def _accept(self, mails: Mapping[Uid, bytes], uidvalidity: int) -> list[MailReceived | Exception]:
        """Side by side, but published in their order."""
        before = None
        tasks = []
        async with asyncio.TaskGroup() as group:
            for uid, raw in mails.items():
                turn, origin = asyncio.Event(), origin_of(self.mailbox, uidvalidity, uid)
                tasks.append(group.create_task(self._accept_in_turn(raw, origin, before, turn)))
                before = turn
                await asyncio.sleep(0)  # one is read; then whoever else has something to do on this loop has a turn
        return [task.result() for task in tasks]

    async def _accept_in_turn(
        self, raw: bytes, origin: Origin, before: asyncio.Event | None, turn: asyncio.Event
    ) -> MailReceived | Exception:
        """`before`: set once the one before it is on its way; `turn` is its own for the next one."""

        async def publish(emissions: Sequence[Emission]) -> None:
            if before is not None:
                await before.wait()
            turn.set()  # who waits for it runs once our own call has begun
            await self._tools.publish(emissions)

        try:
            return await accept(raw, Envelope(), origin, replace(self._tools, publish=publish))
        except Exception as error:  # whatever it is, the mail stays
            return error
        finally:
            turn.set()

    def _on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        self._accepting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return self._accepting.result()
        except CancelledError:
            raise MailboxError("shutting down") from None
        finally:
            self._accepting = None

    def stop(self) -> None:
        """No further mail is begun. Does not wait for the end."""
        self._stopping.set()
        opened = self._session
        if opened is not None and self._idling:
            opened.cut()

    def give_up(self) -> None:
        """What is not accepted yet will not be: it stays in its mailbox."""
        if (accepting := self._accepting) is not None:
            accepting.cancel()
        if (opened := self._session) is not None:
            opened.cut()


def origin_of(mailbox: IncomingMailbox, uidvalidity: int, uid: Uid) -> Origin:
    """I8, M9, R10."""
    return Origin(
        _DOORS[mailbox.protocol],
        session=session(mailbox, uidvalidity),
        ordinal=str(uid),
        mailbox=mailbox.name,
        record_type=mailbox.record_type,
        keep_attachments=mailbox.keep_attachments,
        keep_original=mailbox.keep_original,
    )
