"""A journal of small objects: many of them are on the disk with one sync, and their own files need none meanwhile.

Files of records in a folder, one at a time of each process that writes, which locks its own (flock(2)). A file whose
writer is gone is played back by the next process that comes: a power cut may have taken what the journal still has.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SIZE = 16 * 1024 * 1024  # octets of a file before the next is begun; so much is read at once
AGE = 30.0  # seconds a file is written to
REST = 60.0  # seconds before its objects are synced one by one: the kernel wrote them by then, and it costs nothing
_HEAD = 40  # octets of a record before the content: its SHA-256, and its length in 8
_SUFFIX = ".journal"
Keep = Callable[[Mapping[str, memoryview]], None]  # objects by digest: each is on the disk by itself on return


@dataclass
class Written:
    """One file, locked as long as its handle is open."""

    path: Path
    handle: int
    began: float
    ended: float = 0.0
    size: int = 0


class Journal:
    """Of one process. `append` and `rested` are for one thread, the others for any. All raise OSError."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._current: Written | None = None
        self._resting: list[Written] = []

    def append(self, contents: Mapping[str, bytes]) -> None:
        """Objects by their digest, on the disk on return."""
        written = self._open()
        octets = b"".join(part for name, content in contents.items() for part in (_head(name, content), content))
        try:
            write_all(written.handle, octets)
            os.fdatasync(written.handle)
            if not os.fstat(written.handle).st_nlink:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        except OSError:
            self._end()  # what stands there now is uncertain: nothing more is put behind it
            raise
        written.size += len(octets)

    def rested(self) -> list[Written]:
        """Files that may be given up now, each once."""
        now = self._clock()
        if self._current and now - self._current.began > AGE:
            self._end()
        found = [written for written in self._resting if now - written.ended > REST]
        self._resting = [written for written in self._resting if written not in found]
        return found

    def give_up(self, written: Written, keep: Keep) -> None:
        """One that rested is removed, after its objects were kept. If that fails it is left to the next process."""
        try:
            with self._alone():
                _give_up(written.path, keep)
        finally:
            os.close(written.handle)

    def play_back(self, keep: Keep) -> None:
        """The same for what processes left that are gone."""
        if not self._folder.is_dir():
            return
        with self._alone():
            for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
                handle = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _give_up(path, keep)
                except BlockingIOError:
                    continue  # its writer lives
                finally:
                    os.close(handle)

    def erase(self, name: str) -> None:
        """The object's octets are overwritten in every file, of other processes too; on the disk on return."""
        if not self._folder.is_dir():
            return
        with self._alone():
            for path in self._folder.glob(f"*{_SUFFIX}"):
                whole = memoryview(path.read_bytes())
                places = [(at, length) for at, digest, length in _records(whole) if digest == name]
                if places:
                    _overwrite(path, places)

    def _open(self) -> Written:
        if self._current and self._current.size > SIZE:
            self._end()
        if self._current is None:
            self._folder.mkdir(exist_ok=True)
            sync_folder(self._folder.parent)
            with self._alone():
                path = self._folder / f"{secrets.token_hex(8)}{_SUFFIX}"
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
                fcntl.flock(handle, fcntl.LOCK_EX)
            self._current = Written(path, handle, self._clock())
            sync_folder(self._folder)
        return self._current

    def _end(self) -> None:
        if self._current is not None:
            self._current.ended = self._clock()
            self._resting.append(self._current)
            self._current = None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody keeps what another is erasing, and a file that was just made has its lock."""
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def write_all(handle: int, octets: bytes | memoryview) -> None:
    left = memoryview(octets)
    while left:
        left = left[os.write(handle, left) :]


def sync(name: str, how: int) -> None:
    handle = os.open(name, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    sync(str(folder), os.O_RDONLY | os.O_DIRECTORY)


def _head(name: str, content: bytes) -> bytes:
    return bytes.fromhex(name) + len(content).to_bytes(_HEAD - 32, "big")


def _records(whole: memoryview) -> Iterator[tuple[int, str, int]]:
    """Where each content stands, its digest, its length. The last may be cut off, or be zeros, by a power cut."""
    at = 0
    while at + _HEAD <= len(whole) and any(whole[at : at + 32]):
        length = int.from_bytes(whole[at + 32 : at + _HEAD], "big")
        yield at + _HEAD, whole[at : at + 32].hex(), length
        at += _HEAD + length


def _give_up(path: Path, keep: Keep) -> None:
    whole = memoryview(path.read_bytes())
    found = {name: whole[at : at + length] for at, name, length in _records(whole)}
    # What was erased, or never came to the disk, is not what its digest says.
    keep({name: content for name, content in found.items() if hashlib.sha256(content).hexdigest() == name})
    path.unlink()
    sync_folder(path.parent)  # else a power cut brings it back, with what was erased since


def _overwrite(path: Path, places: list[tuple[int, int]]) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        for at, length in places:
            os.pwrite(handle, bytes(length), at)
        os.fsync(handle)
    finally:
        os.close(handle)
