"""I2 at every door: killed between store and event, between event and answer, and again and again under load."""

import http.client
import random
import smtplib
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from itertools import count

import pytest

from tests.cli.installation import ENVIRONMENT
from tests.faults.doors import DOORS, POLLED, SYNCHRONOUS, Doors, id_of, raw_of
from tests.faults.doors_dying import ACKNOWLEDGED, STORED
from tests.faults.test_kill import wait_for
from tests.support.dovecot import dovecot

GONE = (smtplib.SMTPException, urllib.error.URLError, http.client.HTTPException, OSError)
NUMBERS = count(1)
DYING = (sys.executable, "-m", "tests.faults.doors_dying")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with dovecot() as server:
        made = Doors(tmp_path_factory.mktemp("doors"), server)
        made.begin()
        yield made


def taken(doors: Doors, door: str, raw: bytes) -> bool:
    """As `give`; a connection that is lost is no yes."""
    try:
        return doors.give(door, raw)
    except GONE:
        return False


def die(doors: Doors, door: str, point: str, raw: bytes) -> bool:
    """Whether the peer of a system that dies at this point got a yes. It must have died."""
    if door == "pipe":
        return doors.pipe([*DYING, point], raw) != -9
    if door in POLLED:
        doors.put(door, raw)
    command = [*DYING, point, "up", "--config", str(doors.file)]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            ready = process.stderr.readline()
            doors.port = int(ready.partition("127.0.0.1:")[2].split()[0])
            yes = taken(doors, door, raw) if door in SYNCHRONOUS else False
            assert process.wait(60) == -9
            return yes or (door in POLLED and not doors.left(door))
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("point", "through", "repeats"),
    [
        pytest.param(STORED, ("http", "imap", "pop3"), 0, id="between store and event: nothing was accepted yet"),
        pytest.param(
            ACKNOWLEDGED,
            ("lmtp", "http", "imap", "pipe"),
            2,
            id="between event and answer: LMTP and pipe cannot know their mails again (I8), but R1 does",
        ),
    ],
)
def test_who_got_no_yes_tries_again_and_it_is_in_once(
    doors: Doors, point: str, through: tuple[str, ...], repeats: int
) -> None:
    before, accepted = doors.opened(), len(doors.acceptances())
    numbers = {door: next(NUMBERS) for door in through}
    mails = {door: raw_of(number) for door, number in numbers.items()}
    assert {door: die(doors, door, point, raw) for door, raw in mails.items()} == dict.fromkeys(through, False)
    with doors.up():
        for door in SYNCHRONOUS:
            assert door not in through or doors.give(door, mails[door])
        wait_for(lambda: not any(map(doors.left, POLLED)))
        doors.all_in([*before, *map(id_of, numbers.values())])
    assert len(doors.acceptances()) == accepted + len(through) + repeats


KILLS = 5
MAILS = [next(NUMBERS) for _ in range(200)]


class Sender(threading.Thread):
    """A peer at one door: it tries each mail until it has a yes."""

    def __init__(self, doors: Doors, door: str, numbers: list[int], up: threading.Event) -> None:
        super().__init__(daemon=True)
        self.doors, self.door, self.numbers, self.up = doors, door, numbers, up
        self.yes = 0

    def run(self) -> None:
        for number in self.numbers:
            while not taken(self.doors, self.door, raw_of(number)):
                self.up.wait(60)
            self.yes += 1


@pytest.mark.slow
def test_five_kills_under_200_mails_by_six_doors_lose_none_and_repeat_no_record(doors: Doors) -> None:
    chance, up, before = random.Random(1), threading.Event(), doors.opened()
    shares = {door: MAILS[first :: len(DOORS)] for first, door in enumerate(DOORS)}
    shares["smtp"] += shares["pipe"][5:]  # a process for each takes long
    del shares["pipe"][5:]
    for door in POLLED:
        doors.put(door, *map(raw_of, shares[door]))
    senders = [Sender(doors, door, shares[door], up) for door in SYNCHRONOUS]
    for kill in range(KILLS):
        with doors.up() as process:
            up.set()
            if not kill:
                for sender in senders:
                    sender.start()
            enough = len(doors.acceptances()) + chance.randint(5, 25)
            wait_for(lambda enough=enough: len(doors.acceptances()) > enough)  # type: ignore[misc]
            up.clear()
            process.kill()
            process.wait(60)
    with doors.up():
        up.set()
        for sender in senders:
            sender.join(60)
        wait_for(lambda: not any(map(doors.left, POLLED)))
        doors.all_in([*before, *map(id_of, MAILS)])
    assert [sender.yes for sender in senders] == [len(shares[door]) for door in SYNCHRONOUS]
