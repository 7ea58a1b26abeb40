"""Large mails are read in a process of its own: whatever it does at a stretch, no session of a door waits for it.

`python -m postroad.ingest.aside` is that process: one mail after another from its standard input, until that ends.
"""

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO

from postroad.ingest.read import read
from postroad.ingest.received import Acceptance, as_report, described
from postroad.runtime.named import digest
from postroad.runtime.worker import Unavailable
from postroad_schemas.mail import MailReceived, Report

LIMIT = 120.0  # seconds for one mail; the largest takes a few


@dataclass(frozen=True, slots=True)
class Question:
    raw: bytes
    acceptance: Acceptance
    keep_attachments: bool
    keep_original: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """`report`: what it says if it came to a bounce address; None when the event has it. `objects`: all but the raw."""

    event: MailReceived
    report: Report | None
    objects: tuple[bytes, ...]


class Aside:
    """The process, begun with the first mail. It ends with ours, however ours ends."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def read(self, question: Question) -> Answer:
        """For any thread; one mail at a time. Raises Unavailable if the process is lost; the next mail has another."""
        with self._turn:
            process = self._process = self._process or _begin()
            late = threading.Timer(self._limit, process.kill)
            late.start()
            try:
                return _ask(process, question)
            except (OSError, EOFError, pickle.UnpicklingError) as error:
                self._end()
                raise Unavailable("the process that reads large mails was lost: see its last words above") from error
            finally:
                late.cancel()

    def close(self) -> None:
        with self._turn:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError), self._process as process:
                process.kill()
            self._process = None


def _begin() -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "postroad.ingest.aside"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _ask(process: "subprocess.Popen[bytes]", question: Question) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump(question, process.stdin)
    process.stdin.flush()
    answer = pickle.load(process.stdout)  # noqa: S301  # from a process of ours
    assert isinstance(answer, Answer)
    return answer


def answer(question: Question) -> Answer:
    """Never raises for any bytes."""
    reading = read(question.raw, question)
    refs = {content: digest(content) for content in reading.objects}
    event = described(reading.mail, reading.stored(refs), question.acceptance)
    report = None if event.report else as_report(reading.mail, question.acceptance)
    return Answer(event, report, tuple(content for content in refs if content is not question.raw))


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    while True:
        try:
            question = pickle.load(questions)  # noqa: S301  # from the process that began this one
        except EOFError:
            return
        pickle.dump(answer(question), answers)
        answers.flush()
        del question


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for all of a service at once: our end comes by the pipe
        signal.signal(number, signal.SIG_IGN)
    os.nice(5)  # sessions come first
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)


aside = Aside()
atexit.register(aside.close)

if __name__ == "__main__":
    from postroad.ingest.aside import main as run  # not from __main__: what is pickled is named by its module

    run()
