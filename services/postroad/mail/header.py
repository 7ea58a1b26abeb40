"""Header fields as they stand in the bytes (RFC 5322 2.2), tolerant and bounded."""

import re

from postroad.mail.encoded_word import decode_words, unfold

MAX_FIELDS = 5_000
"""Fields kept of one header; those beyond are passed over."""
MAX_VALUE = 1 << 20
"""Octets kept of one field body."""

_FIELD = re.compile(rb"(?!--)([!-9;-~]{1,200})[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_BLANK = re.compile(rb"\r*(?:\n|\Z)")
_LINE = re.compile(rb"[^\n]*(?:\n|\Z)")
_MBOX_LINE = re.compile(rb"(?:[ \t]*\r*\n){0,20}>?From [^\n]*\n(?=[!-9;-~]{1,200}[ \t]*:)")
_FIRST_LINES = re.compile(
    rb"(?:[ \t]*\r*\n){0,20}[ \t]*"
    rb"(?=(?:From|To|Cc|Subject|Date|Received|Return-Path|Message-ID|MIME-Version|Content-Type|Delivered-To"
    rb"|Envelope-To|X-[A-Za-z-]{1,80}|Authentication-Results|DKIM-Signature|Reply-To|Sender)[ \t]*:)",
    re.IGNORECASE,
)


class Headers:
    """The fields of one header, by name, in order; names compare without case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, list[bytes]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def __bool__(self) -> bool:
        return bool(self._fields)

    def names(self) -> tuple[str, ...]:
        """Lower-cased names, in order of first appearance."""
        return tuple(self._fields)

    def each(self, name: str) -> tuple[bytes, ...]:
        """Every field body under this lower-cased name as it stands, topmost first."""
        return tuple(self._fields.get(name, ()))

    def raw(self, name: str) -> bytes | None:
        """The topmost field body under this lower-cased name, as it stands, or None."""
        values = self._fields.get(name)
        return values[0] if values else None

    def unfolded(self, name: str) -> str:
        """The topmost field body unfolded, encoded words left alone; "" when absent."""
        value = self.raw(name)
        return "" if value is None else unfold(value)

    def all_unfolded(self, name: str) -> tuple[str, ...]:
        """Every field body under this name, topmost first."""
        return tuple(unfold(value) for value in self._fields.get(name, ()))

    def text(self, name: str) -> str:
        """The topmost field body as people read it: unfolded, encoded words decoded."""
        return decode_words(self.unfolded(name)).strip()


def read_header(buffer: bytes, start: int, *, message: bool = False) -> tuple[Headers, int]:
    """The header that begins at `start`, and where the body begins.

    A line that is no field ends the header and opens the body, unless the field before it was left open by a ";".
    `message` allows what stands before a whole message at times: blank lines, an mbox "From " line, an indent.
    """
    fields: dict[str, list[bytes]] = {}
    at, count, last = start, 0, ""
    if message and (first := _MBOX_LINE.match(buffer, start) or _FIRST_LINES.match(buffer, start)):
        at = first.end()
    while at < len(buffer):
        field = _FIELD.match(buffer, at)
        if field is not None:
            count += 1
            at = field.end()
            if count <= MAX_FIELDS:
                last = field[1].decode("ascii").lower()
                fields.setdefault(last, []).append(field[2][:MAX_VALUE].rstrip(b"\r"))
            continue
        if blank := _BLANK.match(buffer, at):
            return Headers(fields), blank.end()
        line = _LINE.match(buffer, at)
        if line is None or not last or not fields[last][-1].endswith(b";") or len(fields[last][-1]) > 10_000:
            break
        fields[last][-1] += b" " + line[0][:1_000].strip()
        at = line.end()
    return Headers(fields), at
