"""The message of a DATA command, read in large bites (RFC 5321 4.1.1.4, 4.5.2)."""

import asyncio

_END = b"\r\n.\r\n"

TOO_LARGE = "552 5.3.4 message larger than SIZE allows"
LINE_TOO_LONG = "500 5.6.0 a line of the message is too long; encode it (RFC 2045)"


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """The message was read to its end and is not taken; the words are the reply."""


async def read_message(reader: asyncio.StreamReader, size_limit: int, line_limit: int) -> bytes:
    """The octets before the final dot, dots unstuffed. Nothing but CRLF dot CRLF ends a message.

    Raises Refused once all of it was read (RFC 5321 4.2.5); what is over the limit is not kept meanwhile.
    """
    # As if a CRLF stood before the message, an empty one and a first line with a dot are no special cases.
    reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined]
    bites: list[bytes] = []
    taken, ended = -len(_END), False
    while not ended:
        bite, ended = await _bite(reader)
        taken += len(bite)
        bites.append(bite)
        if taken > size_limit:
            bites.clear()
    if taken > size_limit:
        raise Refused(TOO_LARGE)
    content = b"".join(bites)[:-3]
    if taken > line_limit and max(map(len, content.split(b"\r\n"))) > line_limit:
        raise Refused(LINE_TOO_LONG)
    return content.replace(b"\r\n.", b"\r\n")[2:]


async def _bite(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """What there is up to the end, and whether the end is in it."""
    try:
        return await reader.readuntil(_END), True
    except asyncio.LimitOverrunError as more:
        return await reader.read(more.consumed), False
