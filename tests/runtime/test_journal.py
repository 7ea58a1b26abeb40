"""Many small objects with one sync: durable before they are answered for, whole after a power cut, erased for good."""

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pytest

from postroad.runtime import files, journal
from postroad.runtime.files import FileStore
from postroad.runtime.journal import AGE, REST, SIZE, Journal
from postroad.runtime.named import digest
from postroad.runtime.worker import Unavailable

CONTENTS = [b"mail %d\r\n" % number * 20 for number in range(40)]


def hexes(*contents: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


class Kept:
    """What is given up, and what goes on meanwhile."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def __call__(self, objects: Mapping[str, memoryview]) -> None:
        self.objects |= {name: bytes(content) for name, content in objects.items()}


def journals(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.journal"))


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def path_in(folder: Path, content: bytes) -> Path:
    name = digest(content).ref[-64:]
    return folder / "sha256" / name[:2] / name


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every put goes through the journal."""
    monkeypatch.setattr(files, "MANY", 1)


def noting(synced: list[int], sync: Callable[[int], None]) -> Callable[[int], None]:
    def noted(handle: int) -> None:
        synced.append(handle)
        sync(handle)

    return noted


async def test_what_comes_together_is_synced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(tmp_path)
    await asyncio.gather(*map(store.put, CONTENTS))  # the folders are there from now on
    more = (b"more %d" % number for number in range(10_000))
    new = list(islice((content for content in more if path_in(tmp_path, content).parent.exists()), 20))
    synced: list[int] = []
    for call in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, call, noting(synced, getattr(os, call)))

    refs = await asyncio.gather(*map(store.put, new))

    assert refs == [digest(content) for content in new]
    assert [path_in(tmp_path, content).read_bytes() for content in new] == new
    assert len(synced) < len(new)


async def test_alone_it_is_written_without_a_journal(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for content in CONTENTS[:3]:
        await store.put(content)
    assert not journals(tmp_path)


@pytest.mark.usefixtures("grouped")
async def test_large_ones_do_not_pass_through_the_journal(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put_all([os.urandom(files.SMALL), b"and one octet more"])
    assert not journals(tmp_path)


PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from postroad.runtime import files, journal
files.MANY = 1
async def put():
    store = files.FileStore(Path(sys.argv[1]))
    for content in sys.argv[2:]:
        await store.put(content.encode())
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(put())
"""


def put_and_killed(folder: Path, *contents: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(folder), *contents], env=environment, check=False)
    assert done.returncode == -9


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda _: None, id="only the process was killed"),
        pytest.param(lambda path: path.unlink(), id="a power cut took the name"),
        pytest.param(lambda path: path.write_bytes(b""), id="a power cut took the octets"),
        pytest.param(lambda path: path.write_bytes(bytes(5)), id="zeros stand in its place"),
    ],
)
async def test_what_a_power_cut_took_is_there_again_before_anything_is_read(tmp_path: Path, harm: object) -> None:
    assert callable(harm)
    await asyncio.to_thread(put_and_killed, tmp_path, "first", "other")
    assert len(journals(tmp_path)) == 1
    harm(path_in(tmp_path, b"first"))

    assert await FileStore(tmp_path).get(digest(b"first").ref) == b"first"

    assert not journals(tmp_path)
    assert path_in(tmp_path, b"other").read_bytes() == b"other"


async def test_a_record_that_the_power_cut_is_no_object_and_harms_none(tmp_path: Path) -> None:
    await asyncio.to_thread(put_and_killed, tmp_path, "first", "other")
    [file] = journals(tmp_path)
    for content in (b"first", b"other"):
        path_in(tmp_path, content).unlink()
    file.write_bytes(file.read_bytes()[:-2] + bytes(2))
    store = FileStore(tmp_path)
    assert await store.get(digest(b"first").ref) == b"first"
    with pytest.raises(LookupError):
        await store.get(digest(b"other").ref)


@pytest.mark.usefixtures("grouped")
async def test_the_journal_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    living, other = FileStore(tmp_path), FileStore(tmp_path)
    await living.put(b"first")
    assert await other.get(digest(b"first").ref) == b"first"
    await other.put(b"other")
    assert len(journals(tmp_path)) == 2


@pytest.mark.usefixtures("grouped")
async def test_what_is_deleted_is_in_no_journal_any_more_and_does_not_come_back(tmp_path: Path) -> None:
    """Promise 7: also when another process deletes it, and a third plays the journal back."""
    await asyncio.to_thread(put_and_killed, tmp_path, "killed with it")
    writer, eraser = FileStore(tmp_path), FileStore(tmp_path)
    await writer.put_all([b"a secret", b"no secret"])
    for secret in (b"a secret", b"killed with it"):
        await eraser.delete(digest(secret).ref)
    held = everything(tmp_path)
    assert b"a secret" not in held
    assert b"killed with it" not in held
    assert b"no secret" in held
    with pytest.raises(LookupError):
        await FileStore(tmp_path).get(digest(b"a secret").ref)


@pytest.mark.usefixtures("grouped")
async def test_an_object_cut_off_in_its_place_is_replaced(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(CONTENTS[0])
    path_in(tmp_path, CONTENTS[0]).write_bytes(b"m")
    await store.put(CONTENTS[0])
    assert await store.get(digest(CONTENTS[0]).ref) == CONTENTS[0]


@pytest.mark.usefixtures("grouped")
@pytest.mark.parametrize("call", ["fdatasync", "write"])
async def test_a_journal_that_fails_is_unavailable_and_another_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = FileStore(tmp_path)
    await store.put(CONTENTS[0])
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        with pytest.raises(Unavailable, match="free disk space"):
            await store.put(CONTENTS[1])
    await store.put(CONTENTS[2])
    assert len(journals(tmp_path)) == 2


def fails(*_: object) -> NoReturn:
    raise OSError(28, "No space left on device")


@pytest.mark.usefixtures("grouped")
async def test_a_journal_that_was_taken_away_keeps_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(CONTENTS[0])
    for path in journals(tmp_path):
        path.unlink()
    with pytest.raises(Unavailable, match="No such file"):
        await store.put(CONTENTS[1])
    assert await store.put(CONTENTS[1]) == digest(CONTENTS[1])


def test_a_file_rests_and_is_given_up_once_its_objects_are_kept(tmp_path: Path) -> None:
    now, kept = [0.0], Kept()
    made = Journal(tmp_path / "journal", clock=lambda: now[0])
    made.append(hexes(b"one"))
    now[0] = AGE
    made.append(hexes(b"two"))
    assert made.rested() == [], "written to until it is old"
    now[0] = AGE + 0.1
    assert made.rested() == [], "then it rests"
    made.append(hexes(b"three"))
    now[0] = AGE + 0.1 + REST
    assert made.rested() == []
    now[0] += 0.1
    [written] = made.rested()
    assert made.rested() == [], "once"
    made.give_up(written, kept)
    assert kept.objects == hexes(b"one", b"two")
    assert len(journals(tmp_path)) == 1


@pytest.mark.usefixtures("grouped")
async def test_objects_outlive_their_journal_but_not_their_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path)
    await store.put_all([b"a secret", b"a mail"])
    path_in(tmp_path, b"a mail").unlink()  # what is missing is made again before the journal goes
    await store.delete(digest(b"a secret").ref)
    for name in ("AGE", "REST"):
        monkeypatch.setattr(journal, name, -1.0)
    await store.put(b"the last")
    async with asyncio.timeout(60):
        while journals(tmp_path):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await store.get(digest(b"a mail").ref) == b"a mail"
    assert await store.get(digest(b"the last").ref) == b"the last"
    with pytest.raises(LookupError):
        await store.get(digest(b"a secret").ref)


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    made = Journal(tmp_path / "journal", clock=lambda: 0.0)
    half = os.urandom(SIZE // 2)
    for number in range(3):
        made.append(hexes(half + b"%d" % number))
    assert len(journals(tmp_path)) == 2


def test_what_cannot_be_kept_stays_in_the_journal(tmp_path: Path) -> None:
    made = Journal(tmp_path / "journal", clock=iter([0.0, 0.0, AGE + 1, AGE + 2, 99 * AGE]).__next__)
    made.append(hexes(b"one"))
    assert made.rested() == []
    [written] = made.rested() or made.rested()
    with pytest.raises(OSError, match="No space"):
        made.give_up(written, fails)
    kept = Kept()
    Journal(tmp_path / "journal").play_back(kept)
    assert kept.objects == hexes(b"one")


async def test_a_put_from_another_loop_is_answered_there(tmp_path: Path) -> None:
    """The pollers of mailboxes have loops of their own."""
    store, found = FileStore(tmp_path), []

    def elsewhere(content: bytes) -> None:
        found.append(asyncio.run(store.put(content)))

    threads = [threading.Thread(target=elsewhere, args=(content,)) for content in CONTENTS[:5]]
    for thread in threads:
        thread.start()
    mine = await asyncio.gather(*map(store.put, CONTENTS[5:]))
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sorted(ref.ref for ref in (*mine, *found)) == sorted(digest(content).ref for content in CONTENTS)


@pytest.mark.usefixtures("grouped")
async def test_who_does_not_wait_any_more_harms_nobody(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    gone = asyncio.create_task(store.put(CONTENTS[0]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await store.put(CONTENTS[1]) == digest(CONTENTS[1])
