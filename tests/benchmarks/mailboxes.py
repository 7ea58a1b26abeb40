"""The IMAP door beside a bare loop that only fetches: a mailbox full of mails at a Dovecot on the loopback.

`python -m tests.benchmarks.mailboxes door FOLDER ROW MAILS [PROFILE]` takes them all in a process of its own: fetched,
stored on a file store with its syncs, the event acknowledged (at once), the flag set, the checkpoint kept. `bare` for
`door`: fetched one by one with the same client library.
"""

import asyncio
import cProfile
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from imapclient import IMAPClient

from postroad.ingest.doors.mailboxes import Mailboxes
from postroad.runtime.config import Config, secret
from postroad.runtime.config import Mailboxes as Settings
from postroad.runtime.objects import open_store
from postroad.runtime.worker import Tools
from postroad_schemas.directory import IncomingMailbox, Protocol, row_key
from tests.support.declared import AT, views
from tests.support.dovecot import dovecot
from tests.support.mailservers import MailServer

MAILS = 1500
OCTETS = 4_000
LINE = "What would two hundred chairs cost, and when could they be here?\r\n"


def report() -> Iterator[str]:
    """Lines of figures."""
    try:
        with dovecot() as server, tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder:
            for protocol in Protocol:
                most, got = _run(server, protocol, "bare", folder), _run(server, protocol, "door", folder)
                ratio = got["rate"] / most["rate"]
                yield (
                    f"{protocol} from Dovecot     {got['rate']:9,.0f} mails/s ({ratio:.2f} of a bare loop, "
                    f"{most['rate']:,.0f}), {got['cpu_ms']:.1f} ms of CPU a mail"
                )
    except pytest.skip.Exception as skipped:
        yield f"IMAP, POP3            not measured: {skipped}"


def _run(server: MailServer, protocol: Protocol, what: str, folder: str) -> dict[str, float]:
    """In a process of its own, from a mailbox of its own."""
    row = server.mailbox(protocol)
    server.append(row, *(_mail(number) for number in range(MAILS)))
    command = [sys.executable, "-m", "tests.benchmarks.mailboxes", what, folder, msgspec.json.encode(row).decode()]
    done = subprocess.run([*command, str(MAILS)], check=True, capture_output=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _mail(number: int) -> bytes:
    head = (
        f"From: Anna {number} <anna{number}@customer.example>\r\nTo: sales@example.com\r\nSubject: Chairs {number}\r\n"
        f"Message-ID: <{number}@customer.example>\r\nDate: Tue, 24 Nov 2026 09:30:00 +0000\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return (head + LINE * ((OCTETS - len(head)) // len(LINE))).encode()


async def _door(folder: Path, row: IncomingMailbox, mails: int) -> int:
    taken, all_taken = 0, asyncio.Event()

    async def acknowledge(events: Sequence[Any]) -> None:
        nonlocal taken
        taken += len(events)
        if taken >= mails:
            all_taken.set()

    config = Config(mailboxes=Settings(folder=str(folder / "mailboxes")))
    tools = Tools(acknowledge, views(), open_store(f"file:{folder / 'objects'}"), lambda: AT, config)
    tools.views.apply("directory", row_key(row), row)
    door = Mailboxes(tools)
    await door.start()
    await all_taken.wait()
    await door.stop()  # with the last flags, and the checkpoint
    return taken


def _bare(row: IncomingMailbox) -> int:
    password = (secret(row.credentials.secret) or b"").decode()
    if row.protocol is Protocol.POP3:
        return _bare_pop3(row, password)
    with IMAPClient(row.host, row.port, ssl=False) as client:
        client.login(row.credentials.username, password)
        client.select_folder(row.folder)
        return sum(1 for uid in client.search("UNSEEN") if client.fetch([uid], ["BODY.PEEK[]"]))


def _bare_pop3(row: IncomingMailbox, password: str) -> int:
    import poplib

    client = poplib.POP3(row.host, row.port)
    client.user(row.credentials.username)
    client.pass_(password)
    count = client.stat()[0]
    fetched = sum(1 for number in range(1, count + 1) if client.retr(number))
    client.quit()
    return fetched


def main() -> None:
    what, folder, row, mails, *profile = sys.argv[1:]
    mailbox = msgspec.json.decode(row, type=IncomingMailbox)
    work: Callable[[], int] = {
        "door": lambda: asyncio.run(_door(Path(folder), mailbox, int(mails))),
        "bare": lambda: _bare(mailbox),
    }[what]
    if profile:
        with cProfile.Profile() as profiled:
            work()
        profiled.dump_stats(profile[0])
        return
    started, cpu = time.perf_counter(), time.process_time()
    taken = work()
    assert taken == int(mails), taken
    seconds = time.perf_counter() - started
    print(json.dumps({"rate": taken / seconds, "cpu_ms": (time.process_time() - cpu) / taken * 1000}))


if __name__ == "__main__":
    if sys.argv[1:]:
        main()
    else:
        for figures in report():
            print(figures, flush=True)
