"""Object stores: bytes found by their digest. "file:PATH", "memory:", and buckets through obstore."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from postroad.runtime.files import FileStore
from postroad.runtime.named import absent, digest, hex_of
from postroad.runtime.worker import ObjectStore, Unavailable
from postroad_schemas.values import ObjectRef


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
        if hex_of(ref) is None:
            raise absent(ref)
        try:
            found = await obstore.get_async(self._store, ref)
            return bytes(await found.bytes_async())
        except FileNotFoundError:  # what obstore raises for it is both
            raise absent(ref) from None
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


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
