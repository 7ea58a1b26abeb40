"""An SMTP server for tests that does as its script says: accepts, refuses, drops, dawdles, speaks TLS, asks for AUTH.

async with SmtpSink(rcpt={"bob@example.org": "550 5.1.1 no such user"}) as sink:
    ... send to sink.host, sink.port ...
    assert [message.rcpt_tos for message in sink.messages] == [("ann@example.org",)]
"""

import asyncio
import base64
import ssl
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DROP = "drop"
"""Instead of a reply: the connection is lost before it. After the body: nothing was taken."""
KEEP_AND_DROP = "keep and drop"
"""After the body: the message is taken, but the connection is lost before the 250."""
ANSWER_AND_DROP = "answer and drop"
"""After the body: the message is taken, 250 is sent, then the connection is lost."""

Script = str | Sequence[str]
"""One reply for every time, or a list: one for each time, then accepting. An empty reply accepts."""


@dataclass(frozen=True)
class Message:
    mail_from: str  # "" for the null reverse-path
    rcpt_tos: tuple[str, ...]
    content: bytes
    mail_options: tuple[str, ...] = ()
    encrypted: bool = False
    user: str = ""


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself. A client that trusts `ca_file` trusts the server, for its names only."""

    ca_file: Path
    key_file: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, self.key_file)
        return context


def make_certificate(folder: Path, *names: str) -> Certificate:
    """For the given host names and addresses; for the loopback when none is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "postroad test")])
    alternatives = [
        x509.IPAddress(ip_address(name)) if name[:1].isdigit() else x509.DNSName(name)
        for name in names or ("127.0.0.1", "localhost")
    ]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


@dataclass
class SmtpSink:
    """The script, and afterwards what was seen. Every reply stands for the step it is named after."""

    connect: Script = ()
    helo: Script = ()
    mail: Script = ()
    rcpt: Mapping[str, Script] = field(default_factory=dict)  # by address, lower case; "*": any other
    data: Script = ()
    body: Script = ()
    rset: Script = ()
    greylist: str = ""  # the reply to the first RCPT of each address
    tarpit: float = 0.0  # seconds before every reply
    certificate: Certificate | None = None
    tls: Literal["starttls", "tls"] = "starttls"  # how the certificate is offered
    users: Mapping[str, str] = field(default_factory=dict)  # name -> password; with any, AUTH is required
    tokens: Sequence[str] = ()  # access tokens of those users that are taken by XOAUTH2
    mechanisms: Sequence[str] = ("PLAIN", "LOGIN", "XOAUTH2")
    smtputf8: bool = True
    pipelining: bool = True  # RFC 2920, announced
    size: int = 26_214_400  # octets, announced and enforced

    host: str = "127.0.0.1"
    port: int = 0
    messages: list[Message] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)  # verbs with their arguments, AUTH without
    received: list[bytes] = field(default_factory=list)  # as they came, TLS taken off
    shown: list[str] = field(default_factory=list)  # access tokens
    connections: int = 0

    async def __aenter__(self) -> "SmtpSink":
        self._used: dict[str, int] = {}
        self._open: set[asyncio.WriteTransport] = set()
        self._arrived = asyncio.Condition()
        context = self.certificate.context() if self.certificate and self.tls == "tls" else None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Session(self), self.host, self.port, ssl=context
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.drop_all()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    def drop_all(self) -> None:
        """Every connection is lost now, as when the server's machine goes away. New ones are taken."""
        for transport in tuple(self._open):
            transport.abort()

    @property
    def open_connections(self) -> int:
        return len(self._open)

    async def wait(self, count: int, seconds: float = 60.0) -> list[Message]:
        """The messages, as soon as there are so many. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    async def seen(self, verb: str, seconds: float = 60.0) -> None:
        """As soon as a command with this verb has come. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: any(command.split()[0] == verb for command in self.commands))

    def next_reply(self, step: str, script: Script) -> str:
        if isinstance(script, str):
            return script
        used = self._used.get(step, 0)
        self._used[step] = used + 1
        return script[used] if used < len(script) else ""

    # hooks of aiosmtpd: each answers for one step

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, offers: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*offers[:-1], *(["250-PIPELINING"] if self.pipelining else []), offers[-1]]

    async def auth_XOAUTH2(self, server: "_Session", args: list[str]) -> AuthResult:  # noqa: N802
        """A token that is not taken gets a challenge first, which is to be answered with nothing."""
        user, _, rest = base64.b64decode(args[1]).decode().removeprefix("user=").partition("\x01auth=Bearer ")
        token = rest.removesuffix("\x01\x01")
        self.shown.append(token)
        if user in self.users and token in self.tokens:
            return AuthResult(success=True, auth_data=user)
        answer = await server.challenge_auth('{"status": "401"}')
        return AuthResult(success=False, handled=False, message="" if answer == b"" else "501 5.5.2 not empty")

    async def handle_MAIL(  # noqa: N802
        self, server: "_Session", _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := await server.scripted("mail", self.mail):
            return reply
        envelope.mail_from, envelope.mail_options = address, options
        return "250 2.1.0 sender ok"

    async def handle_RCPT(  # noqa: N802
        self, server: "_Session", _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        step = address.lower()
        if self.greylist and (reply := self.next_reply(f"greylist {step}", (self.greylist,))):
            return reply
        if reply := await server.scripted(step, self.rcpt.get(step, self.rcpt.get("*", ()))):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, server: "_Session", session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = self.next_reply("body", self.body)
        if reply == DROP:
            await server.lose()
        if reply not in ("", KEEP_AND_DROP, ANSWER_AND_DROP):
            return reply
        async with self._arrived:
            self.messages.append(_message(server, session, envelope))
            self._arrived.notify_all()
        if reply == KEEP_AND_DROP:
            await server.lose()
        if reply == ANSWER_AND_DROP:
            await server.push("250 2.0.0 queued")
            await server.lose(flush=True)
        return "250 2.0.0 queued"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, credentials: Any
    ) -> AuthResult:
        if not isinstance(credentials, LoginPassword):
            return AuthResult(success=False, handled=False)
        user = credentials.login.decode()
        known = self.users.get(user) == credentials.password.decode()
        return AuthResult(success=known, handled=False, auth_data=user)


def _message(server: "_Session", session: Session, envelope: Envelope) -> Message:
    content = envelope.original_content
    assert isinstance(content, bytes)
    return Message(
        mail_from="" if envelope.mail_from in (None, "<>") else str(envelope.mail_from),
        rcpt_tos=tuple(envelope.rcpt_tos),
        content=content,
        mail_options=tuple(envelope.mail_options),
        encrypted=server.encrypted,
        user=str(session.auth_data or ""),
    )


def _octets(reply: str | bytes) -> bytes:
    """Scripts may hold any octet: "550 caf\\udce9" is Latin."""
    return reply.encode("utf-8", "surrogateescape") if isinstance(reply, str) else reply


class _Session(SMTP):
    """One connection. Overrides what aiosmtpd has no hook for: the greeting, EHLO, DATA's first answer."""

    def __init__(self, sink: SmtpSink) -> None:
        starttls = sink.certificate if sink.tls == "starttls" else None
        with warnings.catch_warnings():  # AUTH without TLS is meant here
            warnings.simplefilter("ignore", UserWarning)
            super().__init__(
                sink,
                hostname="sink.test",
                ident="ESMTP",
                data_size_limit=sink.size,
                enable_SMTPUTF8=sink.smtputf8,
                tls_context=starttls.context() if starttls else None,
                authenticator=sink.authenticate,
                auth_required=bool(sink.users),
                auth_require_tls=False,
                auth_exclude_mechanism={"PLAIN", "LOGIN", "XOAUTH2"}.difference(sink.mechanisms),
                loop=asyncio.get_running_loop(),
            )
        self._smtp_methods["."] = self._bare_dot
        self._sink = sink
        self._greeted = False

    @property
    def encrypted(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._sink._open.intersection((transport, self._original_transport)):
            self._sink.connections += 1
        self._sink._open.add(cast(asyncio.WriteTransport, transport))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._sink.received.append(data)
        super().data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._sink._open.discard(self.transport)
        self._sink._open.discard(self._original_transport)
        super().connection_lost(error)

    async def lose(self, *, flush: bool = False) -> None:
        """Never returns: the connection's own end cancels it."""
        assert self.transport is not None
        if flush:
            self.transport.close()
        else:
            cast(asyncio.WriteTransport, self.transport).abort()
        await asyncio.get_running_loop().create_future()

    async def scripted(self, step: str, script: Script) -> str:
        reply = self._sink.next_reply(step, script)
        if reply == DROP:
            await self.lose()
        return reply

    async def push(self, status: Any) -> None:
        if self._sink.tarpit:
            await asyncio.sleep(self._sink.tarpit)
        if not self._greeted:
            self._greeted = True
            if reply := await self.scripted("connect", self._sink.connect):
                await super().push(_octets(reply))
                await self.lose(flush=True)
        await super().push(_octets(status))

    async def _scripted_or(self, step: str, script: Script, go: Callable[[str], Any], arg: str) -> None:
        reply = await self.scripted(step, script)
        if reply:
            await self.push(reply)
        else:
            await go(arg)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        await self._note("EHLO", hostname)
        await self._scripted_or("helo", self._sink.helo, super().smtp_EHLO, hostname)

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        await self._note("HELO", hostname)
        await self._scripted_or("helo", self._sink.helo, super().smtp_HELO, hostname)

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        await self._note("MAIL", arg)
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        await self._note("RCPT", arg)
        await super().smtp_RCPT(arg)

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802
        await self._note("RSET", arg)
        await self._scripted_or("rset", self._sink.rset, super().smtp_RSET, arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        await self._note("DATA", arg)
        await self._scripted_or("data", self._sink.data, super().smtp_DATA, arg)

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802
        await self._note("QUIT", arg)
        await super().smtp_QUIT(arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        await self._note("AUTH", "")
        await super().smtp_AUTH(arg)

    async def _bare_dot(self, _: str) -> None:
        """Of a client that was told to send a message to nobody (RFC 2920 3.1)."""
        await self._note(".", None)
        await self.push("554 5.5.1 no valid recipients")

    async def _note(self, verb: str, arg: str | None) -> None:
        async with self._sink._arrived:
            self._sink.commands.append(f"{verb} {arg}".strip() if arg else verb)
            self._sink._arrived.notify_all()
