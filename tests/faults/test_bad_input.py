"""What is bad is named, and nothing accepted is lost for it: records, mails, rows, disks (I3, promise 3)."""

import asyncio
import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from postroad.cli.up import workers
from postroad.runtime.config import Config
from postroad.runtime.embedded import hand_in
from postroad.runtime.embedded.runner import utcnow
from postroad.runtime.reading import Core
from postroad_schemas import TOPICS, WORKERS, Record, event_id
from postroad_schemas.chatter import ChatterPosted, RecordRequested
from postroad_schemas.directory import RowRefused
from postroad_schemas.outbound import DeliveryReported
from postroad_schemas.values import Author, Contents, Follower, ObjectRef, Post
from tests.faults.system import System, deliver, system
from tests.support.smtp_sink import SmtpSink

WORKERS_HERE = workers(Config())
CORES: list[Core] = [stage for worker in WORKERS_HERE for stage in worker.stages]
CORES += [sending.sender for worker in WORKERS_HERE for sending in worker.sendings]
READ = sorted({topic for core in CORES for topic in core.reads})
PLAIN = b"From: Anna <anna@example.org>\r\nTo: sales@example.com\r\nMessage-ID: <%d@example.org>\r\n%s\r\nHello\r\n"


def readers_of(topic: str) -> set[str]:
    return {core.worker for core in CORES if topic in core.reads}


def headers(letter: Any) -> dict[str, str]:
    return {name: content.decode() for name, content in letter.headers}


async def delivered(running: System, number: int = 1, more: bytes = b"") -> tuple[int, str]:
    raw = PLAIN % (number, more)
    answer = await running.session(lambda client: deliver(client, raw))
    await running.idle()
    return answer


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"\xff\x00 no event", "invalid", id="no JSON"),
        pytest.param(b"[" * 100_000, "invalid", id="too deep"),
        pytest.param(b'{"type":"no.such"}', "unknown_type", id="an unknown type"),
        pytest.param(b'{"type":"mail.received"}', None, id="fields are missing"),
        pytest.param(None, "no_value", id="no value"),
    ],
)
async def test_a_record_that_cannot_be_read_is_buried_with_its_reason_and_the_next_goes_on(
    tmp_path: Path, value: bytes | None, reason: str | None
) -> None:
    """On every topic that a stage or sender reads, by each of its readers."""
    async with system(tmp_path) as running:
        for topic in READ:
            await running.append([Record(topic, b"key \xff", value)])
        await running.idle()
        found = {(letter.topic.removesuffix(".dead"), headers(letter)["topic"]) for letter in running.dead()}
        assert found == {(worker, topic) for topic in READ for worker in readers_of(topic)}
        assert {(letter.key, letter.value) for letter in running.dead()} == {(b"key \xff", value)}
        if reason:
            assert {headers(letter)["reason"] for letter in running.dead()} == {reason}
        assert (await delivered(running))[0] == 250
        assert [event.rule for event in running.settled()] == ["R9"]


async def test_a_row_that_cannot_be_read_is_passed_over_also_at_the_next_start(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        await running.append([Record("directory", b"alias/x@example.com", b"{")])
        await running.append([Record("contacts", b"\xff", b'{"type":"contact"}')])
        await running.idle()
    async with system(tmp_path) as running:
        assert (await delivered(running))[0] == 250


def test_a_record_for_no_topic_is_refused_by_the_log(tmp_path: Path) -> None:
    async def publish() -> None:
        async with system(tmp_path) as running:
            await running.append([Record("no.such", b"k", b"{}")])

    with pytest.raises(KeyError, match=r"no\.such is no topic of the catalogue"):
        asyncio.run(publish())


async def test_a_record_for_no_topic_that_was_handed_in_harms_nobody(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        await asyncio.to_thread(
            hand_in, running.path, [Record("no.such", b"k", b"{}"), Record("mail.received", b"k", b"{")]
        )
        async with asyncio.timeout(30):
            while not running.dead():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await delivered(running))[0] == 250


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        pytest.param(b"\r\n" + b"x\r\n" * 40_000, "552 5.3.4 message larger than SIZE allows", id="too large"),
        pytest.param(b"\r\n" + b"x" * 90_000, None, id="long lines, as some senders have them"),
        pytest.param(b"Subject: " + b"s" * 80_000 + b"\r\n", None, id="a subject of a page"),
        pytest.param(b"Cc: " + b"@,<>;(" * 3_000 + b"\r\n", None, id="addresses that are none"),
        pytest.param(b"References: " + b"<<>> <a" * 3_000 + b"\r\n", None, id="references that are none"),
        pytest.param(b"Content-Type: multipart/mixed\r\n", None, id="parts without a boundary"),
        pytest.param(b"Date: yesterday\r\nSubject: =?x-none?B?/////?=\r\n", None, id="an unknown charset"),
    ],
)
async def test_odd_mail_is_answered_and_taken_or_refused(tmp_path: Path, more: bytes, answer: str | None) -> None:
    document = {
        "domain": [{"name": "example.com"}],
        "alias": [{"address": "sales@example.com", "record_type": "crm.lead"}],
        "parameters": {"mail.smtp.size": 100_000},
    }
    async with system(tmp_path, document) as running:
        code, text = await delivered(running, more=more)
        assert f"{code} {text}" == answer if answer else code == 250
        assert len(running.settled()) == (answer is None)
        assert (await delivered(running, number=2))[0] == 250
        assert running.dead() == []


def folded(name: bytes, items: list[bytes], separator: bytes) -> bytes:
    return b"%s: %s\r\n" % (name, (separator + b"\r\n ").join(items))


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        pytest.param(
            folded(b"Cc", [b'"%s" <user%d@example.org>' % (b"n" * 200, n) for n in range(9_000)], b","),
            None,
            id="recipients",
        ),
        pytest.param(
            folded(b"References", [b"<%d.%s@example.org>" % (n, b"r" * 900) for n in range(900)], b""),
            None,
            id="references",
        ),
        pytest.param(folded(b"Subject", [b"s" * 900] * 1_000, b""), None, id="a subject"),
        pytest.param(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            + b"".join(
                b"--b\r\nContent-Type: image/png; name=%s%d\r\n\r\nx%d\r\n" % (b"n" * 300, n, n) for n in range(1_500)
            )
            + b"--b--",
            "R9",
            id="attachments",
        ),
        pytest.param(
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
            + b"".join(
                b"Final-Recipient: rfc822; user%d@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                b"Diagnostic-Code: smtp; %s\r\n\r\n" % (n, b"d" * 400)
                for n in range(3_000)
            )
            + b"--b--",
            "P1",
            id="a report's recipients",
        ),
    ],
)
async def test_a_monstrous_mail_ends_in_one_outcome_and_no_dead_letter(
    tmp_path: Path, more: bytes, rule: str | None
) -> None:
    """M1: its events fit into what a broker takes. Without rule: its header is more than the door takes."""
    async with system(tmp_path) as running:
        code, text = await delivered(running, more=more)
        if rule is None:
            assert (code, text.split()[0], running.settled(), running.dead()) == (552, "5.3.4", [], [])
            return
        assert code == 250
        assert [(event.mail_id, event.rule) for event in running.settled()] == [(text.rpartition(" ")[2], rule)]
        assert running.dead() == []
        largest = max(len(stored.value or b"") for topic in TOPICS for stored in running.read(topic))
        assert largest < 1_000_000


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(
            {"smarthost": [{"name": "a", "host": "h", "credentials": {"username": "u", "secret": "hush"}}]},
            "the password is given by reference, env:NAME or file:PATH, never as a value",
            id="D7 a password",
        ),
        pytest.param(
            {"dkim_key": [{"domain": "example.com", "selector": "s", "secret": "-----BEGIN"}]},
            "the key is given by reference",
            id="O13 a key",
        ),
        pytest.param(
            {"alias": [{"address": "a@example.com", "record_type": "x", "thread": "nothing"}]},
            "'nothing' is no thread: a thread is written type/id",
            id="D2 a thread",
        ),
        pytest.param(
            {"alias": [{"address": "a@example.com", "record_type": "x", "owner_thread": "crm team/1"}]},
            "is no thread",
            id="D2 an owner thread",
        ),
        pytest.param({"alias": [{"address": "a@example.com"}]}, "needs a record type", id="D2 an alias for nothing"),
        pytest.param({"domain": [{"name": "no domain"}]}, "is no domain name", id="D1 no domain"),
        pytest.param({"smarthost": [{"name": "a", "host": "", "port": 25}]}, "a needs a host", id="D7 no host"),
        pytest.param(
            {"parameters": {"mail.gateway.loop.minutes": "soon"}}, "is a whole number, not 'soon'", id="D5 no number"
        ),
    ],
)
async def test_a_row_that_cannot_stand_is_refused_with_its_reason_and_changes_nothing(
    tmp_path: Path, document: dict[str, Any], words: str
) -> None:
    async with system(tmp_path) as running:
        before = set(running.views.directory.keys())
        await running.declare(document)
        [refusal] = running.views.directory.rows("refusal")
        assert isinstance(refusal, RowRefused)
        assert words in refusal.reason
        assert set(running.views.directory.keys()) == before | {f"refusal/{refusal.proposal}"}
        assert "hush" not in refusal.reason
        assert (await delivered(running))[0] == 250


@contextmanager
def no_large_files(octets: int) -> Iterator[None]:
    """As a full disk: what is written beyond fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_under_the_objects_is_answered_not_now_and_no_event_is_made(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        large = b"\r\n" + (b"y" * 60_000 + b"\r\n") * 21
        with no_large_files(1_000_000):
            code, text = await delivered(running, more=large)
            assert (code // 10, text[:4]) == (45, "4.3.")
        assert list(running.read("mail.received")) == []
        assert (await delivered(running, more=large))[0] == 250
        assert len(running.settled()) == 1


@pytest.mark.parametrize("number", [28, 5], ids=["disk full", "disk broken"])
async def test_an_fsync_that_fails_is_answered_not_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async with system(tmp_path) as running:

        def broken(handle: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", broken)
        assert (await delivered(running))[0] == 451
        monkeypatch.undo()
        assert list(running.read("mail.received")) == []
        assert (await delivered(running))[0] == 250


async def test_a_log_that_cannot_be_written_is_answered_not_now_and_what_was_accepted_goes_on(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        assert (await delivered(running, 1))[0] == 250
        await running._commits.ask(lambda log: log._db.execute("PRAGMA query_only = ON"))
        answer = await running.session(lambda client: deliver(client, PLAIN % (2, b"")))
        assert answer == (451, "4.3.0 cannot be stored now, try again later")
        await running._commits.ask(lambda log: log._db.execute("PRAGMA query_only = OFF"))
        assert (await delivered(running, 2))[0] == 250
        assert [event.settled for event in running.settled()] == ["<1@example.org>", "<2@example.org>"]


async def test_a_log_that_another_program_locks_loses_nothing(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        other = sqlite3.connect(running.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        sending = asyncio.create_task(running.session(lambda client: deliver(client, PLAIN % (1, b""))))
        await asyncio.sleep(0.3)
        assert not sending.done()
        other.execute("ROLLBACK")
        other.close()
        assert (await sending)[0] == 250


def post(identity: str, thread: str, contents: Contents) -> ChatterPosted:
    return ChatterPosted(
        event_id=identity,
        trace_id=identity,
        occurred_at=utcnow(),
        thread=thread,
        post=Post(
            author=Author(address="mary@example.com"),
            contents=contents,
            notify=(Follower(address="anna@example.org"),),
        ),
    )


async def test_an_object_that_is_gone_at_dispatch_fails_that_mail_alone_with_words(tmp_path: Path) -> None:
    """The opening mail's text was deleted; a post that follows it goes out."""
    async with SmtpSink() as sink, system(tmp_path, relay=sink.port) as running:
        assert (await delivered(running))[0] == 250
        [opened] = [event for event in running.events("chatter.published") if isinstance(event, RecordRequested)]
        gone = ObjectRef(ref=f"sha256/{'0' * 64}", size=1)
        await running.publish([post(event_id("gone"), opened.thread, Contents(text_ref=gone))])
        await running.publish([post(event_id("there"), opened.thread, Contents(text="Here it is.\n"))])
        await running.idle()
        [message] = await sink.wait(1)
        assert b"Here it is." in message.content
        reports = [event for event in running.events("delivery.reported") if isinstance(event, DeliveryReported)]
        [failed] = [report for report in reports if report.action == "failed"]
        assert f"sha256/{'0' * 64} is not in the object store" in failed.diagnostic
        assert "it was deleted, or never" in failed.diagnostic
        assert running.dead() == []


async def test_a_store_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        assert (await delivered(running, 1))[0] == 250
        shutil.rmtree(tmp_path / "objects")
        first = (await delivered(running, 2))[0]
        assert first in (250, 451)
        assert (await delivered(running, 3))[0] == 250
        assert len(running.settled()) == 2 + (first == 250)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda n: Record("mail.received", b"k%d" % n, b"{"), id="mails"),
        pytest.param(lambda n: Record("chatter.published", b"k%d" % n, b"{"), id="posts"),
    ],
)
async def test_too_many_in_a_row_stop_it_rather_than_bury_everything(
    tmp_path: Path, make: Callable[[int], Record]
) -> None:
    async with system(tmp_path) as running:
        await running.append([make(number) for number in range(150)])
        with pytest.raises(Exception, match="the worker, not the records, is at fault"):
            await asyncio.wait_for(running.failed(), 10)
        assert len(running.dead()) == 100
        answer = await running.session(lambda client: deliver(client, PLAIN % (1, b"")))
        assert answer[0] == 451


def test_every_topic_that_the_catalogue_says_is_read_by_a_worker_was_tried() -> None:
    said = {name for name, topic in TOPICS.items() if not topic.table and set(topic.readers) & set(WORKERS)}
    assert set(READ) == said
