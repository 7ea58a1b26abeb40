"""A mail server that takes everything and keeps it: the other side of the tour, on the loopback."""

import asyncio
from dataclasses import dataclass, field
from email import message_from_bytes

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True)
class Sunk:
    """One mail as it arrived."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    raw: bytes

    def field(self, name: str) -> str:
        """A header field, unfolded; empty if absent."""
        return " ".join(str(message_from_bytes(self.raw)[name] or "").split())


@dataclass
class Sink:
    """Accepts all mail. `port` is known once started."""

    host: str = "127.0.0.1"
    port: int = 0
    mails: list[Sunk] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _session(self) -> SMTP:
        return SMTP(self, hostname="sink.example", enable_SMTPUTF8=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        self.mails.append(Sunk((envelope.mail_from or "").strip("<>"), tuple(envelope.rcpt_tos), raw))
        return "250 2.0.0 kept"

    async def stop(self) -> None:
        if self._server:
            self._server.close()
