"""What is said at the SMTP door, command by command (RFC 5321 4.1). `250` after acceptance and not before (I2)."""

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from postroad.ingest.accept import Origin
from postroad.ingest.doors.connection import LINE, Connection
from postroad.ingest.doors.data import Bounds, read_message
from postroad.ingest.doors.desk import Desk
from postroad.ingest.doors.limits import ENDLESS, Share
from postroad.ingest.doors.replies import Says
from postroad.ingest.doors.spool import Spool
from postroad.ingest.recipients import judge
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope

_PATH = re.compile(r'\s*(?:<(?:@[^:<>]*:)?((?:"(?:[^"\\]|\\.)*+"|[^"<>\s])*+)>|([^<>"\s]+))')
_BEFORE_TLS = {"EHLO", "HELO", "NOOP", "RSET", "QUIT", "STARTTLS", "HELP"}
_OTHER_PROTOCOLS = {"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:", "USER-AGENT:"}


class Conversation(Connection):
    """One session. Its transactions are Envelopes of the library; `mail_from` is None outside of one."""

    VERBS: ClassVar[dict[str, Callable[[Any, str], Awaitable[str | None]]]]

    def __init__(self, desk: Desk, implicit_tls: bool = False) -> None:
        super().__init__(desk, implicit_tls)
        self._id = str(uuid.uuid4())
        self._errors = self._commands = self._mails = 0

    async def _converse(self) -> None:
        smtp = self._desk.smtp
        while not self.ending:
            if words := self._last():
                self.end(words)
                return
            self._due, self._late = self.loop.time() + smtp.command_timeout, Says.IDLE
            self.idle = True
            line = await self._line()
            self.idle = False
            self._commands += 1
            reply = line if isinstance(line, Says) else await self._do(line)
            if reply is None or self.ending:
                continue
            self._errors += reply[0] == "5"
            await self.push(reply)
            if line == "QUIT" or reply is Says.BYE:
                return

    def _last(self) -> Says | None:
        """Whether this is enough."""
        smtp = self._desk.smtp
        if self._desk.closing:
            return Says.CLOSING
        if self._errors >= smtp.max_errors:
            return Says.TOO_MANY_ERRORS
        return Says.TOO_MANY_COMMANDS if self._commands >= smtp.max_commands else self._last_words

    async def _do(self, line: str) -> str | None:
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if self._desk.smtp.require_tls and not self._tls_protocol and verb not in _BEFORE_TLS:
            return Says.TLS_FIRST
        method = self.VERBS.get(verb)
        if method is None:
            if verb in _OTHER_PROTOCOLS:
                self.end(Says.NO_MAIL_CLIENT)
            return Says.UNKNOWN
        return await method(self, rest.strip())

    async def ehlo(self, domain: str) -> str:
        if not domain:
            return Says.NEEDS_DOMAIN
        self._greeted(domain)
        tls = self._desk.certificate.context() is not None and not self._tls_protocol
        words = [
            self.hostname,
            *(f"SIZE {self._desk.size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "PIPELINING"),
            *(["STARTTLS"] if tls else []),
        ]
        lines = [f"250-{word}" for word in words]
        return "\r\n".join((*lines, "250 HELP"))

    async def helo(self, domain: str) -> str:
        if not domain:
            return Says.NEEDS_DOMAIN
        self._greeted(domain)
        return Says.HELLO.format(self.hostname)

    def _greeted(self, domain: str) -> None:
        assert self.session is not None
        self._set_rset_state()  # type: ignore[no-untyped-call]
        self.session.host_name = domain

    async def starttls(self, arg: str) -> str | None:
        """RFC 3207. What was pipelined behind it is not heard."""
        if arg:
            return Says.NO_PARAMETER
        if self._tls_protocol:
            return Says.HAS_TLS
        if self._desk.certificate.context() is None:
            return Says.NO_TLS
        await self.push(Says.START_TLS)
        if not await self._upgrade():
            self.end()
        return None

    async def mail(self, arg: str) -> str | None:
        assert self.session is not None
        assert self.envelope is not None
        if not self.session.host_name:
            return Says.HELLO_FIRST
        found = _path("FROM:", arg)
        if found is None:
            return Says.NEEDS_SENDER
        if self.envelope.mail_from is not None:
            return Says.ONE_AT_A_TIME
        address, parameters = found
        size = 0
        for name, value in parameters.items():
            match name, value:
                case "SIZE", _ if value.isascii() and value.isdigit() and len(value) <= 20:
                    size = int(value)
                case ("BODY", "7BIT" | "8BITMIME") | ("SMTPUTF8", ""):
                    pass
                case "SIZE" | "BODY" | "SMTPUTF8", _:
                    return Says.BAD_PARAMETER
                case _:
                    return Says.UNKNOWN_PARAMETER
        if size > self._desk.size:
            return Says.TOO_LARGE
        if self._mails >= self._desk.smtp.max_mails:
            self.end(Says.TOO_MANY_MAILS)
            return None
        if not self._desk.flight.fits(size):
            return Says.TOO_MUCH
        if refused := self._desk.peers.mail(self._network, self.loop.time()):
            return refused
        self.envelope.mail_from = address
        return Says.SENDER_OK

    async def rcpt(self, arg: str) -> str:
        assert self.envelope is not None
        if self.envelope.mail_from is None:
            return Says.MAIL_FIRST
        found = _path("TO:", arg)
        if found is None or not found[0]:
            return Says.NEEDS_RECIPIENT
        address, parameters = found
        if parameters:
            return Says.UNKNOWN_PARAMETER
        if len(self.envelope.rcpt_tos) >= self._desk.smtp.max_recipients:
            return Says.TOO_MANY_RECIPIENTS
        reply = judge(address, self._desk.tools.views.directory, self._desk.tools.clock())
        if reply.code == 250:
            self.envelope.rcpt_tos.append(address)
        return f"{reply.code} {reply.text}"

    async def data(self, arg: str) -> str | None:
        assert self.envelope is not None
        if self.envelope.mail_from is None:
            return Says.MAIL_FIRST
        if not self.envelope.rcpt_tos:
            return Says.RCPT_FIRST
        if arg:
            return Says.NO_PARAMETER
        self._desk.begin()
        try:
            await self.push(Says.GO_ON)
            reply = await self._message(
                Envelope(mail_from=self.envelope.mail_from, rcpt_to=tuple(self.envelope.rcpt_tos))
            )
            self._due, self._late = self.loop.time() + self._desk.smtp.command_timeout, Says.IDLE
            if not self.ending:
                await self.push(reply)
        finally:
            self._desk.end()
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        if reply.startswith("250"):
            self._errors = self._commands = 0
        self._errors += reply[0] == "5"
        return None

    async def _message(self, envelope: Envelope) -> str:
        self._mails += 1
        smtp = self._desk.smtp
        bounds = Bounds(self._desk.size, LINE, endings=smtp.bare_newlines == "accept")
        spool, share = Spool(smtp.spool), Share(self._desk.flight)
        self._began = self._moved_at = self.loop.time()
        self._read = self._moved = 0
        self._reading = True

        def take(octets: int, kept: bool) -> bool:
            self._read += octets
            if not kept:
                share.give_back()
            return kept and share.take(octets)

        refused: str | None = Says.FAULT
        try:
            refused = await read_message(self._reader, spool, bounds, take)
        finally:
            self._reading, self._due = False, ENDLESS
            if refused is not None:
                spool.close()
                share.give_back()
        if refused is not None:
            return refused
        return await self._answer(spool, share, envelope)

    async def _answer(self, spool: Spool, share: Share, envelope: Envelope) -> str:
        """Of a message that was read to its end. Spool and share are given back by the desk."""
        origin = Origin(Door.SMTP, session=self._id, ordinal=str(self._mails), peer=self.peer)
        return await self._desk.accept(spool, share, envelope, origin)

    async def rset(self, arg: str) -> str:
        if arg:
            return Says.NO_PARAMETER
        self._set_rset_state()  # type: ignore[no-untyped-call]
        return Says.OK

    async def noop(self, arg: str) -> str:
        return Says.OK

    async def quit(self, arg: str) -> str:
        return Says.NO_PARAMETER if arg else Says.BYE

    async def vrfy(self, arg: str) -> str:
        return Says.NOT_VERIFIED if arg else Says.NEEDS_ADDRESS

    async def help(self, arg: str) -> str:
        return Says.HELP

    async def not_offered(self, arg: str) -> str:
        return Says.NOT_OFFERED


def _path(keyword: str, arg: str) -> tuple[str, dict[str, str]] | None:
    """The address in "FROM:<address> NAME=VALUE ..." ("" for the null one), and the parameters (RFC 5321 4.1.1.11)."""
    if arg[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.match(arg, len(keyword))
    rest = arg[found.end() :] if found else ""
    if found is None or (rest and not rest.startswith(" ")):
        return None
    words = (word.partition("=") for word in rest.upper().split())
    return found[1] if found[1] is not None else found[2], {name: value for name, _, value in words}


Conversation.VERBS = {
    "EHLO": Conversation.ehlo,
    "HELO": Conversation.helo,
    "STARTTLS": Conversation.starttls,
    "MAIL": Conversation.mail,
    "RCPT": Conversation.rcpt,
    "DATA": Conversation.data,
    "RSET": Conversation.rset,
    "NOOP": Conversation.noop,
    "QUIT": Conversation.quit,
    "VRFY": Conversation.vrfy,
    "HELP": Conversation.help,
    **dict.fromkeys(("AUTH", "BDAT", "EXPN", "TURN", "ETRN"), Conversation.not_offered),
}
