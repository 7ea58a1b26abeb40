"""The octets of one mail while it is taken in: in memory as long as they are few, else in a file without a name."""

import asyncio
import ctypes
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import IO

IN_MEMORY = 256 * 1024  # octets of a mail, and of what is written at once
_THREADS = ThreadPoolExecutor(4, thread_name_prefix="spool")
_M_MMAP_THRESHOLD, _BLOCK = -3, 1024 * 1024  # of mallopt(3); octets from which on a block is given back at once


def give_back_large_blocks() -> None:
    """To the system, when they are freed. Else glibc, after the first large mail, keeps those of every thread."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other libraries have none, and no such habit
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BLOCK)


class Spool:
    """Written by one session, read once, closed by whoever has it last. All but `write` is for any thread."""

    def __init__(self, folder: str = "") -> None:
        self._folder = folder or None
        self._waiting: list[bytes] = []
        self._octets = 0  # that wait
        self._file: IO[bytes] | None = None
        self.head = b""  # of a mail that is in a file: as much of its beginning as fits in memory
        self.size = 0

    @property
    def in_memory(self) -> bool:
        return self._file is None

    async def write(self, octets: bytes) -> None:
        """Raises OSError when the disk takes no more."""
        self._waiting.append(octets)
        self._octets += len(octets)
        self.size += len(octets)
        if self._octets >= IN_MEMORY:
            await asyncio.get_running_loop().run_in_executor(_THREADS, self._flush)

    def _flush(self) -> None:
        octets = b"".join(self._waiting)
        if self._file is None:
            # The name is gone at once: whatever ends this process, no mail stays behind.
            self._file = tempfile.TemporaryFile(prefix="postroad-", dir=self._folder, buffering=0)  # noqa: SIM115
            self.head = octets[:IN_MEMORY]
        left = memoryview(octets)
        while left:
            left = left[self._file.write(left) :]
        self._waiting.clear()
        self._octets = 0

    def content(self) -> bytes:
        """All of it. For one in a file: call it in a thread. Raises OSError."""
        if self._file is None:
            return self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        if self._waiting:
            self._flush()
        whole = os.pread(self._file.fileno(), self.size, 0)  # without a second copy
        if len(whole) != self.size:
            raise OSError("the spooled file is shorter than what was written")
        return whole

    def beginning(self) -> bytes:
        """What stands first, IN_MEMORY octets or all."""
        return self.head if self._file else self.content()

    def close(self) -> None:
        """What it held is gone."""
        self._waiting.clear()
        if self._file is not None:
            _THREADS.submit(self._file.close)  # of a large one it takes the system a while
