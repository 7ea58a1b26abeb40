"""What the sessions of the SMTP door share: who is there, how much is in flight, what is accepted."""

import asyncio
import logging
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postroad import __version__
from postroad.ingest.accept import Origin, accept
from postroad.ingest.doors.certificate import Certificate
from postroad.ingest.doors.limits import Flight, Peers, Share
from postroad.ingest.doors.replies import Says
from postroad.ingest.doors.spool import Spool
from postroad.runtime.config import Smtp
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas.values import Envelope

if TYPE_CHECKING:
    from postroad.ingest.doors.connection import Connection

log = logging.getLogger(__name__)


@dataclass
class Desk:
    """One for a door."""

    tools: Tools
    certificate: Certificate
    peers: Peers
    flight: Flight
    hostname: str
    sessions: "set[Connection]" = field(default_factory=set)
    closing: bool = False
    _underway: int = 0
    _accepting: set[asyncio.Task[str]] = field(default_factory=set)
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def smtp(self) -> Smtp:
        return self.tools.config.smtp

    @property
    def size(self) -> int:
        """Octets that a mail may have."""
        return self.tools.views.directory.number("mail.smtp.size")

    def begin(self) -> None:
        """A message is read, or accepted."""
        self._underway += 1
        self._quiet.clear()

    def end(self) -> None:
        self._underway -= 1
        if not self._underway:
            self._quiet.set()

    def leave(self, session: "Connection") -> None:
        self.sessions.discard(session)
        if not self.sessions:
            self._empty.set()

    async def left(self) -> None:
        """Returns when nobody is there; after the door was closed."""
        self._empty.clear()
        if self.sessions:
            await self._empty.wait()

    async def quiet(self) -> None:
        """Returns when no mail is being taken in."""
        if self._underway:
            await self._quiet.wait()

    async def accept(self, spool: Spool, share: Share, envelope: Envelope, origin: Origin) -> str:
        """The reply to a message. It is accepted to the end also when who sent it does not wait: then its octets count
        as long as they are held. Spool and share are given back."""
        self.begin()
        task = asyncio.create_task(self._accept(spool, share, envelope, origin))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        return await asyncio.shield(task)

    async def _accept(self, spool: Spool, share: Share, envelope: Envelope, origin: Origin) -> str:
        try:
            event = await accept(spool.content() if spool.in_memory else spool.content, envelope, origin, self.tools)
        except Unavailable:
            return Says.NOT_STORED
        except Exception:
            log.exception("a mail could not be accepted")
            return Says.FAULT
        else:
            return Says.ACCEPTED.format(event.event_id)
        finally:
            spool.close()
            share.give_back()
            self.end()

    def give_up(self) -> None:
        """What is still being accepted gets no yes any more."""
        for task in self._accepting:
            task.cancel()


def desk(tools: Tools) -> Desk:
    smtp = tools.config.smtp
    return Desk(
        tools=tools,
        certificate=Certificate(smtp.certificate, smtp.key),
        peers=Peers(smtp.max_connections, smtp.max_connections_per_peer, smtp.mails_per_minute),
        flight=Flight(smtp.in_flight),
        hostname=smtp.hostname or socket.getfqdn(),
    )


IDENTITY = f"ESMTP postroad {__version__}"
