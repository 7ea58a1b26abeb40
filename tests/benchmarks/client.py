"""A lean SMTP client, in a process of its own: `python -m tests.benchmarks.client PORT MAILS SESSIONS SIZE`.

Prints one JSON line: how many were accepted, in how many seconds.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

FIELDS = (
    "From: Anna {n} <anna{n}@customer{n}.example>\r\nTo: sales@example.com\r\nSubject: A question, number {n}\r\n"
    "Message-ID: <{run}.{n}@customer.example>\r\nDate: Tue, 24 Nov 2026 09:30:00 +0000\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
)
LINE = "What would two hundred chairs cost, and when could they be here?\r\n"


async def session(port: int, numbers: Iterator[int], run: str, size: int) -> int:
    """Takes numbers as long as there are any; a mail each. Returns how many were answered 250."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    accepted = 0

    async def reply() -> bytes:
        while (line := await reader.readline())[3:4] == b"-":
            pass
        return line

    await reply()
    writer.write(b"EHLO client.example\r\n")
    await reply()
    for number in numbers:
        for command in (f"MAIL FROM:<anna{number}@customer{number}.example>", "RCPT TO:<sales@example.com>", "DATA"):
            writer.write(f"{command}\r\n".encode())
            await reply()
        writer.write((FIELDS.format(n=number, run=run) + LINE * (size // len(LINE)) + ".\r\n").encode())
        accepted += (await reply()).startswith(b"250")
    writer.write(b"QUIT\r\n")
    writer.close()
    return accepted


async def send(port: int, mails: int, sessions: int, size: int, first: int = 0) -> dict[str, float]:
    """Mails of authors each their own: numbers from `first`."""
    run, numbers = f"{time.time_ns():x}", iter(range(first, first + mails))
    started = time.perf_counter()
    accepted = await asyncio.gather(*(session(port, numbers, run, size) for _ in range(sessions)))
    return {"accepted": sum(accepted), "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send(*map(int, sys.argv[1:5])))))
