"""A mail server that answers lines by rote: for what real servers do seldom.

async with scripted("* OK ready", [(r"(\\S+) LOGIN", "\\1 OK done")]) as (port, lines): ...
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence

DROP = "drop"
"""Instead of a reply: the connection is lost."""


@contextlib.asynccontextmanager
async def scripted(greeting: str, script: Sequence[tuple[str, str]]) -> AsyncIterator[tuple[int, list[str]]]:
    """Its port, and the lines that it got. The first pattern that matches answers; groups stand in its reply.

    TAG in a reply is the last command's, for answers to lines that have none.
    """
    lines: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tag = ""
        writer.write(f"{greeting}\r\n".encode())
        while octets := await reader.readline():
            line = octets.decode("utf-8", "replace").rstrip("\r\n")
            lines.append(line)
            tag = line.partition(" ")[0] if " " in line else tag
            match = next((found for pattern, _ in script if (found := re.match(pattern, line))), None)
            reply = next((reply for pattern, reply in script if re.match(pattern, line)), DROP)
            if match is None or reply == DROP:
                break
            writer.write(match.expand(reply).replace("TAG", tag).encode() + b"\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], lines
    finally:
        server.close()
