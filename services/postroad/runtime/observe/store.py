"""An object store that is timed."""

import time
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from postroad.runtime.observe import metrics
from postroad.runtime.worker import ObjectStore, Unavailable
from postroad_schemas.values import ObjectRef

R = TypeVar("R")


class TimedStore:
    """The same store; what it raises is counted and raised. An object that is absent is no failure."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, content: bytes) -> ObjectRef:
        return await _timed("put", self._store.put(content))

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        return await _timed("put", self._store.put_all(contents))

    async def get(self, ref: str) -> bytes:
        return await _timed("get", self._store.get(ref))

    async def delete(self, ref: str) -> None:
        await _timed("delete", self._store.delete(ref))


async def _timed(operation: str, work: Awaitable[R]) -> R:
    begun = time.perf_counter()
    try:
        done = await work
    except Unavailable:
        metrics.STORE_FAILURES.inc(operation)
        raise
    metrics.STORE.of(operation).observe(time.perf_counter() - begun)
    return done
