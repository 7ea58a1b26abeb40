"""The LMTP door (RFC 2033), for a mail server beside us: the SMTP door's sessions, with an answer for each recipient.

What [smtp] says of times and sizes holds here too. What protects from strangers does not: whoever speaks here has
taken the mail already, and would have to return what is refused.
"""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from postroad.ingest.accept import Origin
from postroad.ingest.doors.conversation import Conversation
from postroad.ingest.doors.limits import Share
from postroad.ingest.doors.replies import Says
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.ingest.doors.spool import Spool
from postroad.runtime.config import Config
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope

RIGHTS = 0o666  # of the socket, as of a port on the loopback; the rights of its folder say who gets there


class LmtpDoor:
    """Listens as configured in [lmtp]. `port` is the one really taken, 0 with a Unix socket."""

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.config.lmtp
        self._path = Path(self._settings.path) if self._settings.path else None
        self._listening = _Listening(replace(tools, config=_settings(tools.config)), self._path)

    @property
    def port(self) -> int:
        return 0 if self._path else self._listening.port

    async def start(self) -> None:
        """Raises Unavailable when port or path cannot be had, ConfigError for settings that cannot be used."""
        where = self._path or f"{self._settings.host}:{self._settings.port}"
        advice = "choose path, or host and port, in [lmtp]"
        if self._path and _answers(self._path):
            raise Unavailable(f"{where} is listened on by another process: {advice}")
        try:
            await self._listening.start()
            if self._path:
                self._path.chmod(RIGHTS)
        except OSError as error:
            await self.stop()
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise Unavailable(f"{where} cannot be listened on ({why}): {advice}") from error

    async def stop(self) -> None:
        """As the SMTP door: mails being taken in are finished, or answered with 421."""
        if self._path and self._listening.listens:
            with contextlib.suppress(OSError):
                self._path.unlink()
        await self._listening.stop()


class LmtpConversation(Conversation):
    """One session."""

    door = Door.LMTP

    VERBS: ClassVar[dict[str, Callable[[Any, str], Awaitable[str | None]]]] = {
        **{verb: method for verb, method in Conversation.VERBS.items() if verb not in ("HELO", "EHLO")},
        "LHLO": Conversation.ehlo,
    }

    def _enter(self) -> Says | None:
        self.peer = self.peer or "localhost"  # a Unix socket knows no address
        return super()._enter()

    async def _do(self, line: str) -> str | None:
        reply = await super()._do(line)
        return reply.replace("EHLO", "LHLO") if reply and "EHLO" in reply else reply

    async def _message(self, envelope: Envelope) -> str:
        """RFC 2033 4.2: a reply for each RCPT that was accepted, in their order, also of a message that is refused."""
        reply = await super()._message(envelope)
        return "\r\n".join(reply for _ in envelope.rcpt_to or ())

    async def _answer(self, spool: Spool, share: Share, envelope: Envelope) -> str:
        origin = Origin(Door.LMTP, session=self._id, ordinal=str(self._mails), peer=self.peer)
        return await self._desk.accept(spool, share, envelope, origin)


class _Listening(SmtpDoor):
    """On a port or a path, with other sessions."""

    def __init__(self, tools: Tools, path: Path | None) -> None:
        super().__init__(tools)
        self._path = path

    @property
    def listens(self) -> bool:
        return any(server.is_serving() for server in self._servers)

    async def _listen(self, port: int, *, implicit_tls: bool) -> None:
        loop = asyncio.get_running_loop()
        if self._path:
            server = await loop.create_unix_server(self._session, self._path)
        else:
            server = await loop.create_server(self._session, self._settings.host, port)
        self._servers.append(server)

    def _session(self) -> LmtpConversation:
        return LmtpConversation(self._desk)


def _settings(config: Config) -> Config:
    """Of the SMTP door, but for one peer that is trusted, in the clear."""
    smtp = msgspec.structs.replace(
        config.smtp,
        host=config.lmtp.host,
        port=config.lmtp.port,
        tls_port=0,
        certificate="",
        key="",
        require_tls=False,
        proxy=False,
        bare_newlines="accept",  # nothing but CRLF dot CRLF ends a message here, and nobody relays it further
        max_connections_per_peer=config.smtp.max_connections,
        mails_per_minute=0,
    )
    return msgspec.structs.replace(config, smtp=smtp)


def _answers(path: Path) -> bool:
    """Whether somebody listens there. A socket whose owner is gone may be taken over."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        if stat.S_ISSOCK(path.stat().st_mode):
            probe.settimeout(1.0)
            probe.connect(str(path))
            return True
    return False
