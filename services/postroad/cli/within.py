"""Something that blocks, asked with a limit of time."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

R = TypeVar("R")


async def within(seconds: float, ask: Callable[[], R]) -> R:
    """What it answers, or raises. Raises TimeoutError after that time.

    In a thread that ends with this process, which must not wait for it.
    """
    loop, answer = asyncio.get_running_loop(), Future[R]()

    def run() -> None:
        answer.set_running_or_notify_cancel()  # from now on it cannot be cancelled: an answer too late is dropped
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wait_for(asyncio.wrap_future(answer, loop=loop), seconds)
