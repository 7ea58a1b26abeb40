"""The doors of a running system, as strangers find them: I2 while the world is away, I3, I6."""

import contextlib
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest

from postroad_schemas.message import Outcome
from tests.faults.doors import DOORS, POLLED, SYNCHRONOUS, Doors, id_of, raw_of
from tests.faults.test_kill import wait_for
from tests.support.dovecot import dovecot

NUMBERS = count(1)
DISK = "16m"
POLLS = 2.0  # seconds in which each mailbox is polled


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bool]]:
    """A folder, and whether it is a small disk of its own."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder))
    try:
        yield folder, mounted
    finally:
        if mounted:
            _run("umount", "-l", str(folder))


@pytest.fixture(scope="module")
def doors(disk: tuple[Path, bool]) -> Iterator[Doors]:
    with dovecot() as server:
        made = Doors(disk[0], server)
        made.begin()
        with made.up():
            yield made


def _run(*words: str) -> bool:
    return (
        shutil.which(words[0]) is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )


@contextlib.contextmanager
def no_folder(doors: Doors) -> Iterator[None]:
    """A file stands where the objects should be: root, too, cannot write there."""
    objects, away = doors.folder / "objects", doors.folder / "away"
    objects.mkdir(exist_ok=True)
    objects.rename(away)
    objects.write_text("")
    try:
        yield
    finally:
        objects.unlink()
        away.rename(objects)


@contextlib.contextmanager
def full_disk(doors: Doors) -> Iterator[None]:
    """Under objects, log and checkpoints alike."""
    filling = doors.folder / "filling"
    with filling.open("wb", buffering=0) as file:
        for octets in (1024 * 1024, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * octets)
    try:
        yield
    finally:
        filling.unlink()


@contextlib.contextmanager
def locked_log(doors: Doors) -> Iterator[None]:
    """By another program, for longer than anybody waits for it."""
    other = sqlite3.connect(doors.folder / "log.sqlite", isolation_level=None, timeout=20)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.parametrize(
    ("fault", "small_disk"),
    [
        pytest.param(no_folder, False, id="the store cannot be written to"),
        pytest.param(full_disk, True, id="the disk is full, under the store and the log"),
        pytest.param(locked_log, False, id="the log is locked by another program"),
    ],
)
def test_every_door_says_not_now_and_then_each_mail_is_in_once(
    doors: Doors, disk: tuple[Path, bool], fault: Callable[[Doors], AbstractContextManager[None]], small_disk: bool
) -> None:
    if small_disk and not disk[1]:
        pytest.skip("no small disk here: mounting a tmpfs needs root and CAP_SYS_ADMIN")
    before = doors.opened()
    numbers = {door: next(NUMBERS) for door in DOORS}
    with ThreadPoolExecutor(len(DOORS)) as side_by_side, fault(doors):
        for door in POLLED:
            doors.put(door, raw_of(numbers[door]))
        given = side_by_side.map(lambda door: doors.give(door, raw_of(numbers[door])), SYNCHRONOUS)
        answers = dict(zip(SYNCHRONOUS, given, strict=True))
        assert answers == dict.fromkeys(SYNCHRONOUS, False)
        time.sleep(POLLS)
        assert {door: doors.left(door) for door in POLLED} == dict.fromkeys(POLLED, 1)
    assert doors.opened() == before

    assert {door: doors.give(door, raw_of(numbers[door])) for door in SYNCHRONOUS} == dict.fromkeys(SYNCHRONOUS, True)
    wait_for(lambda: not any(map(doors.left, POLLED)))
    doors.all_in([*before, *map(id_of, numbers.values())])


HOSTILE = [
    b"From: h@example.org\r\nMessage-ID: <h1@example.org>\r\nTo: "
    + b"a@b.example, " * 20_000
    + b"c@d.example\r\n\r\nx\r\n",
    b"From: h@example.org\r\nMessage-ID: <h2@example.org>\r\n"
    + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2_000)),
    b"From: h@example.org\r\nMessage-ID: <h3@example.org>\r\n" + b"X-A: b\r\n" * 50_000 + b"\r\nx\r\n",
    b"From: h@example.org\r\nMessage-ID: <h4@example.org>\r\nTo: "
    + b"(" * 20_000
    + b"\r\n\r\n"
    + b"> " * 50_000
    + b"\r\n",
    b"\xff\xfe:::\r\n\r\n\r\r\r\n",
]


@pytest.mark.parametrize("door", POLLED)
def test_i3_behind_fifty_unroutable_mails_and_five_hostile_ones_the_good_one_is_reached(
    doors: Doors, door: str
) -> None:
    before, settled, good = doors.opened(), len(doors.settled()), next(NUMBERS)
    unroutable = [raw_of(next(NUMBERS)).replace(b"sales@example.com", b"sales@other.example") for _ in range(50)]
    doors.put(door, *unroutable, *HOSTILE, raw_of(good))
    wait_for(lambda: doors.opened() != before and len(doors.settled()) == settled + 56)
    assert doors.left(door) == 0
    assert Counter(event.outcome for event in doors.settled()[settled:])[Outcome.DELIVERED] == 1
    doors.all_in([*before, id_of(good)])


def test_i6_one_mail_without_message_id_by_six_doors_opens_one_record(doors: Doors) -> None:
    before, settled = doors.opened(), len(doors.settled())
    raw = raw_of(next(NUMBERS)).replace(b"Message-ID", b"X-Number")
    for door in SYNCHRONOUS:
        assert doors.give(door, raw)
    for door in POLLED:
        doors.put(
            door, b"Return-Path: <stranger@example.org>\r\nReceived: from a by b; 1 Jan 2024 10:00 +0000\r\n" + raw
        )
    wait_for(lambda: len(doors.settled()) == settled + len(DOORS))
    found = doors.settled()[settled:]
    assert sorted(event.outcome for event in found) == [Outcome.DELIVERED, *[Outcome.DUPLICATE] * 5]
    assert len({event.mail_id for event in found}) == len(DOORS)  # I8
    assert len(doors.opened() - before) == 1
