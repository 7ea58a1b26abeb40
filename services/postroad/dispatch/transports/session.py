"""One SMTP connection (RFC 5321, 3207, 4954): opened step by step, used for one transaction after another."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import aiosmtplib

from postroad.dispatch.attempt import Plan, Step
from postroad.dispatch.server import exposed, port_of
from postroad.dispatch.transports.login import Secret, log_in
from postroad.dispatch.transports.tls import tls_context
from postroad.dispatch.transports.wire import Lost, Wire, open_wire, reply_of
from postroad.runtime.oauth2 import OAuth2Refused, OAuth2Unavailable
from postroad_schemas.directory import Security, Smarthost
from postroad_schemas.values import FailureType, Reply

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. RFC 5321 4.5.3.2 asks clients for these patiences; connecting is up to us."""

    connect: float = 60.0  # each of TCP, greeting, TLS handshake
    command: float = 300.0
    body: float = 600.0


class Ended(Exception):  # noqa: N818  # not an error: how a transaction ended before its end
    """A step that did not go on. Reply code 0: no reply came."""

    def __init__(self, step: Step, reply: Reply, failure: FailureType | None = None, status: str = "") -> None:
        super().__init__(step, reply)
        self.step, self.reply, self.failure, self.status = step, reply, failure, status


class Gone(Exception):  # noqa: N818  # a server may close an idle session at any time
    """A session that was used before is no more; nothing of the new transaction was taken."""


class Command(NamedTuple):
    step: Step
    line: bytes
    goes_on: int  # the first digit of the reply with which the transaction goes on


Told = Callable[[Step, Reply], None]
"""Is called with each step that went on."""


def _nobody(_step: Step, _reply: Reply) -> None:
    pass


_RSET = Command(Step.MAIL, b"RSET", 2)
_DATA = Command(Step.DATA, b"DATA", 3)


class Session:
    """A connection to one server. Every method raises Ended, naming the step, when it cannot go on."""

    def __init__(self, server: Smarthost, hostname: str, secret: Secret, timeouts: Timeouts):
        self.server = server
        self.transactions = 0
        self.offers: dict[str, str] = {}  # EHLO keywords, lower case, with their parameters
        self._secret = secret
        self._timeouts = timeouts
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=port_of(server),
            use_tls=server.security is Security.TLS,
            start_tls=False,  # done below, as a step of its own
            local_hostname=hostname,
            timeout=timeouts.connect,
        )
        self._wire: Wire | None = None

    @property
    def is_open(self) -> bool:
        return self._wire is not None and self._wire.is_open

    async def open(self, told: Told = _nobody) -> None:
        """Connects, secures and logs in, as the server's row says."""
        if why := exposed(self.server):
            raise Ended(Step.AUTH, Reply(text=why), FailureType.CONFIGURATION, "5.7.11")
        try:
            told(Step.CONNECT, await self._step(Step.CONNECT, self._connect))
            if self.server.security is Security.STARTTLS:
                await self._step(Step.TLS, self._starttls)
            if self.server.security is not Security.NONE:
                told(Step.TLS, Reply(text=self._secured()))
            told(Step.HELO, await self._step(Step.HELO, self._hello))
            if self.server.credentials:
                told(Step.AUTH, await self._step(Step.AUTH, self._login))
            self.offers = dict(self._client.esmtp_extensions)
            self._wire = open_wire(self._client.transport)
        except Lost as lost:
            raise Ended(Step.HELO, Reply(text=str(lost))) from lost
        finally:
            if self._wire is None:
                self._client.close()

    async def _step(self, step: Step, act: Callable[[], Awaitable[Reply]]) -> Reply:
        try:
            return await act()
        except aiosmtplib.SMTPResponseException as error:
            raise Ended(step, reply_of(error.code, error.message)) from error
        except OAuth2Refused as error:
            raise Ended(step, Reply(text=str(error)), FailureType.CONFIGURATION, "5.7.8") from error
        except ssl.SSLError as error:
            raise Ended(Step.TLS, Reply(text=f"TLS: {error}")) from error
        except (aiosmtplib.SMTPException, OAuth2Unavailable, OSError) as error:
            cause = error.__cause__
            if isinstance(cause, ssl.SSLError):
                raise Ended(Step.TLS, Reply(text=f"TLS: {cause}")) from error
            raise Ended(step, Reply(text=str(error) or type(error).__name__)) from error

    async def _connect(self) -> Reply:
        if self.server.security is not Security.NONE:
            self._client.tls_context = await asyncio.to_thread(tls_context, self.server)
        greeting = await self._client.connect()
        return reply_of(greeting.code, greeting.message)

    async def _starttls(self) -> Reply:
        reply = await self._client.starttls(timeout=self._timeouts.connect)
        return reply_of(reply.code, reply.message)

    def _secured(self) -> str:
        cipher = self._client.get_transport_info("cipher")
        return f"{cipher[1]}, {cipher[0]}" if cipher else "TLS"

    async def _hello(self) -> Reply:
        """EHLO, else HELO: what a server is asked first, and again after STARTTLS (RFC 3207 4.2)."""
        self._client.timeout = self._timeouts.command
        if self._client.is_ehlo_or_helo_needed:
            try:
                await self._client.ehlo()
            except aiosmtplib.SMTPHeloError:
                if not self._client.is_connected:
                    raise
                await self._client.helo()
        said = self._client.last_ehlo_response or self._client.last_helo_response
        return reply_of(said.code, said.message) if said else Reply()

    async def _login(self) -> Reply:
        credentials = self.server.credentials
        assert credentials is not None
        said = await log_in(self._client, credentials, self._secret)
        return reply_of(said.code, said.message)

    async def transact(self, plan: Plan, message: bytes) -> Reply:
        """MAIL, RCPT, DATA and the body: the reply to the final dot. Raises Gone too, for a session used before."""
        used_before = self.transactions > 0
        self.transactions += 1
        whole = False  # whether the two of us still talk about the same thing
        try:
            commands = self._envelope(plan, message)
            await self._talk((_RSET, *commands) if used_before else commands)
            reply = await self._body(message)
            whole = reply.code != 421  # RFC 5321 3.8: the server closes
            return reply
        except Ended as ended:
            whole = bool(ended.failure) or (ended.reply.code // 100 in (4, 5) and ended.reply.code != 421)
            raise
        finally:
            if not whole:
                self.close()

    def _envelope(self, plan: Plan, message: bytes) -> tuple[Command, ...]:
        """The commands up to DATA. Raises Ended for what this server said beforehand that it does not take."""
        encoding = "utf-8" if plan.smtputf8 else "ascii"
        lines = (
            f"MAIL FROM:<{plan.envelope_from}>{self._mail_options(plan, message)}".encode(encoding),
            f"RCPT TO:<{plan.recipient}>".encode(encoding),
        )
        if any(map(_CONTROL.search, lines)):
            raise Ended(
                Step.MAIL, Reply(text="a control character in an address"), FailureType.ADDRESS_INVALID, "5.1.3"
            )
        return Command(Step.MAIL, lines[0], 2), Command(Step.RCPT, lines[1], 2), _DATA

    def _mail_options(self, plan: Plan, message: bytes) -> str:
        """SIZE (RFC 1870), 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531), each only where it is offered and needed."""
        offers, options = self.offers, self.smtputf8() if plan.smtputf8 else ""
        if "8bitmime" in offers and not message.isascii():
            options += " BODY=8BITMIME"
        if "size" in offers:
            options += f" SIZE={len(message)}"
        limit = self.server.size_limit or self._announced_size()
        if limit and len(message) > limit:
            why = f"the message has {len(message)} octets, more than the server's limit of {limit}"
            raise Ended(Step.MAIL, Reply(text=why), FailureType.CONFIGURATION, "5.3.4")
        return options

    def smtputf8(self) -> str:
        """The option of MAIL for addresses that need it. Raises Ended where it is not offered."""
        if "smtputf8" not in self.offers:
            why = "a non-ASCII address needs SMTPUTF8, which this server does not offer"
            raise Ended(Step.MAIL, Reply(text=why), FailureType.SMTPUTF8_NEEDED, "5.6.7")
        return " SMTPUTF8"

    def _announced_size(self) -> int:
        announced = self.offers.get("size", "").strip()
        return int(announced) if announced.isascii() and announced.isdigit() else 0

    async def ask(self, command: Command) -> Reply:
        """One command and its reply, whatever that is. Raises Ended for a connection that was lost."""
        try:
            wire = self._open_wire()
            wire.say(command.line)
            return await wire.reply(self._timeouts.command)
        except Lost as lost:
            raise Ended(command.step, Reply(text=f"connection lost: {lost}")) from lost

    async def _talk(self, commands: tuple[Command, ...]) -> None:
        """Returns when all went on. With PIPELINING they are said at once, DATA the last (RFC 2920 3.1)."""
        at_once = len(commands) if "pipelining" in self.offers else 1
        for begin in range(0, len(commands), at_once):
            await self._group(commands[begin : begin + at_once])

    async def _group(self, group: tuple[Command, ...]) -> None:
        """Every reply is read, also after one that ended it; that one counts."""
        ended: Ended | None = None
        command = group[0]
        try:
            wire = self._open_wire()
            wire.say(*(each.line for each in group))
            for command in group:
                patience = self._timeouts.connect if command is _RSET else self._timeouts.command
                reply = await wire.reply(patience)
                goes_on = reply.code // 100 == command.goes_on
                if command is _RSET and not goes_on:
                    raise Gone
                if not goes_on:
                    ended = ended or Ended(command.step, reply)
                elif command is _DATA and ended is not None:
                    await self._say_nothing(wire, ended)
        except Lost as lost:
            if command is _RSET:
                raise Gone from lost
            raise ended or Ended(command.step, Reply(text=f"connection lost: {lost}")) from lost
        if ended is not None:
            raise ended

    async def _say_nothing(self, wire: Wire, ended: Ended) -> None:
        """A server that wants a message for nobody gets a bare dot (RFC 2920 3.1), whose reply counts for nothing.

        One that refused the sender may have taken the recipient: it would deliver that nothing, so it gets none.
        """
        if ended.step is not Step.RCPT:
            self.close()
            return
        wire.say(b".")
        if (await wire.reply(self._timeouts.command)).code == 421:
            self.close()

    async def _body(self, message: bytes) -> Reply:
        """Once a 250 has been read nothing that happens to the connection matters any more (O10)."""
        try:
            wire = self._open_wire()
            wire.say_message(message)
            return await wire.reply(self._timeouts.body)
        except Lost as lost:
            words = f"connection lost before the reply to the message: {lost}"
            raise Ended(Step.BODY, Reply(text=words)) from lost

    def _open_wire(self) -> Wire:
        if self._wire is None:
            raise Lost("not open")
        return self._wire

    async def quit(self) -> None:
        """Leaves politely if that is quick."""
        with suppress(Lost):
            wire = self._open_wire()
            wire.say(b"QUIT")
            await wire.reply(2.0)
        self.close()

    def close(self) -> None:
        """At once. What is not said yet stays unsaid."""
        if self._wire is not None:
            self._wire.close()
        else:
            self._client.close()
