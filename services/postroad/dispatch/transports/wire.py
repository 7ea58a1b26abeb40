"""An open connection as octets: commands out, several at once (RFC 2920), and their replies in their order."""

import asyncio
import re
from collections import deque
from typing import cast

from postroad_schemas.values import Reply

_MAX_WORDS = 2_000  # octets of a reply that are kept
_MAX_REPLY = 32_768  # octets without a reply in them that are read
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.DOTALL)  # RFC 5321 4.2


class Lost(Exception):  # noqa: N818  # how a connection ended
    """No reply comes any more; the message says why."""


class Wire(asyncio.Protocol):
    """Takes over a transport that others have opened, secured and logged in on.

    A reply that nobody asked for ends the connection: the two sides no longer talk about the same thing, or the server
    is leaving (421).
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._owed = 0  # replies that are to come
        self._unread = b""
        self._begun: list[bytes] = []  # the lines of a reply that goes on
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost = "" if not transport.is_closing() else "connection lost"
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        return not self._lost

    def say(self, *lines: bytes) -> None:
        """Commands in one go, without their line ends; each is owed a reply. Raises Lost."""
        self._write(b"\r\n".join((*lines, b"")), len(lines))

    def say_message(self, message: bytes) -> None:
        """RFC 5321 4.5.2: with dots stuffed, and the dot that ends it. Raises Lost."""
        stuffed = message.replace(b"\n.", b"\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self._write(stuffed + b".\r\n", 1)

    def _write(self, octets: bytes, owed: int) -> None:
        if self._lost:
            raise Lost(self._lost)
        self._owed += owed
        self._transport.write(octets)

    async def reply(self, patience: float) -> Reply:
        """The next one. What came before the connection was lost is still read. Raises Lost, also after `patience`."""
        if not self._replies:
            if self._lost:
                raise Lost(self._lost)
            self._waiter = self._loop.create_future()
            timer = self._loop.call_later(patience, self._end, f"no reply within {patience:g} s")
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
            if not self._replies:
                raise Lost(self._lost)
        return self._replies.popleft()

    def close(self) -> None:
        """At once: of what is not written yet nothing is, above all not the end of a message."""
        self._end("closed")

    def _end(self, why: str) -> None:
        self._lost = self._lost or why
        self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # what the transport calls

    def data_received(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._unread) + sum(map(len, self._begun)) > _MAX_REPLY:
            self._end("a reply without end")

    def _take(self, line: bytes) -> None:
        found = _LINE.match(line.strip(b" \t\r"))
        if found is None:
            self._end(f"no reply of SMTP: {_text(line.strip())}")
            return
        self._begun.append(line)
        if found[2] == b"-":
            return
        text, self._begun = b"\n".join(each[4:].strip(b" \t\r") for each in self._begun), []
        if self._lost:
            return
        if not self._owed:
            self._end(f"the server spoke out of turn: {_text(line.strip())}")
            return
        self._owed -= 1
        self._replies.append(Reply(code=int(found[1]), text=_text(text)))
        self._wake()

    def eof_received(self) -> bool:
        self._end("connection lost")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = self._lost or (f"connection lost: {error}" if error else "connection lost")
        self._wake()


def open_wire(transport: asyncio.BaseTransport | None) -> Wire:
    """Raises Lost if there is no transport any more."""
    if transport is None:
        raise Lost("connection lost")
    return Wire(cast(asyncio.Transport, transport))


def _text(octets: bytes) -> str:
    """A server's words as they may stand in an event: text, of bounded length."""
    return octets[:_MAX_WORDS].decode("utf-8", "replace")


def reply_of(code: int, text: str) -> Reply:
    """What aiosmtplib made of a reply. A code below 100 is none."""
    return Reply(code=code if code >= 100 else 0, text=_text(text.encode("utf-8", "surrogateescape")))
