"""An installation that runs in this process without doors, and commands in this process beside it: both start soon."""

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from structlog.testing import capture_logs

from postroad.cli.main import main
from postroad.fanout.worker import WORKER as FANOUT
from postroad.ingest.accept import Origin, accept
from postroad.loop_guard.worker import WORKER as LOOP_GUARD
from postroad.routing.worker import WORKER as ROUTING
from postroad.runtime.config import Config, Log, Store
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad.runtime.reach import FileReach, rows
from postroad.runtime.signing import sign_with_own_key
from postroad_schemas.mail import Door, MailReceived
from postroad_schemas.message import MessageSettled
from postroad_schemas.values import Envelope
from tests.cli.installation import DECLARED, Said
from tests.support.thread_loop import in_thread

R = TypeVar("R")


class Running:
    """Routing, loop guard and fan-out, with their own signing key."""

    def __init__(self, folder: Path, run: Callable[..., Said]) -> None:
        self.folder = folder
        self.file = folder / "postroad.toml"
        self.file.write_text(f'[store]\nurl = "file:{folder}/objects"\n[log]\npath = "{folder}/log.sqlite"\n{DECLARED}')
        self.log = FileReach(folder / "log.sqlite")
        self._run = run
        self._mails = 0
        self.took = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        store = open_store(f"file:{folder}/objects")
        config = Config(store=Store(url=f"file:{folder}/objects"), log=Log(path=str(folder / "log.sqlite")))
        self.embedded = Embedded(folder / "log.sqlite", (ROUTING, LOOP_GUARD, FANOUT), store, config)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self.embedded.start()
        await sign_with_own_key(self.embedded.tools, self.folder)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop = None
        await self.embedded.stop()

    def wait(self, what: Coroutine[Any, Any, R]) -> R:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    def __call__(self, *words: str | Path) -> Said:
        """A command beside it. What it wrote is in the views of the workers on return, `took` seconds later."""
        said = self._run(*words, "--config", self.file)
        said_at = time.monotonic()
        while self._loop is not None and not self._views_agree():
            assert time.monotonic() < said_at + 60, "it does not become effective"
            time.sleep(0.005)
        self.took = time.monotonic() - said_at
        return said

    def _views_agree(self) -> bool:
        views, directory, contacts = self.embedded.views, self.rows(), self.rows("contacts")
        return (
            all(views.directory.row(key) == row for key, row in directory.items())
            and len(views.directory.keys()) == len(directory)
            and all(views.contacts.get(key) == row for key, row in contacts.items())
            and len(views.contacts) == len(contacts)
        )

    def good(self, *words: str | Path) -> str:
        """What a command prints that must succeed."""
        said = self(*words)
        assert said.code == os.EX_OK, said
        return said.out

    def lines(self, *words: str | Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.good(*words, "--json").splitlines()]

    def rows(self, table: str = "directory") -> dict[str, Any]:
        return rows(self.log, table)

    def mail(
        self, to: str = "sales@example.com", sender: str = "bob@example.org", text: str = "Hello", **fields: str
    ) -> MailReceived:
        """One mail as a door would take it, worked to rest."""
        self._mails += 1
        raw = raw_mail(to, sender, text, number=self._mails, **fields)
        origin = Origin(Door.SMTP, session="test", ordinal=str(self._mails))
        envelope = Envelope(mail_from=sender, rcpt_to=(to,))
        event = self.wait(accept(raw, envelope, origin, self.embedded.tools))
        self.wait(self.embedded.idle())
        return event

    def settle(self) -> None:
        """What commands beside it handed in is taken and worked to rest."""
        deadline = time.monotonic() + 60
        with closing(sqlite3.connect(self.folder / "log.sqlite")) as log:
            while log.execute("SELECT 1 FROM inbox").fetchone():
                assert time.monotonic() < deadline, "nobody takes it"
                time.sleep(0.01)
        self.wait(self.embedded.idle())

    def became(self, mail: MailReceived) -> list[MessageSettled]:
        """What became of the mails with this Message-ID, oldest first."""
        seen = (it.event for it in self.log.records("message.settled"))
        return [e for e in seen if isinstance(e, MessageSettled) and e.mail_id and e.settled == mail.message_id]


def raw_mail(to: str, sender: str, text: str = "Hello", *, number: int = 1, **fields: str) -> bytes:
    named = {"From": sender, "To": to, "Message-ID": f"<{number}@example.org>", "Subject": f"Mail {number}"}
    named |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "".join(f"{name}: {value}\r\n" for name, value in named.items()).encode() + f"\r\n{text}\r\n".encode()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Said]]:
    """A command in this process. What an installation beside it logs is no part of what it prints."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("USER", "olga")

    def run(*words: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["postroad", *map(str, words)])
        code: object = os.EX_OK
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        shown = capfd.readouterr()
        return Said(code if isinstance(code, int) else os.EX_OK, shown.out, shown.err)

    with capture_logs():
        yield run


@pytest.fixture
def stopped(tmp_path: Path, run: Callable[..., Said]) -> Running:
    """Its folder and its commands; nothing runs."""
    return Running(tmp_path, run)


@pytest.fixture
def running(stopped: Running) -> Iterator[Running]:
    assert stopped._run("apply", stopped.file).code == os.EX_OK
    with in_thread(stopped):
        yield stopped
