"""The SMTP door (RFC 5321): listens in the clear and, as configured, with TLS from the first octet (RFC 8314)."""

import asyncio
import contextlib
import os
from pathlib import Path

from postroad.ingest.doors.conversation import Conversation
from postroad.ingest.doors.desk import desk
from postroad.ingest.doors.replies import Says
from postroad.ingest.doors.spool import give_back_large_blocks
from postroad.runtime.config import ConfigError
from postroad.runtime.worker import Tools

DRAIN = 3.0  # seconds that mails being taken in get to finish at a stop
GOODBYE = 0.5  # and after them the last replies
LOOK = 1.0  # seconds between looks whether a session takes too long


class SmtpDoor:
    """Listens as configured in [smtp]. `port` is the one really taken."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._settings = tools.config.smtp
        self._desk = desk(tools)
        self._servers: list[asyncio.Server] = []
        self._looking: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Raises OSError when a port cannot be had, ConfigError for settings that cannot be used."""
        self._check()
        give_back_large_blocks()
        await self._listen(self._settings.port, implicit_tls=False)
        self.port = self._servers[0].sockets[0].getsockname()[1]
        if self._settings.tls_port:
            try:
                await self._listen(self._settings.tls_port, implicit_tls=True)
            except BaseException:
                self._servers[0].close()
                raise
        self._looking = asyncio.create_task(self._look())

    def _check(self) -> None:
        smtp = self._settings
        if self._desk.certificate.context() is None and (smtp.tls_port or smtp.require_tls):
            raise ConfigError("[smtp] tls_port and require_tls need a certificate: name its PEM files")
        if smtp.spool and not (Path(smtp.spool).is_dir() and os.access(smtp.spool, os.W_OK | os.X_OK)):
            raise ConfigError(f"[smtp] spool {smtp.spool} is no folder that can be written to: make it, or give rights")

    async def _listen(self, port: int, *, implicit_tls: bool) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Conversation(self._desk, implicit_tls), self._settings.host, port)
        self._servers.append(server)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        shortest = min(self._settings.command_timeout, self._settings.data_grace, LOOK * 4)
        while True:
            await asyncio.sleep(shortest / 4)
            for session in list(self._desk.sessions):
                session.look(loop.time())

    async def stop(self) -> None:
        """No new sessions, idle ones are told; a mail being taken in is finished, or answered with 421 in the end."""
        for server in self._servers:
            server.close()
        self._desk.closing = True
        for session in list(self._desk.sessions):
            if session.idle:
                session.end(Says.CLOSING)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._desk.quiet(), DRAIN)
        for session in list(self._desk.sessions):
            session.end(Says.CLOSING)
        self._desk.give_up()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._desk.left(), GOODBYE)
        for session in list(self._desk.sessions):
            session.drop()
        if self._looking:
            self._looking.cancel()
