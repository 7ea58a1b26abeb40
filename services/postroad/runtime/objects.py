"""Object stores: bytes found by their digest. "file:PATH", "memory:", and buckets through obstore."""

import asyncio
import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from postroad.runtime.worker import ObjectStore, Unavailable
from postroad_schemas.values import ObjectRef

R = TypeVar("R")
THREADS = 16  # of the file store: so many fsyncs at once
_REF = re.compile(r"sha256/([0-9a-f]{64})", re.ASCII)
_ADVICE = {
    errno.ENOSPC: "free disk space",
    errno.EDQUOT: "free disk space or raise the quota",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EACCES: "let postroad's user write there",
    errno.EPERM: "let postroad's user write there",
    errno.EROFS: "mount it writable",
}


def open_store(url: str) -> ObjectStore:
    """The store of a configuration. Raises ValueError for an url that names none, Unavailable if it cannot be had."""
    kind, colon, place = url.partition(":")
    if not colon:
        raise ValueError(f'{url!r} is no object store: write "file:PATH", "memory:" or a bucket such as "s3://NAME"')
    if kind == "file":
        return FileStore(Path(place.removeprefix("//")))
    if url == "memory:":
        return MemoryStore()
    try:
        return BucketStore(from_url(url), url)
    except (BaseError, ValueError) as error:
        raise ValueError(f"{url!r} is no object store that can be opened: {_line(error)}") from error


def digest(content: bytes) -> ObjectRef:
    """What names these bytes."""
    return ObjectRef(ref=f"sha256/{hashlib.sha256(content).hexdigest()}", size=len(content))


class MemoryStore:
    """Bytes of one process, gone with it."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    async def put(self, content: bytes) -> ObjectRef:
        ref = digest(content)
        self._objects[ref.ref] = bytes(content)
        return ref

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        return [await self.put(content) for content in contents]

    async def get(self, ref: str) -> bytes:
        try:
            return self._objects[ref]
        except KeyError:
            raise _absent(ref) from None

    async def delete(self, ref: str) -> None:
        self._objects.pop(ref, None)


class FileStore:
    """A file for each object, in 256 folders, for a new folder costs syncs of its own.

    A file under its final name is whole and on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._lasting: set[Path] = set()  # folders known to be on the disk
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")

    async def put(self, content: bytes) -> ObjectRef:
        [made] = await self.put_all([content])
        return made

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        """Together in one thread: a mail is one errand, and what is synced together is written together."""
        return await self._in_thread(lambda: self._put_all(contents))

    async def get(self, ref: str) -> bytes:
        return await self._in_thread(lambda: self._get(ref))

    async def delete(self, ref: str) -> None:
        await self._in_thread(lambda: self._path(ref).unlink(missing_ok=True))

    async def _in_thread(self, work: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except OSError as error:
            self._lasting.clear()  # somebody may have taken the folders away
            advice = _ADVICE.get(error.errno or 0, "check the disk and the folder")
            raise Unavailable(f"objects in {self._folder}: {error.strerror}: {advice}") from error

    def _put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        """Each step for all of them before the next: the first sync of a step does most of the work of the others."""
        made = [digest(content) for content in contents]
        places = {self._path(ref.ref): content for ref, content in zip(made, contents, strict=True)}
        folders = {path.parent for path in places}
        self._make_folders(folders)
        written: dict[Path, str] = {}
        try:
            for path, content in places.items():
                if not _stands(path, len(content)):
                    written[path] = f"{path.parent}/.{secrets.token_hex(8)}.new"
                    _write(written[path], content)
            for name in written.values():
                _sync(name, os.O_RDWR)
            for path, name in written.items():
                Path(name).replace(path)
        except BaseException:
            for name in written.values():
                with contextlib.suppress(OSError):
                    Path(name).unlink()
            raise
        for folder in folders:
            _sync_folder(folder)  # also for what stood there: another put may have renamed it just now
        return made

    def _get(self, ref: str) -> bytes:
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            raise _absent(ref) from None

    def _make_folders(self, folders: Iterable[Path]) -> None:
        """With those above them. Their names are on the disk on return, also of those that were made elsewhere."""
        new: set[Path] = set()
        for inner in folders:
            while inner not in self._lasting and inner not in new:
                new.add(inner)
                inner = inner.parent
        if new:
            outermost_first = sorted(new, key=lambda folder: len(folder.parts))
            for folder in outermost_first:
                folder.mkdir(exist_ok=True)
            for above in dict.fromkeys(folder.parent for folder in outermost_first):
                _sync_folder(above)
            self._lasting |= new

    def _path(self, ref: str) -> Path:
        named = _REF.fullmatch(ref)
        if named is None:
            raise _absent(ref)
        name = named[1]
        return Path(f"{self._folder}/sha256/{name[:2]}/{name}")


class BucketStore:
    """A store of obstore."""

    def __init__(self, store: obstore.store.ObjectStore, url: str) -> None:
        self._store = store
        self._url = url

    async def put(self, content: bytes) -> ObjectRef:
        made = digest(content)
        try:
            await obstore.put_async(self._store, made.ref, content)
        except (BaseError, OSError) as error:
            raise self._unavailable(error) from error
        return made

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        """Side by side: a bucket is far away."""
        return list(await asyncio.gather(*map(self.put, contents)))

    async def get(self, ref: str) -> bytes:
        if _REF.fullmatch(ref) is None:
            raise _absent(ref)
        try:
            found = await obstore.get_async(self._store, ref)
            return bytes(await found.bytes_async())
        except FileNotFoundError:  # what obstore raises for it is both
            raise _absent(ref) from None
        except (BaseError, OSError) as error:
            raise self._unavailable(error) from error

    async def delete(self, ref: str) -> None:
        try:
            await obstore.delete_async(self._store, ref)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(f"objects in {self._url}: {_line(error)}: check its address, credentials and rights")


def _stands(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _write(name: str, content: bytes) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    _sync(str(folder), os.O_RDONLY | os.O_DIRECTORY)


def _sync(name: str, how: int) -> None:
    handle = os.open(name, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _absent(ref: str) -> LookupError:
    return LookupError(f"{ref} is not in the object store: it was deleted, or never put there")


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
