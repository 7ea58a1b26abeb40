"""Every reply that the SMTP door can give, provoked: a code, an enhanced code, one sentence (I5, RFC 3463)."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.doors.lmtp import LmtpDoor
from postroad.ingest.doors.replies import Says
from postroad.runtime.config import Config, Lmtp, Smtp
from postroad.runtime.worker import Unavailable
from tests.ingest.acceptance import World
from tests.ingest.dialog import MAIL, TRANSACTION, Client, door, greeted, look_often, trusting
from tests.support.smtp_sink import make_certificate

Talk = Callable[[Client], Awaitable[str]]
BEGUN = TRANSACTION[:2]


def said(*lines: str) -> Talk:
    return lambda client: client.say(*lines)


def sent(octets: bytes) -> Talk:
    return lambda client: client.raw(octets)


def mailed(content: bytes) -> Talk:
    return lambda client: client.mail(content)


async def half_a_mail(client: Client) -> str:
    await client.say(*TRANSACTION)
    client.writer.write(b"Subject: x\r\n")
    return await client.reply()


async def two_mails(client: Client) -> str:
    await client.mail()
    return await client.say(*BEGUN)


async def two_at_once(client: Client) -> str:
    await client.say(*BEGUN)
    return await client.say(BEGUN[1])


async def twice_secured(client: Client) -> str:
    await client.say("STARTTLS")
    await client.starttls(trusting())
    return await client.say("STARTTLS")


async def listen(client: Client) -> str:
    return await client.reply()


GIVEN: list[Any] = [
    ("HELP", said("HELP"), {}),
    ("START_TLS", said("STARTTLS"), {"certificate": True}),
    ("BYE", said("QUIT"), {}),
    ("HELLO", said("HELO c.example"), {}),
    ("OK", said("RSET"), {}),
    ("OK", said("NOOP whatever"), {}),
    ("SENDER_OK", said("EHLO c.example", "mail from:<a@example.org> size=5 body=8bitmime smtputf8"), {}),
    ("SENDER_OK", said("EHLO c.example", "MAIL FROM:<>"), {}),
    ("SENDER_OK", said("EHLO c.example", "MAIL FROM: a@example.org"), {}),
    ("SENDER_OK", said("EHLO c.example", 'MAIL FROM:<"a b"@example.org>'), {}),
    ("SENDER_OK", said("EHLO c.example", "MAIL FROM:<@relay.example:a@example.org>"), {}),
    ("ACCEPTED", mailed(MAIL), {}),
    ("NOT_VERIFIED", said("VRFY sales@example.com"), {}),
    ("GO_ON", said(*TRANSACTION), {}),
    ("IDLE", listen, {"command_timeout": 0.1}),
    ("TOO_SLOW", half_a_mail, {"data_grace": 0.1}),
    ("TOO_SLOW", half_a_mail, {"command_timeout": 0.1}),
    ("TOO_LONG_A_SESSION", listen, {"session_time": 0.1}),
    ("TOO_MANY_MAILS", two_mails, {"max_mails": 1}),
    ("TOO_MANY_COMMANDS", said("NOOP", "NOOP", "NOOP"), {"max_commands": 2}),
    ("TOO_MANY_ERRORS", said("NONSENSE", "NONSENSE", "NOOP"), {"max_errors": 2}),
    ("NO_MAIL_CLIENT", said("GET / HTTP/1.1"), {}),
    ("TOO_FAST", two_mails, {"mails_per_minute": 1}),
    ("NOT_STORED", mailed(MAIL), {"publish": Unavailable("no broker")}),
    ("FAULT", mailed(MAIL), {"publish": ValueError("a fault of ours")}),
    (
        "TOO_MANY_RECIPIENTS",
        said(*BEGUN, "RCPT TO:<sales@example.com>", "RCPT TO:<sales@example.com>"),
        {"max_recipients": 1},
    ),
    ("NO_TLS", said("STARTTLS"), {}),
    ("LINE_TOO_LONG", mailed(MAIL + b"x" * 200_000 + b"\r\n"), {}),
    ("COMMAND_TOO_LONG", said("NOOP " + "x" * 3000), {}),
    ("COMMAND_TOO_LONG", said("NOOP " + "x" * 300_000), {}),
    ("BARE_COMMAND", sent(b"NOOP\n"), {}),
    ("BARE_COMMAND", sent(b"NOOP\rNOOP\r\n"), {}),
    ("BARE_COMMAND", sent(b"NO\0OP\r\n"), {}),
    ("NOT_UTF8", sent(b"MAIL FROM:<\xff@example.org>\r\n"), {}),
    ("UNKNOWN", said("XYZZY"), {}),
    ("UNKNOWN", said(""), {}),
    ("NO_PARAMETER", said("RSET x"), {}),
    ("NO_PARAMETER", said("QUIT x"), {}),
    ("NO_PARAMETER", said("STARTTLS x"), {}),
    ("NO_PARAMETER", said(*TRANSACTION[:3], "DATA x"), {}),
    ("NEEDS_DOMAIN", said("EHLO"), {}),
    ("NEEDS_DOMAIN", said("HELO "), {}),
    ("NEEDS_SENDER", said("EHLO c.example", "MAIL"), {}),
    ("NEEDS_SENDER", said("EHLO c.example", "MAIL FROM:"), {}),
    ("NEEDS_SENDER", said("EHLO c.example", "MAIL FROM:<a@b>x"), {}),
    ("NEEDS_RECIPIENT", said(*BEGUN, "RCPT TO:<>"), {}),
    ("NEEDS_RECIPIENT", said(*BEGUN, "RCPT sales@example.com"), {}),
    ("NEEDS_ADDRESS", said("VRFY"), {}),
    ("BAD_PARAMETER", said("EHLO c.example", "MAIL FROM:<a@example.org> SIZE=x"), {}),
    ("BAD_PARAMETER", said("EHLO c.example", "MAIL FROM:<a@example.org> BODY=BINARYMIME"), {}),
    ("NOT_OFFERED", said("EXPN staff"), {}),
    ("NOT_OFFERED", said("AUTH PLAIN AGEAYg=="), {}),
    ("HELLO_FIRST", said("MAIL FROM:<a@example.org>"), {}),
    ("MAIL_FIRST", said("EHLO c.example", "RCPT TO:<sales@example.com>"), {}),
    ("MAIL_FIRST", said("EHLO c.example", "DATA"), {}),
    ("RCPT_FIRST", said(*BEGUN, "DATA"), {}),
    ("RCPT_FIRST", said(*BEGUN, "RCPT TO:<nobody@example.com>", "DATA"), {}),
    ("ONE_AT_A_TIME", two_at_once, {}),
    ("HAS_TLS", twice_secured, {"certificate": True}),
    ("TLS_FIRST", said("EHLO c.example", "MAIL FROM:<a@example.org>"), {"certificate": True, "require_tls": True}),
    ("SMUGGLED", mailed(MAIL + b"x\n.\nMAIL FROM:<b@example.org>\r\n"), {}),
    ("TOO_LARGE", said("EHLO c.example", "MAIL FROM:<a@example.org> SIZE=1000001"), {}),
    ("TOO_LARGE", mailed(MAIL + b"x\r\n" * 400_000), {}),
    ("HEADER_TOO_LARGE", mailed(b"X: y\r\n" * 501 + b"\r\n"), {}),
    ("HEADER_TOO_LARGE", mailed(b"X: " + (b"y" * 900 + b"\r\n ") * 300 + b"\r\n\r\n"), {}),
    ("UNKNOWN_PARAMETER", said("EHLO c.example", "MAIL FROM:<a@example.org> AUTH=<>"), {}),
    ("UNKNOWN_PARAMETER", said(*BEGUN, "RCPT TO:<sales@example.com> NOTIFY=NEVER"), {}),
]
# Given in tests of their own: they need more than one connection, or the stop of the door.
ELSEWHERE = {"GREETING", "CLOSING", "TOO_MANY_CONNECTIONS", "TOO_MANY_OF_PEER", "TOO_MUCH"}


def words(name: str) -> str:
    return re.escape(Says[name]).replace(r"\{\}", ".+")


@pytest.mark.parametrize(
    ("name", "talk", "settings"), [pytest.param(*row, id=f"{row[0]} {at}") for at, row in enumerate(GIVEN)]
)
async def test_each_reply_is_given_when_it_is_due(
    name: str, talk: Talk, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    smtp = dict(settings)
    error = smtp.pop("publish", None)
    if smtp.pop("certificate", False):
        made = make_certificate(tmp_path)
        smtp |= {"certificate": str(made.ca_file), "key": str(made.key_file)}

    async def publish(events: Sequence[Any]) -> None:
        if error is not None:
            raise error

    async with door(publish, **smtp) as opened, greeted(opened.port) as client:
        assert re.fullmatch(words(name), await talk(client))
        if Says[name].startswith("421"):
            assert await client.reply() == "", "421 closes"
        elif Says[name][0] in "45":
            assert (await client.say("NOOP")).startswith("250"), "a refusal is no end"


RECIPIENTS = [
    pytest.param("sales@example.com", "250 2.1.5 recipient ok", id="an alias"),
    pytest.param("Postmaster", "250 2.1.5 recipient ok", id="postmaster, without domain (RFC 5321 4.5.1)"),
    pytest.param("nobody@example.com", "550 5.1.1 no such address here", id="unknown"),
    pytest.param(
        "zoe@elsewhere.example", "550 5.7.1 relaying denied: elsewhere.example is not served here", id="not ours"
    ),
    pytest.param("sales", "501 5.1.3 bad recipient address: local-part@domain is needed", id="no domain"),
]


@pytest.mark.parametrize(("recipient", "says"), RECIPIENTS)
@pytest.mark.parametrize("protocol", ["SMTP", "LMTP"])
async def test_each_recipient_is_judged_before_the_message(protocol: str, recipient: str, says: str) -> None:
    async with door() if protocol == "SMTP" else lmtp_door() as opened, greeted(opened.port) as client:
        hello = "EHLO" if protocol == "SMTP" else "LHLO"
        assert await client.say(f"{hello} c.example", BEGUN[1], f"RCPT TO:<{recipient}>") == says


# What the LMTP door does not have, or does not hold against the one peer that it trusts.
NOT_OF_LMTP = {"HELLO", "START_TLS", "HAS_TLS", "TLS_FIRST", "TOO_FAST", "SMUGGLED"}


class LmtpClient(Client):
    """Says LHLO where the table says EHLO or HELO."""

    async def raw(self, octets: bytes) -> str:
        return await super().raw(octets.replace(b"EHLO", b"LHLO").replace(b"HELO", b"LHLO"))


@pytest.mark.parametrize(
    ("name", "talk", "settings"),
    [pytest.param(*row, id=f"{row[0]} {at}") for at, row in enumerate(GIVEN) if row[0] not in NOT_OF_LMTP],
)
async def test_lmtp_gives_them_too(
    name: str, talk: Talk, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 2033 4.2: one recipient, so one answer to the message."""
    look_often(monkeypatch)
    smtp = dict(settings)
    error = smtp.pop("publish", None)
    async with lmtp_door(error, **smtp) as opened, greeted(opened.port) as client:
        answer = await talk(LmtpClient(client.reader, client.writer))
    assert re.fullmatch(words(name).replace("EHLO", "LHLO"), answer)


@asynccontextmanager
async def lmtp_door(error: Exception | None = None, **smtp: Any) -> AsyncIterator[LmtpDoor]:
    config = Config(lmtp=Lmtp(port=0), smtp=Smtp(hostname="mx.example.com", **smtp))
    opened = LmtpDoor(World(raises=error).tools(config, size=1_000_000))
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


def test_the_table_is_whole() -> None:
    assert {row[0] for row in GIVEN} | ELSEWHERE == set(Says.__members__)


@pytest.mark.parametrize("name", Says.__members__)
def test_each_reply_has_an_enhanced_code_of_its_class_and_one_sentence(name: str) -> None:
    bare = {"GREETING", "HELLO", "GO_ON"}  # RFC 2034 4
    form = r"[2-5]\d\d [^.]+.*" if name in bare else r"([245])\d\d \1\.\d\.\d{1,2} [^\r\n]{2,100}"
    assert re.fullmatch(form, Says[name])
