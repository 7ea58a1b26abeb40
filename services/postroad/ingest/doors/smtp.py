"""The SMTP door (RFC 5321) on aiosmtpd: `250` after acceptance and not before (I2)."""

import asyncio
import contextlib
import re
import socket
import ssl
import uuid
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from postroad import __version__
from postroad.ingest.accept import Origin, accept
from postroad.ingest.doors.data import TOO_LARGE, Refused, read_message
from postroad.ingest.recipients import judge
from postroad.runtime.config import ConfigError
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope as EnvelopeValue

DRAIN = 5.0  # seconds that open sessions get to finish at a stop
_PATH = re.compile(r'\s*<(?:@[^:<>]*:)?((?:"(?:[^"\\]|\\.)*+"|[^"<>\s])*+)>')
LINE = 128 * 1024  # octets of a line of a mail: senders exceed RFC 5321's 1,000, and their mails are still read

# The library's own refusals, with the enhanced codes (RFC 3463) and words that say what to do.
REFUSALS = {
    "552 Error: message size exceeds fixed maximum message size": TOO_LARGE,
    "500 Command line too long": "500 5.5.2 command line too long",
    "500 Error: bad syntax": "500 5.5.2 command not understood",
    "503 Error: need MAIL command": "503 5.5.1 MAIL FROM comes first",
    "503 Error: need RCPT command": "503 5.5.1 RCPT TO comes first, and none was accepted",
    "503 Error: nested MAIL command": "503 5.5.1 one transaction at a time",
    "503 Error: send HELO first": "503 5.5.1 EHLO comes first",
}


class SmtpDoor:
    """Listens as configured in [smtp]. `port` is the one really taken."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._settings = tools.config.smtp
        self._server: asyncio.Server | None = None
        self._handler = Handler(tools)
        self._sessions: set[SMTP] = set()
        self.port = 0

    async def start(self) -> None:
        """Raises OSError when the port cannot be had, ConfigError for a certificate that cannot be used."""
        try:
            self._certificate()
        except (OSError, ValueError) as error:
            path = self._settings.certificate
            raise ConfigError(
                f"[smtp] certificate {path} cannot be used ({error}): name PEM files that match"
            ) from error
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self._settings.host, self._settings.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> SMTP:
        session = Limited(
            self._handler,
            data_size_limit=self._tools.views.directory.number("mail.smtp.size"),
            enable_SMTPUTF8=True,
            hostname=self._settings.hostname or socket.getfqdn(),
            ident=f"postroad {__version__}",
            tls_context=self._certificate(),
            timeout=self._settings.command_timeout,
            command_call_limit={"*": 1000, "RCPT": 10_000},
        )
        session.opened(self._sessions, self._settings.max_connections)
        return session

    def _certificate(self) -> ssl.SSLContext | None:
        if not self._settings.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._settings.certificate, self._settings.key or None)
        return context

    async def stop(self) -> None:
        """No new sessions; a mail being taken in is finished or answered with 4xx; then the rest is closed."""
        if self._server is None:
            return
        self._server.close()
        self._handler.closing = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._handler.idle.wait(), DRAIN)
        for session in list(self._sessions):
            with contextlib.suppress(Exception):
                session.transport.close()  # type: ignore[union-attr]


class Limited(SMTP):
    """One session. Over the limit of connections it is told so and closed (421, RFC 5321 4.2.2)."""

    line_length_limit = LINE
    _open: set[SMTP]
    _too_many = False

    def opened(self, sessions: set[SMTP], limit: int) -> None:
        self._open, self._too_many = sessions, len(sessions) >= limit
        sessions.add(self)

    def connection_made(self, transport: Any) -> None:
        if self._too_many:
            self._open.discard(self)
            transport.write(b"421 4.7.0 too many connections, try again later\r\n")
            transport.close()
            return
        super().connection_made(transport)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """A path and what follows it (RFC 5321 4.1.2). The library's parser costs more than the rest of a session."""
        found = _PATH.match(arg)
        return (found[1] or "<>", arg[found.end() :]) if found else super()._getaddr(arg)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """RFC 5321 4.1.1.4. The library reads line by line, which takes longer than all else."""
        assert self.envelope is not None
        if await self.check_helo_needed():
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no parameter")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        try:
            self.envelope.original_content = await read_message(self._reader, self.data_size_limit or 0, LINE)
        except Refused as refused:
            status = str(refused)
        else:
            status = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(status)

    async def push(self, status: Any) -> None:
        await super().push(REFUSALS.get(status, status) if isinstance(status, str) else status)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        if not self._too_many:
            super().connection_lost(error)


class Handler:
    """Answers for all sessions of the door."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._octets = 0
        self._busy = 0
        self.closing = False
        self.idle = asyncio.Event()  # set while no mail is being taken in
        self.idle.set()

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-ENHANCEDSTATUSCODES", "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= self._tools.config.smtp.max_recipients:
            return "452 4.5.3 too many recipients, send the rest in another transaction"
        reply = judge(address, self._tools.views.directory, self._tools.clock())
        if reply.code == 250:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return f"{reply.code} {reply.text}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        if self.closing:
            return "421 4.3.2 shutting down, try again later"
        if self._octets and self._octets + len(raw) > self._tools.config.smtp.in_flight:
            return "452 4.3.1 too much mail being taken in, try again later"
        self._octets += len(raw)
        self._busy += 1
        self.idle.clear()
        try:
            return await self._accept(raw, session, envelope)
        finally:
            self._octets -= len(raw)
            self._busy -= 1
            if not self._busy:
                self.idle.set()

    async def _accept(self, raw: bytes, session: Session, envelope: Envelope) -> str:
        origin = Origin(Door.SMTP, session=str(uuid.uuid4()), ordinal="1", peer=_peer(session))
        reverse_path = (envelope.mail_from or "").strip("<>")  # the library leaves the null one as "<>"
        value = EnvelopeValue(mail_from=reverse_path, rcpt_to=tuple(envelope.rcpt_tos))
        try:
            event = await accept(raw, value, origin, self._tools)
        except Unavailable:
            return "451 4.3.0 cannot be stored now, try again later"
        return f"250 2.0.0 accepted as {event.event_id}"

    async def handle_exception(self, error: Exception) -> str:
        return "451 4.3.0 local error, try again later"


def _peer(session: Session) -> str:
    return str(session.peer[0]) if isinstance(session.peer, tuple) else str(session.peer or "")
