"""The life of one SMTP connection: let in, secured, timed, ended. What is said on it is the subclass's."""

import asyncio
import contextlib
import logging
import ssl
from asyncio import sslproto
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import SMTP

from postroad.ingest.doors.desk import IDENTITY, Desk
from postroad.ingest.doors.limits import ENDLESS, network, slow_at
from postroad.ingest.doors.replies import Says
from postroad.runtime.observe import metrics
from postroad_schemas.mail import Door

LINE = 128 * 1024  # octets of a line of a mail: senders exceed RFC 5321's 1,000, and their mails are still read
COMMAND = 2048  # octets of a command line: RFC 5321 4.5.3.1.4 and what extensions add
HANDSHAKE = 30.0  # seconds for TLS
PROXY = 5.0  # seconds for the header of the PROXY protocol, which comes from beside us
BITE = 64 * 1024  # octets read from a socket at once: for more, malloc asks the kernel each time
LINGER = 5.0  # seconds in which a peer may take the last reply

log = logging.getLogger(__name__)


class Connection(SMTP):
    """The library has the transport and the state; the loop of commands is ours, its own takes a bare LF for an end."""

    door = Door.SMTP

    line_length_limit = LINE

    def __init__(self, desk: Desk, implicit_tls: bool = False) -> None:
        super().__init__(object(), hostname=desk.hostname, enable_SMTPUTF8=True, data_size_limit=None)
        self._desk = desk
        self._implicit_tls = implicit_tls
        self._socket: Any = None
        self._network = ""  # as it is counted
        self._due, self._late = ENDLESS, Says.IDLE
        self._reading = False
        self._began = self._moved_at = 0.0  # of a message: when it began, and when it last went on
        self._read = self._moved = 0
        self._ended_at = 0.0
        self._last_words: Says | None = None
        self.idle = self.ending = False
        self.peer = ""

    def connection_made(self, transport: Any) -> None:
        if self._socket is None:
            self._socket = transport
            transport.max_size = BITE
            self._desk.sessions.add(self)
            metrics.CONNECTED.inc(self.door)
            metrics.CONNECTIONS.set(len(self._desk.sessions), self.door)
            peer = transport.get_extra_info("peername")
            self.peer = str(peer[0]) if isinstance(peer, tuple) else str(peer or "")
            if not self._desk.smtp.proxy and (refused := self._enter()):
                self._count(refused)
                if not self._implicit_tls:
                    transport.write(f"{refused}\r\n".encode())
                self.end()
                return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()
        if self._handler_coroutine is not None:
            super().connection_lost(error)

    def _enter(self) -> Says | None:
        refused = self._desk.peers.enter(network(self.peer))
        if refused is None:
            self._network = network(self.peer)
        return refused

    def _leave(self) -> None:
        self._desk.leave(self)
        metrics.CONNECTIONS.set(len(self._desk.sessions), self.door)
        if self._network:
            self._desk.peers.leave(self._network)
            self._network = ""

    def _reset_timeout(self, duration: float | None = None) -> None:
        """The time of the whole session; that of a command is looked after by `look`."""
        if self._timeout_handle is None:
            self._timeout_handle = self.loop.call_later(self._desk.smtp.session_time, self._timeout_cb)

    def _timeout_cb(self) -> None:
        """A mail that is being accepted still gets its answer."""
        self._last_words = Says.TOO_LONG_A_SESSION
        if self._due != ENDLESS:
            self.end(self._last_words)

    def look(self, now: float) -> None:
        """Ends what takes too long; called again and again."""
        if self.ending:
            if now > self._ended_at + LINGER:
                self.drop()
        elif self._reading:
            came = self._read + len(self._reader._buffer)  # type: ignore[attr-defined]
            if came != self._moved:
                self._moved, self._moved_at = came, now
            smtp = self._desk.smtp
            if now > min(slow_at(self._began, came, smtp), self._moved_at + smtp.command_timeout):
                self.end(Says.TOO_SLOW)
        elif now > self._due:
            self.end(self._late)

    def end(self, says: Says | None = None) -> None:
        """The last words, and no more."""
        if self.ending:
            return
        self.ending, self._ended_at = True, self.loop.time()
        transport: Any = self.transport or self._socket
        with contextlib.suppress(OSError, RuntimeError):
            if says is not None:
                self._count(says)
                transport.write(f"{says}\r\n".encode())
            transport.close()

    def drop(self) -> None:
        """Without waiting that anything is taken."""
        self._socket.abort()

    async def _handle_client(self) -> None:
        try:
            if await self._let_in():
                await self.push(Says.GREETING.format(f"{self.hostname} {IDENTITY}"))
                await self._converse()
        except (ConnectionError, EOFError):
            pass  # the peer is gone
        except Exception:
            log.exception("a session ends")
            self.end(Says.FAULT)
        finally:
            self.end()

    async def _let_in(self) -> bool:
        if self._desk.smtp.proxy and not await self._introduced():
            return False
        return not self._implicit_tls or await self._upgrade(keep=True)

    async def _introduced(self) -> bool:
        """By the PROXY protocol (versions 1 and 2): the peer is who connected there."""
        self._due = self.loop.time() + PROXY
        try:
            found = await get_proxy(self._reader)
        except (ConnectionError, EOFError, asyncio.LimitOverrunError, ValueError, IndexError):
            return False
        if not found:
            return False
        if found.command != 0 and isinstance(found.src_addr, IPv4Address | IPv6Address):  # 0: the proxy's own check
            self.peer = str(found.src_addr)
        if refused := self._enter():
            self.end(None if self._implicit_tls else refused)
        return not self.ending

    async def _upgrade(self, *, keep: bool = False) -> bool:
        """TLS from here on. What came before it in the clear is thrown away, unless it is its own beginning."""
        context = self._desk.certificate.context()
        assert context is not None
        self._due = self.loop.time() + HANDSHAKE
        waiter = self.loop.create_future()
        came = bytes(self._reader._buffer) if keep else b""  # type: ignore[attr-defined]
        self._reader._buffer.clear()  # type: ignore[attr-defined]
        tls = sslproto.SSLProtocol(self.loop, self, context, waiter, server_side=True, ssl_handshake_timeout=HANDSHAKE)  # type: ignore[arg-type]
        self._tls_protocol, self._original_transport = tls, self.transport
        self._socket.set_protocol(tls)
        tls.connection_made(self._socket)
        while came:
            place = tls.get_buffer(len(came))
            size = min(len(place), len(came))
            place[:size] = came[:size]
            tls.buffer_updated(size)
            came = came[size:]
        with contextlib.suppress(OSError, ssl.SSLError):
            await waiter
            if self.session is not None and self.session.ssl is not None:
                return True
        self._socket.abort()
        self._leave()  # the library's protocol tells nobody that a handshake was lost
        return False

    def _count(self, reply: str) -> None:
        if reply[:1] in "45":  # RFC 5321 4.2.1: refused for now, or for good
            metrics.REFUSED.inc(self.door, reply[:3])

    async def push(self, status: Any) -> None:
        self._count(str(status))
        self._writer.write(f"{status}\r\n".encode())
        await self._writer.drain()

    async def _line(self) -> str | Says:
        """A command, or why it is none: its end is CRLF, and no other CR, LF or NUL is in it (RFC 5321 2.3.8)."""
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as more:
            await self._rest_of_line(more.consumed)
            return Says.COMMAND_TOO_LONG
        if len(line) > COMMAND:
            return Says.COMMAND_TOO_LONG
        if line[-2:-1] != b"\r" or b"\r" in line[:-2] or b"\0" in line:
            return Says.BARE_COMMAND
        try:
            return line[:-2].decode()
        except UnicodeDecodeError:
            return Says.NOT_UTF8

    async def _rest_of_line(self, consumed: int) -> None:
        while consumed:
            await self._reader.read(consumed)
            try:
                await self._reader.readuntil(b"\n")
                return
            except asyncio.LimitOverrunError as more:
                consumed = more.consumed

    async def _converse(self) -> None:
        raise NotImplementedError
