"""The file store: a file for each object, found by its digest."""

import asyncio
import contextlib
import errno
import logging
import os
import secrets
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from postroad.runtime.journal import Journal, Written, sync, sync_folder, write_all
from postroad.runtime.named import absent, digest, hex_of
from postroad.runtime.together import Together
from postroad.runtime.worker import Unavailable, Unusable
from postroad_schemas.values import ObjectRef

R = TypeVar("R")
Octets = bytes | memoryview
THREADS = 16  # so many fsyncs at once
SMALL = 64 * 1024  # octets of what is put at once, up to which it may go through the journal
MANY = 2  # puts that wait together, from which on they do: fewer are quicker without
_ADVICE = {
    errno.ENOSPC: "free disk space",
    errno.EDQUOT: "free disk space or raise the quota",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EIO: "check the disk",
}
_ADVICE_FOR_GOOD = {
    errno.EACCES: "let postroad's user write there",
    errno.EPERM: "let postroad's user write there",
    errno.EROFS: "mount it writable",
    errno.ENOTDIR: "name a folder in [store] url",
    errno.EEXIST: "name a folder in [store] url",
}

log = logging.getLogger(__name__)


class FileStore:
    """In 256 folders, for a new folder costs syncs of its own.

    A file under its final name is whole, and either on the disk or, when small mails came many at a time, in the
    journal that is on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._lasting: set[str] = set()  # folders known to be on the disk
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")
        self._journal = Journal(self._folder / "journal")
        self._together = Together(self._put_small, "journal")
        self._played_back = False
        self._playing = threading.Lock()

    async def put(self, content: bytes) -> ObjectRef:
        [made] = await self.put_all([content])
        return made

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        """Together in one thread: a mail is one errand, and what is synced together is written together."""
        if sum(map(len, contents)) <= SMALL:
            return await self._had(self._together(contents))
        return await self._in_thread(lambda: self._put_all(contents))

    async def get(self, ref: str) -> bytes:
        return await self._in_thread(lambda: self._get(ref))

    async def delete(self, ref: str) -> None:
        await self._in_thread(lambda: self._delete(ref))

    async def _in_thread(self, work: Callable[[], R]) -> R:
        return await self._had(asyncio.get_running_loop().run_in_executor(self._threads, work))

    async def _had(self, work: Awaitable[R]) -> R:
        try:
            return await work
        except OSError as error:
            self._lasting.clear()  # somebody may have taken the folders away
            words = f"objects in {self._folder}: {error.strerror}"
            if advice := _ADVICE_FOR_GOOD.get(error.errno or 0):
                raise Unusable(f"{words}: {advice}") from error
            advice = _ADVICE.get(error.errno or 0, "check the disk and the folder")
            raise Unavailable(f"{words}: {advice}") from error

    def _put_small(self, puts: Sequence[Sequence[bytes]]) -> list[list[ObjectRef]]:
        """Of a few, each as it is; of many, first all in the journal, with one sync, then each in its place."""
        if len(puts) < MANY:
            return [self._put_all(contents) for contents in puts]
        self._play_back()
        made = [[digest(content) for content in contents] for contents in puts]
        objects: dict[str, bytes] = {}
        for refs, contents in zip(made, puts, strict=True):
            objects.update((ref.ref[-64:], content) for ref, content in zip(refs, contents, strict=True))
        self._make_folders(name[:2] for name in objects)
        self._journal.append(objects)
        for name, content in objects.items():
            _place(self._path(name), content)
        for rested in self._journal.rested():
            self._threads.submit(self._settle, rested)
        return made

    def _put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        self._play_back()
        made = [digest(content) for content in contents]
        self._keep({ref.ref[-64:]: content for ref, content in zip(made, contents, strict=True)}, _stands)
        return made

    def _keep(self, objects: Mapping[str, Octets], stands: Callable[[str, Octets], bool]) -> None:
        """Each step for all of them before the next: the first sync of a step does most of the work of the others."""
        places = {self._path(name): content for name, content in objects.items()}
        folders = {name[:2] for name in objects}
        self._make_folders(folders)
        written: dict[str, str] = {}
        try:
            for path, content in places.items():
                if not stands(path, content):
                    written[path] = _write_beside(path, content)
            for name in written.values():
                sync(name, os.O_RDWR)
            for path, name in written.items():
                os.replace(name, path)  # noqa: PTH105  # a Path for each would cost more than the call
        except BaseException:
            for name in written.values():
                with contextlib.suppress(OSError):
                    Path(name).unlink()
            raise
        for name in folders:  # also for what stood there: another put may have renamed it just now
            sync_folder(Path(f"{self._folder}/sha256/{name}"))

    def _get(self, ref: str) -> bytes:
        name = hex_of(ref)
        if name is None:
            raise absent(ref)
        self._play_back()
        try:
            return Path(self._path(name)).read_bytes()
        except FileNotFoundError:
            raise absent(ref) from None

    def _delete(self, ref: str) -> None:
        name = hex_of(ref)
        if name is None:
            raise absent(ref)
        self._play_back()
        self._journal.erase(name)
        path = Path(self._path(name))
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            sync_folder(path.parent)

    def _play_back(self) -> None:
        """Before anything else: what a power cut took from the files is put back from the journal."""
        with self._playing:
            if not self._played_back:
                self._journal.play_back(lambda objects: self._keep_synced(objects, _equals))
                self._played_back = True

    def _settle(self, written: Written) -> None:
        try:
            self._journal.give_up(written, lambda objects: self._keep_synced(objects, _stands))
        except OSError as error:
            log.warning("%s stays until the next start: %s", written.path, error.strerror)

    def _keep_synced(self, objects: Mapping[str, memoryview], stands: Callable[[str, Octets], bool]) -> None:
        for name in objects:
            with contextlib.suppress(FileNotFoundError):
                sync(self._path(name), os.O_RDONLY)
        self._keep(objects, stands)

    def _make_folders(self, names: Iterable[str]) -> None:
        """With those above them. Their names are on the disk on return, also of those that were made elsewhere."""
        if not (new := set(names) - self._lasting):
            return
        within = self._folder / "sha256"
        above = [within, *within.parents] if not self._lasting else []
        folders = [*reversed(above), *(within / name for name in sorted(new))]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        for folder in dict.fromkeys(folder.parent for folder in folders):
            sync_folder(folder)
        self._lasting |= new

    def _path(self, name: str) -> str:
        return f"{self._folder}/sha256/{name[:2]}/{name}"


def _stands(path: str, content: Octets) -> bool:
    try:
        return os.stat(path).st_size == len(content)  # noqa: PTH116
    except FileNotFoundError:
        return False


def _equals(path: str, content: Octets) -> bool:
    try:
        return Path(path).read_bytes() == content
    except FileNotFoundError:
        return False


def _place(path: str, content: bytes) -> None:
    """Under its final name, not synced. What stands there cut off is replaced."""
    try:
        _write_new(path, content)
    except FileExistsError:
        if not _stands(path, content):
            os.replace(_write_beside(path, content), path)  # noqa: PTH105


def _write_beside(path: str, content: Octets) -> str:
    """A file that is not yet under its name."""
    name = f"{os.path.dirname(path)}/.{secrets.token_hex(8)}.new"  # noqa: PTH120
    _write_new(name, content)
    return name


def _write_new(name: str, content: Octets) -> None:
    """Whole, or not there. Raises FileExistsError for a name that is taken."""
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_all(handle, content)
    except OSError:
        Path(name).unlink()
        raise
    finally:
        os.close(handle)
