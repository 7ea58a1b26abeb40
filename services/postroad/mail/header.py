"""Header fields as they stand in the bytes (RFC 5322 2.2), tolerant and bounded."""

import re

from postroad.mail.encoded_word import decode_words, unfold

MAX_FIELDS = 5_000
"""Fields kept of one header; those beyond are passed over."""
MAX_VALUE = 1 << 20
"""Octets kept of one field body."""

_FIELD = re.compile(rb"(?!--)([!-9;-~\x80-\xff]{1,200})[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_FIELDS = re.compile(rb"^" + _FIELD.pattern, re.MULTILINE)
_BLANK = re.compile(rb"\r*(?:\n|\Z)")
_LINE = re.compile(rb"[^\n]*(?:\n|\Z)")
_END = re.compile(rb"\n\r*\n")
_USUAL = 16_384  # octets within which nearly every header ends
_LONGEST_REPAIRED = 10_000  # octets of a field after which no stray line is added to it
_MBOX_LINE = re.compile(rb"(?:[ \t]*\r*\n){0,20}>?From [^\n]*\n(?=[!-9;-~]{1,200}[ \t]*:)")
_TECHNICAL = (
    rb"Received|Return-Path|Message-ID|MIME-Version|Content-(?:Type|Transfer-Encoding)|Delivered-To|Envelope-To"
    rb"|X-[A-Za-z-]{1,80}|Authentication-Results|DKIM-Signature|ARC-[A-Za-z-]{1,30}"
)
_KNOWN = _TECHNICAL + rb"|From|To|Cc|Subject|Date|Reply-To|Sender"
_FIRST_LINES = re.compile(rb"(?:[ \t]*\r*\n){0,20}[ \t]*(?=(?:" + _KNOWN + rb")[ \t]*:)", re.IGNORECASE)
# Lines that lost their indent or their colon, when the header surely goes on behind them.
_STRAY = re.compile(
    rb"(?:(?!--|\r*\n)[^\n]{0,1000}\n){1,2}?(?=(?:" + _KNOWN + rb")[ \t]*:)"
    rb"|(?:(?!--|\r*\n)[^\n]{0,1000}\n){1,30}?(?=(?:" + _TECHNICAL + rb")[ \t]*:)",
    re.IGNORECASE,
)


class Headers:
    """The fields of one header, by name, in order; names compare without case."""

    __slots__ = ("_fields", "beside")

    def __init__(self, fields: dict[str, list[bytes]]) -> None:
        self._fields = fields
        self.beside = ""  # the charset of the mail's text, for what stands here in 8 bits and is no UTF-8

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

    def is_ascii(self) -> bool:
        """Whether no field body holds 8-bit octets."""
        return all(value.isascii() for values in self._fields.values() for value in values)

    def unfolded(self, name: str) -> str:
        """The topmost field body unfolded, encoded words left alone; "" when absent."""
        value = self.raw(name)
        return "" if value is None else unfold(value, self.beside)

    def all_unfolded(self, name: str) -> tuple[str, ...]:
        """Every field body under this name, topmost first."""
        values = self._fields.get(name)
        return tuple(unfold(value, self.beside) for value in values) if values else ()

    def text(self, name: str) -> str:
        """The topmost field body as people read it: unfolded, encoded words decoded."""
        return decode_words(self.unfolded(name)).strip()


def read_header(buffer: bytes, start: int, *, message: bool = False) -> tuple[Headers, int]:
    """The header that begins at `start`, and where the body begins.

    A line that is no field ends the header and opens the body, unless the field before it was left open by a ";".
    `message` allows what happens to whole messages at times: blank lines, an mbox "From " line or an indent on top,
    and stray lines if known fields follow them.
    """
    if message and (first := _MBOX_LINE.match(buffer, start) or _FIRST_LINES.match(buffer, start)):
        start = first.end()
    return _sound(buffer, start) or _with_repairs(buffer, start, message=message)


def _sound(buffer: bytes, start: int) -> tuple[Headers, int] | None:
    """The header if it is of usual size and each of its lines is a field or folded, as nearly always; else None."""
    end = _END.search(buffer, start, start + _USUAL) if _FIELD.match(buffer, start) else None
    if end is None:
        return None
    block = buffer[start : end.start() + 1]
    found = _FIELDS.findall(block)
    if len(found) != block.count(b"\n") - block.count(b"\n ") - block.count(b"\n\t"):
        return None
    fields: dict[str, list[bytes]] = {}
    for name, value in found:
        fields.setdefault(name.decode("latin-1").lower(), []).append(value.rstrip(b"\r"))
    return Headers(fields), end.end()


def _with_repairs(buffer: bytes, at: int, *, message: bool) -> tuple[Headers, int]:
    fields: dict[str, list[bytes]] = {}
    count, last = 0, ""
    while at < len(buffer):
        field = _FIELD.match(buffer, at)
        if field is not None:
            count += 1
            at = field.end()
            if count <= MAX_FIELDS:
                last = field[1].decode("latin-1").lower()
                fields.setdefault(last, []).append(field[2][:MAX_VALUE].rstrip(b"\r"))
            continue
        if blank := _BLANK.match(buffer, at):
            return Headers(fields), blank.end()
        line = _LINE.match(buffer, at) if last and fields[last][-1].endswith(b";") else None
        line = line or (_STRAY.match(buffer, at) if message and last else None)
        if line is None or len(fields[last][-1]) > _LONGEST_REPAIRED:
            break
        fields[last][-1] += b" " + line[0][:1_000].strip()
        at = line.end()
    return Headers(fields), at
