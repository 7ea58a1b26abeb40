"""`postroad doctor` logs in to every incoming mailbox, all at the same time and not for long (D8)."""

import asyncio
import threading
import time

import pytest

from postroad.cli import doctor_mailboxes
from postroad.cli.doctor_mailboxes import logins
from postroad.cli.finding import State
from postroad.cli.within import within
from postroad.runtime.dns import Resolver
from postroad_schemas.directory import Credentials, IncomingMailbox, Protocol, Security
from tests.cli.conftest import Running
from tests.cli.test_doctor_declared import listening, view
from tests.support.mailservers import REFERENCE
from tests.support.scripted import scripted

Script = list[tuple[str, str]]
TAGGED = r"(\S+) "
IMAP: Script = [
    (TAGGED + "CAPABILITY", r"* CAPABILITY IMAP4rev1\r\n\1 OK done"),
    (TAGGED + "LOGIN", r"\1 OK done"),
    (TAGGED + "SELECT", r"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] it\r\n\1 OK [READ-WRITE] done"),
    (TAGGED + ".*SEARCH", r"* SEARCH 4\r\n\1 OK done"),
    (TAGGED + "LOGOUT", r"* BYE\r\n\1 OK done"),
]
POP3: Script = [
    ("USER", "+OK"),
    ("PASS", "+OK"),
    ("UIDL", "+OK\r\n1 a\r\n2 b\r\n."),
    ("LIST", "+OK\r\n1 10\r\n2 10\r\n."),
    ("CAPA", "+OK\r\n."),
    ("QUIT", "+OK"),
]


def instead(script: Script, pattern: str, reply: str) -> Script:
    return [(pattern, reply), *script]


def row(
    port: int, name: str = "office", protocol: Protocol = Protocol.IMAP, secret: str = REFERENCE
) -> IncomingMailbox:
    login = Credentials(username="anna", secret=secret)
    return IncomingMailbox(
        name=name, protocol=protocol, host="127.0.0.1", port=port, security=Security.NONE, credentials=login
    )


@pytest.mark.parametrize(
    ("protocol", "script", "state", "words"),
    [
        pytest.param(Protocol.IMAP, IMAP, "ok", "as anna; 1 message in INBOX, 1 to be taken", id="IMAP"),
        pytest.param(Protocol.POP3, POP3, "ok", "as anna; 2 messages, 2 to be taken", id="POP3"),
        pytest.param(
            Protocol.IMAP,
            instead(IMAP, TAGGED + "LOGIN", r"\1 NO wrong"),
            "wrong",
            "refuses the login of anna",
            id="IMAP, another password",
        ),
        pytest.param(
            Protocol.IMAP, instead(IMAP, TAGGED + "SELECT", r"\1 NO none"), "down", "no folder 'INBOX'", id="no folder"
        ),
        pytest.param(
            Protocol.POP3, instead(POP3, "PASS", "-ERR wrong"), "wrong", "refuses the login", id="POP3, the same"
        ),
        pytest.param(
            Protocol.POP3,
            instead(POP3, "PASS", "-ERR [IN-USE] locked"),
            "note",
            "[IN-USE] locked",
            id="POP3, while it is polled (RFC 2449)",
        ),
    ],
)
async def test_what_a_login_finds(protocol: Protocol, script: Script, state: str, words: str) -> None:
    async with scripted("* OK ready" if protocol is Protocol.IMAP else "+OK ready", script) as (port, lines):
        [found] = await logins(view(row(port, protocol=protocol)))
    assert (found.check, found.state, words in found.words) == ("mailbox", state, True), found
    assert not [line for line in lines if "STORE" in line or "DELE" in line]


async def test_what_answers_not_at_all_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_mailboxes, "SECONDS", 0.5)
    with listening() as gone:
        pass
    with listening() as silent:
        rows = (row(silent, name="a"), row(silent, name="b"), row(gone, name="c"))
        began = time.monotonic()
        found = await logins(view(*rows, row(gone, name="d", secret="env:POSTROAD_TEST_NOTHING")))
        assert time.monotonic() - began < 60
    told = [(it.state, it.words) for it in found]
    slow = f"127.0.0.1:{silent} does not answer within 0.5 seconds: correct its row, or ask again"
    assert told == [
        (State.DOWN, f"a: {slow}"),
        (State.DOWN, f"b: {slow}"),
        (State.DOWN, f"c: 127.0.0.1:{gone}: Connection refused"),
        (State.NOTE, "d: no login is tried, env:POSTROAD_TEST_NOTHING cannot be had from here"),
    ]


@pytest.mark.parametrize(
    ("words", "asked"),
    [pytest.param((), True, id="usually"), pytest.param(("--offline",), False, id="not with --offline")],
)
def test_the_command_logs_in(
    running: Running, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], asked: bool
) -> None:
    async def nothing(*_: object) -> list[str]:
        return []

    monkeypatch.setattr(Resolver, "__call__", nothing)
    with listening() as gone:
        pass
    where = ("127.0.0.1", "--port", str(gone), "--security", "none")
    running.good("mailbox", "add", "office", *where, "--username", "anna", "--secret", REFERENCE)
    said = running("doctor", *words)
    line = f"mailbox     down  office: 127.0.0.1:{gone}: Connection refused"
    assert (line in said.out.splitlines()) is asked, said


# Something that blocks


def test_an_answer_too_late_is_dropped_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    troubles: list[object] = []
    monkeypatch.setattr(threading, "excepthook", troubles.append)

    def slow() -> str:
        time.sleep(0.3)
        done.set()
        return "late"

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await within(0.05, slow)
        assert await asyncio.to_thread(done.wait, 10)

    before = threading.active_count()
    asyncio.run(ask())
    while threading.active_count() > before:
        time.sleep(0.01)
    assert not troubles


@pytest.mark.parametrize("error", [pytest.param(OSError("x"), id="an error"), pytest.param(SystemExit(3), id="an end")])
async def test_what_it_raises_is_raised(error: BaseException) -> None:
    def ask() -> None:
        raise error

    with pytest.raises(type(error)):
        await within(5, ask)
