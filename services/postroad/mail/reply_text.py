"""The new words of a reply: quotes and signature left out (M6, L6). Line by line and linear.

A quote among one's own words, with an answer below it, stays as what the answer is about; `fold` drops it too.
"""

import re
from collections.abc import Iterator

from postroad.mail.quotation import introduction, is_quoted, may_close, opens_message

MAX_LINES = 20_000
"""Lines that are looked at; what comes after is kept as one."""

_SIGNATURE = re.compile(r"-- ?\s*\Z")
_RULE = re.compile(r"[\s_\-*#~=+ᐧ—]+\Z")
_LONGEST = 200  # characters of a line that a telephone adds

_DEVICE = (
    r"(?:mobile|(?:cell|smart)?phone|iphone|ipad|ipod|android|blackberry|galaxy|samsung|windows|outlook|mail(?:box)?"
    r"|yahoo|airmail|gmail|proton|thunderbird|handy|mobil\w*|téléphone|móvil|telef\w+|tablet|device)"
)
_ADVERTISEMENTS = (
    r"sent (?:from|via|with|by) .{1,120}",
    rf"(?:\w+ )?from (?:my )?{_DEVICE}\b.{{0,30}}",
    r"get \[?outlook for .{0,120}",
    r"envoyée? (?:depuis|de|à partir de|avec) .{0,80}",
    r"enviad[oa] (?:desde|do|de|a partir) .{0,80}",
    r"inviato (?:da|dal|dallo) .{0,80}",
    r"(?:verzonden|verstuurd) (?:vanaf|met|van|via) .{0,80}",
    r"gesendet (?:von|mit) .{0,80}",
    r"(?:diese nachricht wurde )?von mein.{0,100}gesendet\.?",
    r"(?:sendt fra|skickat från|wysłane z|отправлено с) .{0,80}",
    r"從我的 .{0,30} 傳送",
)
_SENT_FROM = re.compile(rf"\W{{0,4}}(?:{'|'.join(_ADVERTISEMENTS)})\W*\Z", re.IGNORECASE)
_NAMES_DEVICE = re.compile(rf"\b(?:my|a|an)\b|{_DEVICE}|https?:", re.IGNORECASE)


def strip_reply(text: str) -> str:
    """The words that are new in this mail; all of it when nothing seems new."""
    kept = _without_tail(list(_own_lines(text.split("\n", MAX_LINES))))
    return "\n".join(kept).strip("\n") or text.strip()


def fold(words: str) -> str:
    """What `strip_reply` left, without any quoted line and with white space folded, for comparing (L6)."""
    own = " ".join(line for line in words.split("\n") if not is_quoted(line)).split()
    return " ".join(own or words.split())


def _own_lines(lines: list[str]) -> Iterator[str]:
    """The lines that are not introduced as somebody else's, up to the signature."""
    closes = [may_close(line) for line in lines]
    at, begun = 0, False
    while at < len(lines):
        line = lines[at]
        if begun and _SIGNATURE.match(line):
            return
        if opens_message(lines, at):
            if begun:
                return
            at = _after_header(lines, at)  # nothing but a forwarded mail: its words
        elif size := introduction(lines, closes, at):
            at += size
            end = _after_quote(lines, at)
            if begun and end == at:
                return  # quoted without marks: the rest is theirs
            at = end
        else:
            begun = begun or not (not line.strip() or is_quoted(line) or _RULE.match(line))
            yield line
            at += 1


def _without_tail(lines: list[str]) -> list[str]:
    """Trailing quotes, rules, and the advertisement of the sender's telephone removed."""
    end = len(lines)
    while end and _is_tail(lines[end - 1]):
        end -= 1
    return [line.rstrip() for line in lines[:end]]


def _is_tail(line: str) -> bool:
    if not line.strip() or is_quoted(line) or _RULE.match(line):
        return True
    return len(line) <= _LONGEST and _SENT_FROM.match(line) is not None and _NAMES_DEVICE.search(line) is not None


def _after_header(lines: list[str], at: int) -> int:
    """Past the separator and the fields that follow it."""
    at += 1
    while at < len(lines) and lines[at].strip():
        at += 1
    return at


def _after_quote(lines: list[str], at: int) -> int:
    """The end of the marked quote that begins here, blank lines in it included; `at` when there is none."""
    end = at
    while at < len(lines) and (not lines[at].strip() or is_quoted(lines[at])):
        at += 1
        if is_quoted(lines[at - 1]):
            end = at
    return end
