"""Object stores: bytes found by their digest. "file:PATH", "memory:", and buckets through obstore."""

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from postroad.runtime.files import FileStore
from postroad.runtime.named import absent, digest, hex_of
from postroad.runtime.worker import ObjectStore, Unavailable, Unusable
from postroad_schemas.values import ObjectRef

if TYPE_CHECKING:
    from obstore.store import RetryConfig

R = TypeVar("R")
THREADS = 32  # requests at once
AGAIN: "RetryConfig" = {"max_retries": 5, "retry_timeout": timedelta(seconds=10)}  # then doors answer 4xx
START_SECONDS = 5.0  # that a store has to answer before the doors open
ADVICE = "check its address, credentials and rights"


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
        return BucketStore(from_url(url, retry_config=AGAIN), url)
    except (BaseError, ValueError) as error:
        raise ValueError(f"{url!r} is no object store that can be opened: {_line(error)}") from error


async def keeps(store: ObjectStore) -> bool:
    """Whether it gives back what it is given: an object of no meaning, deleted again. Raises Unavailable."""
    content = b"postroad " + os.urandom(16)
    ref = (await store.put(content)).ref
    try:
        same = await store.get(ref) == content
    except LookupError:
        same = False
    await store.delete(ref)
    return same


async def away(store: ObjectStore) -> str:
    """At a start: why it does not keep anything now, empty if it does. Raises Unusable where waiting does not help."""
    try:
        async with asyncio.timeout(START_SECONDS):
            return "" if await keeps(store) else "the object store gave back other bytes than it was given"
    except TimeoutError:
        return f"the object store does not answer within {START_SECONDS:g} seconds: {ADVICE}"
    except Unusable:
        raise
    except Unavailable as error:
        return str(error)


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
            raise absent(ref) from None

    async def delete(self, ref: str) -> None:
        self._objects.pop(ref, None)


class BucketStore:
    """A store of obstore, asked in threads: what its own tasks hand back while the interpreter ends aborts it."""

    def __init__(self, store: obstore.store.ObjectStore, url: str) -> None:
        self._store = store
        self._url = url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")

    async def put(self, content: bytes) -> ObjectRef:
        made = digest(content)
        await self._in_thread(lambda: obstore.put(self._store, made.ref, content))
        return made

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        """Side by side: a bucket is far away."""
        return list(await asyncio.gather(*map(self.put, contents)))

    async def get(self, ref: str) -> bytes:
        if hex_of(ref) is None:
            raise absent(ref)
        found = await self._in_thread(lambda: self._get(ref))
        if found is None:
            raise absent(ref)
        return found

    def _get(self, ref: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):  # what obstore raises is both
            return bytes(obstore.get(self._store, ref).bytes())
        return None

    async def delete(self, ref: str) -> None:
        await self._in_thread(lambda: self._delete(ref))

    def _delete(self, ref: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, ref)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (BaseError, OSError) as error:
            raise Unavailable(f"objects in {self._url}: {_line(error)}: {ADVICE}") from error


def _line(error: Exception) -> str:
    """Without which object it was about, and how often it was tried."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    first = re.sub(r"/sha256/[0-9a-f]+", "", first)
    return re.sub(r" in \S+s, after \d+ retries, max_retries: \d+, retry_timeout: \S+ +-", " -", first)
