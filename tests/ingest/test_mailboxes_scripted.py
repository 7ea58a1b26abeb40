"""IMAP and POP3 servers as they also are: without IDLE, keeping no flag, losing connections in the middle."""

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.ingest.checkpoint import Checkpoint, Uid, file_name
from postroad.ingest.doors.mailboxes import open_session
from postroad.ingest.doors.polling import Kept, MailboxError, Memory, Seen, poll
from postroad.runtime.worker import Unavailable
from postroad_schemas.directory import Credentials, IncomingMailbox, Protocol
from tests.support.mailservers import PASSWORD, REFERENCE, mail
from tests.support.scripted import DROP, scripted

MAIL = mail(1)
GIVEN = f"* {{0}} FETCH (UID {{0}} BODY[] {{{{{len(MAIL)}}}}}\r\n{MAIL.decode()})\r\n".replace("\r\n", r"\r\n")
DONE = r"\1 OK done"
BOTH_FETCHED = r"(\S+) UID FETCH 1,2 \(BODY"
IMAP = [
    (r"(\S+) CAPABILITY", r"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=PLAIN\r\n\1 OK done"),
    (r"(\S+) LOGIN", r"\1 OK done"),
    (r"(\S+) AUTHENTICATE", "+ "),
    (
        r"(\S+) SELECT",
        r"* 2 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 7] x\r\n\1 OK [READ-WRITE] done",
    ),
    (r"(\S+) UID SEARCH UNSEEN", r"* SEARCH 1 2\r\n\1 OK done"),
    (r"(\S+) UID SEARCH", r"* SEARCH 1 2\r\n\1 OK done"),
    (
        r"(\S+) UID FETCH \S+ \(RFC822.SIZE\)",
        r"* 1 FETCH (UID 1 RFC822.SIZE 90)\r\n* 2 FETCH (UID 2 RFC822.SIZE 90)\r\n\1 OK done",
    ),
    (r"(\S+) UID FETCH 1,2 ", f"{GIVEN.format(1)}{GIVEN.format(2)}{DONE}"),
    (r"(\S+) UID FETCH 1 ", f"{GIVEN.format(1)}{DONE}"),
    (r"(\S+) UID FETCH 2 ", f"{GIVEN.format(2)}{DONE}"),
    (r"(\S+) UID STORE", r"\1 OK done"),
    (r"(\S+) LOGOUT", r"* BYE\r\n\1 OK done"),
    (r"\S{20,}={0,2}$", "TAG OK done"),
]
POP3 = [
    (r"AUTH", "+ "),
    (r"USER|PASS|DELE|QUIT|\S{20,}={0,2}$", "+OK"),
    (r"UIDL", "+OK\r\n1 a\r\n2 b\r\n."),
    (r"LIST", "+OK\r\n1 90\r\n2 90\r\n."),
    (r"CAPA", "+OK\r\nUIDL\r\n."),
    (r"RETR", f"+OK\r\n{MAIL.decode()}."),
]


def row(protocol: Protocol, port: int, secret: str = REFERENCE, **fields: Any) -> IncomingMailbox:
    return IncomingMailbox(
        **{
            "name": "office",
            "protocol": protocol,
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "credentials": Credentials(username="office", secret=secret),
            **fields,
        }
    )


def changed(script: list[tuple[str, str]], pattern: str, reply: str) -> list[tuple[str, str]]:
    """The script with another answer to some lines."""
    return [(pattern, reply), *script]


class Polling:
    """Polls of one mailbox, as its thread makes them."""

    def __init__(self, mailbox: IncomingMailbox, folder: Path) -> None:
        self.taken: list[Uid] = []
        self.tried: list[Uid] = []
        self.trouble: dict[Uid, Exception] = {}
        self.memory = Memory()
        self._mailbox, self._folder = mailbox, folder

    def __call__(self) -> bool:
        session = open_session(self._mailbox)
        try:
            kept = Kept(self._folder, self._mailbox)
            return poll(session, kept, self._take, 10_000, self.memory, lambda: False, "office")
        finally:
            session.close()

    def _take(self, mails: Mapping[Uid, bytes], checkpoint: Checkpoint) -> Mapping[Uid, Exception]:
        assert set(mails.values()) == {MAIL}
        self.tried += mails
        self.taken += [uid for uid in mails if uid not in self.trouble]
        return {uid: self.trouble[uid] for uid in mails if uid in self.trouble}

    @property
    def checkpoint(self) -> Checkpoint:
        return msgspec.json.decode((self._folder / file_name(self._mailbox)).read_bytes(), type=Checkpoint)


@pytest.mark.parametrize(
    ("protocol", "script", "taken", "well"),
    [
        pytest.param(Protocol.IMAP, IMAP, [1, 2], True, id="imap, both"),
        pytest.param(Protocol.POP3, POP3, ["a", "b"], True, id="pop3, both"),
        pytest.param(
            Protocol.IMAP,
            changed(IMAP, r"(\S+) UID FETCH 1(,2)? \(BODY", r"\1 NO broken"),
            [2],
            False,
            id="imap, one not given",
        ),
        pytest.param(
            Protocol.IMAP, changed(IMAP, BOTH_FETCHED, f"{GIVEN.format(2)}{DONE}"), [2], False, id="imap, one gone"
        ),
        pytest.param(Protocol.POP3, changed(POP3, "RETR 1", "-ERR broken"), ["b"], False, id="pop3, one not given"),
        pytest.param(
            Protocol.IMAP,
            changed(IMAP, r"(\S+) UID FETCH \S+ \(RFC822.SIZE", r"\1 OK none"),
            [1, 2],
            True,
            id="imap, sizes not told",
        ),
    ],
)
async def test_i3_one_mail_never_stops_the_next(
    protocol: Protocol, script: list[tuple[str, str]], taken: list[Uid], well: bool, tmp_path: Path
) -> None:
    greeting = "* OK" if protocol is Protocol.IMAP else "+OK"
    async with scripted(greeting, script) as (port, _):
        polling = Polling(row(protocol, port), tmp_path)
        assert await asyncio.to_thread(polling) is well
    assert polling.taken == taken
    assert set(polling.checkpoint.pending) == ({1, 2} if protocol is Protocol.IMAP else {"a", "b"}) - set(taken)


@pytest.mark.parametrize(
    ("protocol", "script", "words"),
    [
        pytest.param(Protocol.IMAP, changed(IMAP, r"\S+ UID FETCH 1(,2)? \(BODY", DROP), "127.0.0.1", id="imap"),
        pytest.param(Protocol.POP3, changed(POP3, "RETR 1", DROP), "127.0.0.1", id="pop3"),
        pytest.param(Protocol.POP3, changed(POP3, "RETR 1", "+OK\r\nhalf of it"), "127.0.0.1", id="pop3, half a mail"),
    ],
)
async def test_i3_a_mail_at_which_the_connection_is_lost_comes_last(
    protocol: Protocol,
    script: list[tuple[str, str]],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("postroad.ingest.doors.pop3.ANSWER", 0.5)
    async with scripted("* OK" if protocol is Protocol.IMAP else "+OK", script) as (port, _):
        polling = Polling(row(protocol, port), tmp_path)
        for _ in range(3):  # both together; then each alone, lost at the first; then that one last
            with pytest.raises(MailboxError, match=words):
                await asyncio.to_thread(polling)
    assert polling.taken == [2 if protocol is Protocol.IMAP else "b"]


async def test_i2_a_world_that_is_down_ends_the_poll_soon(tmp_path: Path) -> None:
    """And one mail alone that nothing takes is not the world."""
    many = "".join(f"{number} m{number}\r\n" for number in range(1, 9))
    sizes = "".join(f"{number} 90\r\n" for number in range(1, 9))
    script = changed(changed(POP3, "UIDL", f"+OK\r\n{many}."), "LIST", f"+OK\r\n{sizes}.")
    async with scripted("+OK", script) as (port, _):
        polling = Polling(row(Protocol.POP3, port), tmp_path)
        polling.trouble = {f"m{number}": Unavailable("away") for number in range(1, 4)}
        assert await asyncio.to_thread(polling) is False
        assert polling.tried == ["m1", "m2", "m3"]
        assert await asyncio.to_thread(polling) is False
    assert polling.taken == ["m4", "m5", "m6", "m7", "m8"]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(changed(IMAP, r"(\S+) UID STORE", r"\1 NO not allowed"), id="the flag is refused"),
        pytest.param(
            changed(
                IMAP,
                r"(\S+) SELECT",
                r"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [PERMANENTFLAGS (\\Flagged)] x\r\n\1 OK [READ-WRITE] x",
            ),
            id="the folder keeps no such flag",
        ),
    ],
)
async def test_i4_where_no_flag_can_be_kept_nothing_is_taken_twice(
    script: list[tuple[str, str]], tmp_path: Path
) -> None:
    async with scripted("* OK", script) as (port, _):
        polling = Polling(row(Protocol.IMAP, port), tmp_path)
        for _ in range(3):
            await asyncio.to_thread(polling)
    assert polling.taken == [1, 2]


async def test_pop3_that_did_not_delete_is_only_asked_again_to(tmp_path: Path) -> None:
    """The connection was lost before QUIT (RFC 1939 6): nothing is deleted then."""
    async with scripted("+OK", changed(POP3, "QUIT", DROP)) as (port, lines):
        polling = Polling(row(Protocol.POP3, port), tmp_path)
        await asyncio.to_thread(polling)
        await asyncio.to_thread(polling)
    assert polling.taken == ["a", "b"]
    assert [line for line in lines if line.startswith("DELE")] == ["DELE 1", "DELE 2"] * 2
    assert [line for line in lines if line.startswith("RETR")] == ["RETR 1", "RETR 2"]


@pytest.mark.parametrize(
    ("protocol", "script", "words"),
    [
        pytest.param(Protocol.POP3, changed(POP3, "UIDL", "-ERR what"), "use IMAP there", id="pop3 without UIDL"),
        pytest.param(
            Protocol.IMAP,
            changed(IMAP, r"(\S+) SELECT", r"* 2 EXISTS\r\n\1 OK x"),
            "no UIDVALIDITY",
            id="no UIDVALIDITY",
        ),
        pytest.param(Protocol.IMAP, changed(IMAP, r"\S+ LOGIN", DROP), "127.0.0.1", id="lost at the login"),
        pytest.param(Protocol.POP3, changed(POP3, "PASS", DROP), "127.0.0.1", id="pop3, lost at the login"),
    ],
)
async def test_what_cannot_be_polled(protocol: Protocol, script: list[tuple[str, str]], words: str) -> None:
    async with scripted("* OK" if protocol is Protocol.IMAP else "+OK", script) as (port, _):
        with pytest.raises(MailboxError, match=words):
            await asyncio.to_thread(open_session, row(protocol, port))


async def test_a_server_that_does_not_greet_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("imap", "pop3"):
        monkeypatch.setattr(f"postroad.ingest.doors.{module}.CONNECT", 0.3)
        monkeypatch.setattr(f"postroad.ingest.doors.{module}.ANSWER", 0.3)
    silent = await asyncio.start_server(_says_nothing, "127.0.0.1", 0)
    for protocol in Protocol:
        with pytest.raises(MailboxError, match="does not answer in time"):
            await asyncio.to_thread(open_session, row(protocol, silent.sockets[0].getsockname()[1]))
    silent.close()


async def _says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_what_comes_together_with_the_answer_to_idle_ends_it() -> None:
    """The mail that arrives between the look and IDLE."""
    idle = (r"\S+ IDLE", r"+ idling\r\n* 3 EXISTS"), (r"DONE", "TAG OK done")
    script = changed([*idle, *IMAP], r"(\S+) CAPABILITY", r"* CAPABILITY IMAP4rev1 IDLE\r\n\1 OK done")
    async with scripted("* OK", script) as (port, _):
        session = await asyncio.to_thread(open_session, row(Protocol.IMAP, port, idle=True))
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(session.wait, 300)
            assert await asyncio.to_thread(session.look, None) == Checkpoint(uidvalidity=7, high=2, pending=(1, 2))
        await asyncio.to_thread(session.close)


async def test_without_idle_it_is_polled_instead() -> None:
    async with scripted("* OK", IMAP) as (port, _):
        session = await asyncio.to_thread(open_session, row(Protocol.IMAP, port, idle=True))
        seen: Seen = await asyncio.to_thread(session.seen)
        assert await asyncio.to_thread(session.wait, 60) is False
        await asyncio.to_thread(session.close)
    assert [remark for remark in seen.remarks if "no IDLE" in remark]


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        pytest.param(f"{PASSWORD}\n".encode(), f'LOGIN office "{PASSWORD}"', id="a password"),
        pytest.param("gr\xfcn".encode(), "\x00office\x00gr\xfcn", id="a password that is not ASCII: PLAIN"),
        pytest.param(b"Bearer abc\n", "user=office\x01auth=Bearer abc\x01\x01", id="a token: XOAUTH2"),
    ],
)
async def test_how_imap_logs_in(secret: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(secret)
    async with scripted("* OK", IMAP) as (port, lines):
        session = await asyncio.to_thread(open_session, row(Protocol.IMAP, port, f"file:{file}"))
        await asyncio.to_thread(session.close)
    told = [line.partition(" ")[2] for line in lines if " LOGIN " in line] or [
        base64.b64decode(line).decode() for line in lines if " " not in line
    ]
    assert told[:1] == [said]


async def test_how_pop3_logs_in_with_a_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"Bearer abc\n")
    async with scripted("+OK", POP3) as (port, lines):
        session = await asyncio.to_thread(open_session, row(Protocol.POP3, port, f"file:{file}"))
        await asyncio.to_thread(session.close)
    assert lines[0] == "AUTH XOAUTH2"
    assert base64.b64decode(lines[1]) == b"user=office\x01auth=Bearer abc\x01\x01"
