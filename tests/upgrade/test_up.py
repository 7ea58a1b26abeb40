"""`postroad up` of the next version on the file of this one, and this one again: processes of their own code."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from postroad.fanout.threads import THREADS
from postroad.runtime.embedded.log import read_states
from postroad.runtime.reach import FileReach
from postroad.stage import Emission
from tests.support.six import WORKERS, Six, ended, until
from tests.support.smtp_sink import SmtpSink
from tests.support.thread_loop import in_thread
from tests.upgrade.next_version import EDITS, NEW_FORMAT, NEW_TYPE, ROOT, WEIGHT, next_version, paths, weighed, weights
from tests.upgrade.story import Story, at_rest, audit, follow, settled

EARLY = [f"early/{number}" for number in range(3)]


def nobody(*_: Emission) -> None:
    """No app publishes anything."""


class Up(Six):
    """All six in one process on one file, of whichever version."""

    def __init__(self, folder: Path, relay_port: int) -> None:
        super().__init__(folder, "", relay_port)
        self.file = folder / "var" / "log.sqlite"
        self.reach = FileReach(self.file)
        with self.settings.open("a") as settings:
            settings.write(f'[log]\npath = "{self.file}"\n')

    def start(self, name: str) -> None:
        self.launch(name, "up", "--config", str(self.settings))

    @contextmanager
    def version(self, code: Path) -> Iterator[None]:
        """Runs it until SIGTERM, at which it must end well."""
        self.path = paths(code)
        self.start("up")
        self.wait_for_door()
        yield
        assert self.terminate("up") == os.EX_OK, self.log("up")

    def events(self, topic: str) -> list[Any]:
        return [seen.event for seen in self.reach.records(topic) if seen.event is not None]

    def publish(self, *events: Emission) -> None:
        self.reach.publish(events)

    def dead(self) -> list[tuple[str, str]]:
        found = [letter for name in WORKERS for letter in self.reach.letters(name) if letter.value is not None]
        return [(json.loads(letter.value or b"")["type"], letter.said("reason")) for letter in found]

    def weights(self) -> dict[bytes, int]:
        return weights(read_states(self.file, THREADS.name), THREADS)


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with in_thread(SmtpSink()) as started:
        yield started


@pytest.fixture
def up(tmp_path: Path, sink: SmtpSink) -> Iterator[Up]:
    with ended(Up(tmp_path, sink.port)) as made:
        yield made


@pytest.mark.slow
def test_the_next_version_and_this_one_again_go_on_where_the_other_stopped(up: Up, sink: SmtpSink) -> None:
    code, story = next_version(up.folder / "code"), Story(up)
    with up.version(ROOT):
        up.postroad("apply", str(up.settings))
        story.moment(up.publish)
        follow(up, story.opened[0])
    with up.version(code):
        story.moment(up.publish)
        at_rest(up)
    up.reach.hand_back([weighed(thread) for thread in EARLY])
    with up.version(ROOT):
        story.moment(up.publish)
        until("the new type is not passed over", lambda: len(up.dead()) == len(EARLY))
    with up.version(code):
        story.moment(up.publish)
        up.postroad("dead", "retry", "--reason", "unknown_type", "--config", str(up.settings))
        until("it is not understood", lambda: list(up.weights().values()).count(WEIGHT) == len(EARLY))
    with up.version(ROOT):
        story.moment(up.publish)
        story.moment(up.publish)
        at_rest(up)
        audit(up, story, sink)
    assert up.dead() == [(NEW_TYPE, "unknown_type")] * len(EARLY)


@pytest.mark.slow
def test_a_file_of_a_newer_format_is_refused_with_words_and_the_copy_opens(up: Up) -> None:
    code, story = next_version(up.folder / "code", (*EDITS, *NEW_FORMAT)), Story(up)
    with up.version(ROOT):
        up.postroad("apply", str(up.settings))
        story.moment(nobody)
        at_rest(up)
    copy = shutil.copytree(up.file.parent, up.folder / "copy")
    with up.version(code):
        story.moment(nobody)
        at_rest(up)

    up.path = paths(ROOT)
    up.start("up")
    assert up.wait("up") == os.EX_UNAVAILABLE
    assert "was written by a newer version of postroad" in up.log("up").splitlines()[-1]
    with up.version(code):
        story.moment(nobody)
        at_rest(up)
        assert {end.settled for end in settled(up)} == story.sent()

    shutil.rmtree(up.file.parent)
    copy.rename(up.file.parent)
    with up.version(ROOT):
        up.send(1)
        at_rest(up)
