"""Work that costs as much for many as for one: what waits for it is handed over together, to a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T, R]):
    item: T
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[R]"


class Together(Generic[T, R]):
    """`work` gets all that came while it was busy, in order, and answers each; what it raises, all of them get."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], name: str) -> None:
        self._work = work
        self._waiting: list[_Waiting[T, R]] = []
        self._busy = False
        self._lock = threading.Lock()  # doors may have loops of their own
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def __call__(self, item: T) -> R:
        loop = asyncio.get_running_loop()
        waiting: _Waiting[T, R] = _Waiting(item, loop, loop.create_future())
        with self._lock:
            self._waiting.append(waiting)
            begin, self._busy = not self._busy, True
        if begin:
            self._thread.submit(self._run)
        return await waiting.answer

    def _run(self) -> None:
        while batch := self._next():
            try:
                answers: Sequence[R] | BaseException = self._work([waiting.item for waiting in batch])
            except BaseException as error:
                answers = error
            for loop in {waiting.loop for waiting in batch}:
                with contextlib.suppress(RuntimeError):  # who asked is gone, its loop closed
                    loop.call_soon_threadsafe(_answer, loop, batch, answers)

    def _next(self) -> list[_Waiting[T, R]]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._busy = bool(batch)
        return batch


def _answer(
    loop: asyncio.AbstractEventLoop, batch: Sequence[_Waiting[T, R]], answers: Sequence[R] | BaseException
) -> None:
    for number, waiting in enumerate(batch):
        if waiting.loop is not loop or waiting.answer.done():
            continue
        if isinstance(answers, BaseException):
            waiting.answer.set_exception(answers)
        else:
            waiting.answer.set_result(answers[number])
