"""`postroad` as a person has it: commands as processes, a folder with its settings, `up` running or not."""

import os
import re
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from postroad.runtime.reach import FileReach
from postroad_schemas import Event
from postroad_schemas.message import MessageSettled

SCRIPT = Path(sys.executable).with_name("postroad")
MAIN = [sys.executable, "-c", "from postroad.cli.main import main; main()"]
COMMAND = [str(SCRIPT)] if SCRIPT.exists() else MAIN
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200", "TERM": "dumb"}
DECLARED = """
[[domain]]
name = "example.com"

[[alias]]
address = "sales@example.com"
record_type = "crm.lead"
"""


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def postroad(*words: str | Path, input: str = "", folder: Path | None = None) -> Said:  # noqa: A002
    command = [*COMMAND, *map(str, words)]
    done = subprocess.run(
        command, input=input, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Installation:
    """Its settings take any free port, and a relay that nobody runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "postroad.toml"
        self.log = FileReach(folder / "log.sqlite")
        self.port = 0
        self.declare(DECLARED)

    def declare(self, tables: str, port: int = 0) -> Path:
        self.file.write_text(
            f'[store]\nurl = "file:{self.folder}/objects"\n[log]\npath = "{self.folder}/log.sqlite"\n'
            f'[logs]\nlevel = "WARNING"\n'
            f'[smtp]\nport = {port}\nhostname = "mx.example.com"\n[relay]\nport = 1\n{tables}'
        )
        return self.file

    def __call__(self, command: str, *words: str | Path) -> Said:
        settings = (self.file,) if command == "apply" else ("--config", self.file)
        return postroad(command, *words, *settings)

    @contextmanager
    def up(self, warned: str = "") -> Iterator["subprocess.Popen[str]"]:
        """Running until SIGTERM; `port` is where it listens. `warned`: a line that it says before, as a pattern."""
        command = [*COMMAND, "up", "--config", str(self.file)]
        with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                if warned:
                    first = process.stderr.readline()
                    assert re.match(warned, first), first
                self.ready = ready = process.stderr.readline()
                assert "takes mail in at 127.0.0.1:" in ready, ready
                self.port = int(ready.partition("127.0.0.1:")[2].split()[0])
                yield process
                process.send_signal(signal.SIGTERM)
                process.wait(60)
            finally:
                process.kill()

    def session(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=60)

    def settled(self) -> list[MessageSettled]:
        """Of mails that were accepted; our own messages are settled too."""
        return [it for it in self.events("message.settled") if isinstance(it, MessageSettled) and it.mail_id]

    def events(self, topic: str) -> list[Event]:
        return [seen.event for seen in self.log.records(topic)]


def mail(number: int, to: str = "sales@example.com") -> EmailMessage:
    """Each by another author, so that no limit is reached."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = f"author{number}@example.org", to, f"Order {number}"
    made["Message-ID"] = f"<{number}@example.org>"
    made.set_content("Please send it.\n")
    return made
