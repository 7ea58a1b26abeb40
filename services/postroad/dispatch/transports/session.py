"""One SMTP connection (RFC 5321, 3207, 4954): opened step by step, used for one transaction after another."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiosmtplib

from postroad.dispatch.attempt import Plan, Step
from postroad_schemas.directory import Security, Smarthost
from postroad_schemas.values import FailureType, Reply

PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}
_DOT = re.compile(rb"(?m)^\.")
_MAX_WORDS = 2_000  # octets of a reply that are kept


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


class Session:
    """A connection to one server. Every method raises Ended, naming the step, when it cannot go on."""

    def __init__(self, server: Smarthost, hostname: str, secret: Callable[[str], bytes | None], timeouts: Timeouts):
        self.server = server
        self.transactions = 0
        self._secret = secret
        self._timeouts = timeouts
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port or PORTS[server.security],
            use_tls=server.security is Security.TLS,
            start_tls=False,  # done below, as a step of its own
            local_hostname=hostname,
            timeout=timeouts.connect,
        )

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    async def open(self) -> None:
        """Connects, secures and logs in, as the server's row says."""
        try:
            await self._step(Step.CONNECT, self._connect)
            if self.server.security is Security.STARTTLS:
                await self._step(Step.TLS, self._starttls)
            await self._step(Step.HELO, self._hello)
            if self.server.credentials:
                await self._step(Step.AUTH, self._login)
        except BaseException:
            self._client.close()
            raise

    async def _step(self, step: Step, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except aiosmtplib.SMTPResponseException as error:
            raise Ended(step, reply_of(error.code, error.message)) from error
        except ssl.SSLError as error:
            raise Ended(Step.TLS, Reply(text=f"TLS: {error}")) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            cause = error.__cause__
            if isinstance(cause, ssl.SSLError):
                raise Ended(Step.TLS, Reply(text=f"TLS: {cause}")) from error
            raise Ended(step, Reply(text=str(error) or type(error).__name__)) from error

    async def _connect(self) -> None:
        context = None if self.server.security is Security.NONE else await asyncio.to_thread(tls_context, self.server)
        self._client.tls_context = context
        await self._client.connect()

    async def _starttls(self) -> None:
        await self._client.starttls(timeout=self._timeouts.connect)

    async def _hello(self) -> None:
        """EHLO, else HELO: what a server is asked first, and again after STARTTLS (RFC 3207 4.2)."""
        self._client.timeout = self._timeouts.command
        if self._client.is_ehlo_or_helo_needed:
            try:
                await self._client.ehlo()
            except aiosmtplib.SMTPHeloError:
                if not self.is_open:
                    raise
                await self._client.helo()

    async def _login(self) -> None:
        credentials = self.server.credentials
        assert credentials is not None
        password = await asyncio.to_thread(self._secret, credentials.secret)
        if password is None:
            raise aiosmtplib.SMTPException(f"the secret {credentials.secret} cannot be had")
        await self._client.login(credentials.username, password.decode("utf-8", "surrogateescape"))

    async def reset(self) -> bool:
        """RSET before a session is used again; False if the server has gone meanwhile."""
        try:
            reply = await self._client.execute_command(b"RSET", timeout=self._timeouts.connect)
        except (aiosmtplib.SMTPException, OSError):
            return False
        return reply.code == 250 and self.is_open

    async def transact(self, plan: Plan, message: bytes) -> Reply:
        """MAIL, RCPT, DATA and the body: the reply to the final dot."""
        self.transactions += 1
        try:
            reply = await self._transact(plan, message)
        except Ended as ended:
            if not ended.failure and ended.reply.code // 100 not in (4, 5):
                self.close()  # lost, or the two of us no longer talk about the same thing
            raise
        except BaseException:
            self.close()
            raise
        if reply.code == 421:  # RFC 5321 3.8: the server closes
            self.close()
        return reply

    async def _transact(self, plan: Plan, message: bytes) -> Reply:
        encoding = "utf-8" if plan.smtputf8 else "ascii"
        options = self._mail_options(plan, message)
        await self._command(Step.MAIL, f"MAIL FROM:<{plan.envelope_from}>{options}".encode(encoding))
        await self._command(Step.RCPT, f"RCPT TO:<{plan.recipient}>".encode(encoding))
        await self._command(Step.DATA, b"DATA", wanted=3)
        return await self._body(message)

    def _mail_options(self, plan: Plan, message: bytes) -> str:
        """SIZE (RFC 1870), 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531), each only where it is offered and needed."""
        offers, options = self._client.supports_extension, []
        if plan.smtputf8:
            if not offers("smtputf8"):
                why = "a non-ASCII address needs SMTPUTF8, which this server does not offer"
                raise Ended(Step.MAIL, Reply(text=why), FailureType.SMTPUTF8_NEEDED, "5.6.7")
            options.append("SMTPUTF8")
        if not message.isascii() and offers("8bitmime"):
            options.append("BODY=8BITMIME")
        if offers("size"):
            options.append(f"SIZE={len(message)}")
        limit = self.server.size_limit or self._announced_size()
        if limit and len(message) > limit:
            why = f"the message has {len(message)} octets, more than the server's limit of {limit}"
            raise Ended(Step.MAIL, Reply(text=why), FailureType.CONFIGURATION, "5.3.4")
        return "".join(f" {option}" for option in options)

    def _announced_size(self) -> int:
        announced = self._client.esmtp_extensions.get("size", "").strip()
        return int(announced) if announced.isascii() and announced.isdigit() else 0

    async def _command(self, step: Step, line: bytes, wanted: int = 2) -> None:
        try:
            reply = await self._client.execute_command(line, timeout=self._timeouts.command)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Ended(step, Reply(text=f"connection lost: {error}")) from error
        if reply.code // 100 != wanted:
            raise Ended(step, reply_of(reply.code, reply.message))

    async def _body(self, message: bytes) -> Reply:
        """Once a 250 has been read nothing that happens to the connection matters any more (O10)."""
        protocol = self._client.protocol
        if protocol is None:
            raise Ended(Step.BODY, Reply(text="connection lost after DATA"))
        try:
            protocol.write(_DOT.sub(b"..", message) + b".\r\n")
            reply = await protocol.read_response(timeout=self._timeouts.body)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Ended(Step.BODY, Reply(text=f"connection lost before the reply to the message: {error}")) from error
        return reply_of(reply.code, reply.message)

    async def quit(self) -> None:
        """Leaves politely if that is quick."""
        try:
            async with asyncio.timeout(2):
                await self._client.quit()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        self._client.close()


def reply_of(code: int, text: str) -> Reply:
    """A server's words as they may stand in an event: text, of bounded length. A code below 100 is none."""
    octets = text.encode("utf-8", "surrogateescape")[:_MAX_WORDS]
    return Reply(code=code if code >= 100 else 0, text=octets.decode("utf-8", "replace"))


def tls_context(server: Smarthost) -> ssl.SSLContext:
    """Verifies chain and name unless the row says not to; a private CA beside none of the public ones.

    Raises OSError for a CA file that cannot be read.
    """
    context = ssl.create_default_context(cafile=server.ca_file or None)
    if not server.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
