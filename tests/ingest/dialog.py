"""Talking to the SMTP door octet by octet, over real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from postroad.ingest.doors import smtp as door_module
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Smtp
from postroad_schemas.directory import Parameter
from tests.support.declared import tools

MAIL = b"From: anna@example.org\r\nTo: sales@example.com\r\nMessage-ID: <1@example.org>\r\nSubject: Hi\r\n\r\nHello\r\n"
TRANSACTION = ("EHLO c.example", "MAIL FROM:<anna@example.org>", "RCPT TO:<sales@example.com>", "DATA")
SIZE = Parameter(name="mail.smtp.size", value="1000000")

Publish = Callable[[Sequence[Any]], Awaitable[None]]


async def nothing(events: Sequence[Any]) -> None:
    """Acknowledges everything."""


@asynccontextmanager
async def door(publish: Publish = nothing, store: Any = None, **smtp: Any) -> AsyncIterator[SmtpDoor]:
    """Mails of at most 1,000,000 octets."""
    given = tools(publish, config=Config(smtp=Smtp(port=0, hostname="mx.example.com", **smtp)))
    given.views.apply("directory", "parameter/mail.smtp.size", SIZE)
    opened = SmtpDoor(replace(given, store=store) if store is not None else given)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self) -> str:
        """The last line of the next reply; "" when the door has closed."""
        while True:
            with contextlib.suppress(ConnectionError):
                line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
                if line[3:4] == "-":
                    continue
                return line.rstrip("\r\n")
            return ""

    async def raw(self, octets: bytes) -> str:
        self.writer.write(octets)
        return await self.reply()

    async def say(self, *lines: str) -> str:
        """One after another; the reply to the last."""
        reply = ""
        for line in lines:
            reply = await self.raw(line.encode() + b"\r\n")
        return reply

    async def mail(self, content: bytes = MAIL) -> str:
        assert (await self.say(*TRANSACTION)).startswith("354")
        return await self.raw(content + b".\r\n")

    async def starttls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context, server_hostname="localhost")


@asynccontextmanager
async def client(port: int, tls: ssl.SSLContext | None = None, first: bytes = b"") -> AsyncIterator[Client]:
    """Nothing is read yet; `first` is sent at once."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    writer.write(first)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def greeted(port: int) -> AsyncIterator[Client]:
    async with client(port) as made:
        assert (await made.reply()).startswith("220 mx.example.com")
        yield made


async def closed(port: int) -> None:
    """Returns once nobody listens there any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return
        writer.close()
        await asyncio.sleep(0.02)


def trusting() -> ssl.SSLContext:
    """A client that believes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


QUICK_LOOK = 0.02


def look_often(monkeypatch: Any) -> None:
    """Times are looked after every few milliseconds."""
    monkeypatch.setattr(door_module, "LOOK", QUICK_LOOK)
