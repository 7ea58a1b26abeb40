"""The message of a DATA command, read in large bites (RFC 5321 4.1.1.4, 4.5.2)."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from postroad.ingest.doors.replies import Says
from postroad.ingest.doors.spool import Spool

_END = b"\r\n.\r\n"
# What some servers take for the end of a mail (SMTP smuggling); NULs because some do not see them.
_LIKE_AN_END = re.compile(rb"(?:\r\n|[\r\n])\0{0,4}\.\0{0,4}[\r\n]")
_LOOK_BACK = 16  # octets: longer than any of them
Take = Callable[[int, bool], bool]  # of octets that came and whether they are kept: whether there is room for them
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a message may be. In octets, `fields` in header fields; `endings`: whether dots that look like ends pass."""

    size: int
    line: int
    header: int = 256 * 1024
    fields: int = 500
    endings: bool = False


async def read_message(
    reader: asyncio.StreamReader, spool: Spool, bounds: Bounds, take: Take = lambda _octets, _kept: True
) -> Says | None:
    """Spools what stands before CRLF dot CRLF, which alone is an end, dots unstuffed; or says why it does not.

    All of it is read first (RFC 5321 4.2.5); what is refused is not kept meanwhile.
    """
    # As if a CRLF stood before the message, an empty one and a first line with a dot are no special cases.
    reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined]
    wire, refused, ended, first, taken = _Wire(bounds), None, False, 2, -len(_END)
    while not ended:
        bite, ended = await _bite(reader, bounds.line)
        taken += len(bite)
        room = take(len(bite), refused is None)
        text = wire.read(bite, ended)
        if refused is None:
            refused = Says.TOO_LARGE if taken > bounds.size else wire.refused if room else Says.TOO_MUCH
            if refused is None:
                refused = await _write(spool, text[first:])
            if refused is not None:
                spool.close()
        first = 0
    return refused or header_refused(spool.beginning(), spool.size, bounds)


async def _write(spool: Spool, text: bytes) -> Says | None:
    try:
        await spool.write(text)
    except OSError:
        return Says.TOO_MUCH  # no room on the disk for it
    return None


async def _bite(reader: asyncio.StreamReader, most: int) -> tuple[bytes, bool]:
    """What there is up to the end, and whether the end is in it."""
    try:
        return await reader.readuntil(_END), True
    except asyncio.LimitOverrunError as more:
        return await reader.read(min(more.consumed, most)), False


class _Wire:
    """From what came to what was meant. Bites end anywhere."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._held = b""  # the beginning of a line end, or one that a dot may follow
        self._behind = b""
        self._line = 0
        self.refused: Says | None = None

    def read(self, bite: bytes, ended: bool) -> bytes:
        text = self._held + bite
        if ended:
            text, self._held = text[:-3], b""
        else:
            kept = 2 if text.endswith(b"\r\n") else text.endswith(b"\r")
            text, self._held = text[: len(text) - kept], text[len(text) - kept :]
        if self.refused is None:
            self._measure(text)
        if self.refused is None and not self._bounds.endings:
            self._look(text)
        return text.replace(b"\r\n.", b"\r\n")

    def _measure(self, text: bytes) -> None:
        """A bite is shorter than a line may be: only its first line can be the end of one too long."""
        end = text.find(b"\r\n")
        longest = self._line + (len(text) if end < 0 else end)
        self._line = longest if end < 0 else len(text) - text.rfind(b"\r\n") - 2
        if max(longest, self._line) > self._bounds.line:
            self.refused = Says.LINE_TOO_LONG

    def _look(self, text: bytes) -> None:
        text = self._behind + text
        ends = text.count(b"\r\n")
        odd = text.count(b"\n") != ends or text.count(b"\r") != ends or b"\0" in text
        if odd and _LIKE_AN_END.search(text):
            self.refused = Says.SMUGGLED
        self._behind = text[-_LOOK_BACK:]


def header_refused(beginning: bytes, size: int, bounds: Bounds) -> Says | None:
    """Whether the header section (RFC 5322 2.2) has too many octets or fields. What is no field ends it."""
    found = beginning.find(b"\r\n\r\n")
    lines = beginning.count(b"\n", 0, found) + 1
    if 0 <= found <= bounds.header and lines <= bounds.fields:
        return None
    place = fields = 0
    while field := _FIELD.match(beginning, place):
        place, fields = field.end(), fields + 1
        if place > bounds.header or fields > bounds.fields:
            return Says.HEADER_TOO_LARGE
    # A field that goes on to the end of what is looked at, in a mail that goes on.
    unended = len(beginning) < size and b"\n" not in beginning[place:]
    return Says.HEADER_TOO_LARGE if unended and len(beginning) >= bounds.header else None
