"""How mail programs introduce what they quote: "On ... wrote:", "-----Original Message-----", a block of fields."""

import re

from postroad.mail.quotation_words import (
    ABOVE,
    FORWARDED,
    FROM,
    MESSAGE,
    OPENINGS,
    OTHER,
    QUOTING,
    SURE,
    WROTE,
    any_of,
)

INTRODUCTION = "\ue0f1"
"""A line that stands for an introduction which HTML has marked, whatever its language (a private-use character)."""
MESSAGE_BELOW = "\ue0f2"
"""Likewise, for the beginning of another message."""
SIGNATURE = "\ue0f3"
"""Begins each line of what HTML has marked as a signature."""
BLANK = " \t\r\u00a0\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
"""What may stand before the first letter of a line without being seen."""

_WRAPPED = 5  # lines over which an introduction may be wrapped
_LONGEST = 400  # characters of a line that are looked at
_HEADER_LINES = 7  # lines below the first field among which others are expected
_NAMED = 6  # words of "Mary Smith wrote:"
_MARKS = BLANK + ">*_#|"
_COLON = "[:\uff1a]"

_DATE = r"(?:\b(?:19|20)\d\d\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[年년])"
_TIME = r"\d{1,2}[:.h]\d\d"
_WHEN = re.compile(rf"{_DATE}|{_TIME}")
_DAY = re.compile(_DATE)
_HOUR = re.compile(_TIME)
_ADDRESS = re.compile(r"[^\s<>\[\]()]@[^\s<>\[\]()]")
_BRACKETED = re.compile(r"(?:[<(\[]|&lt;)\s*(?:mailto:)?[^\s<>()]{1,100}@[^\s<>]{1,200}")
_OPENING = re.compile(rf"\W{{0,8}}(?:(?:{OPENINGS})\b.{{0,300}}\d|\d|\w{{2,12}}[.,]{{1,2}} .{{0,40}}\d)", re.IGNORECASE)
_VERBS = tuple(sorted((verb.lower() for verb in WROTE), key=len, reverse=True))
_VERB = any_of(*WROTE)
_WROTE = re.compile(rf"(?:\b|[\s>\")\d])(?:{_VERB})(?:\b|[\s<:])", re.IGNORECASE)
_AFTER_VERB = " \t\u00a0\u202f:\uff1a*_>-\u200f\u202c"
_MYSELF = re.compile(r"\bI (?:wrote|write)\W*\Z")
_QUOTING = re.compile(rf"(?:{QUOTING})\b.{{1,200}}{_COLON}\Z", re.IGNORECASE)  # Horde
_ISO_DATED = re.compile(  # "2016-10-24 15:36 GMT+02:00 Mary" and "2013/7/20 Mary <address>"
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?: \d{1,2}:\d{2}(?::\d{2})?)? "
    r"(?:GMT[+-]\d\d:?\d\d .{1,200}|.{0,200}<[^\s<>]{1,200}@[^<>]{1,200}>:?\s*)\Z"
)
_BRACKET_CLOSED = re.compile(rf">\s?(?:{_VERB})?\s?{_COLON}\s*\Z", re.IGNORECASE)
_FIRST = "-_=*#0123456789" + MESSAGE_BELOW
_ASKS = ("Reply", "REPLY", "Please", "Write")  # so begins "Reply above this line" that stands in no frame
_LAST = ":\uff1a>*-" + INTRODUCTION
_ARROWS = ">>>"  # GroupWise: ">>> Mary <address> 1/5/2023 10:00 AM >>>"
_ENDS = ("wrote", "schrieb", "a écrit", "skrev", "schreef", "写道")

_RULED = re.compile(
    rf"[-_=]{{2,}}+\s*(?:{MESSAGE}|Forwarded by .{{0,80}}|.{{1,80}} (?:{_VERB}))\s*[-_=]{{2,}}[\s*]*\Z", re.IGNORECASE
)
_TITLED = re.compile(r"[-_=]{3,}+\s*[^\s\-_=].{2,60}[^\s\-_=]\s*[-_=]{3,}[\s*]*\Z")
_SUBJECTED = re.compile(r"[^\s>|].{1,80}\S ---(?=\S{0,12}\d)[^-]{6,60}---\S")  # Notes: "Mary ---1/5/23 10:00---Subject"
_ABOVE = re.compile(rf"(?:[-_=*#]{{2}}|{'|'.join(_ASKS)}).{{0,60}}(?:{ABOVE})", re.IGNORECASE)
_LONGEST_ASKED = 160  # characters of such a line
_UNRULED = re.compile(rf"(?:{MESSAGE})\s*{_COLON}?\Z", re.IGNORECASE)  # BlackBerry
_FORWARDED = re.compile(rf"(?:{FORWARDED})\s?{_COLON}[\s*]*\Z", re.IGNORECASE)
_FIELD = re.compile(
    rf"(?:(?P<author>{FROM})|(?P<sure>{SURE})|(?P<other>{OTHER}))\s?\*{{0,2}}\s?{_COLON}", re.IGNORECASE
)


def is_quoted(line: str) -> bool:
    """Whether the line carries a quoting mark."""
    return line.lstrip(BLANK).startswith(">")


def opens_message(lines: list[str], at: int) -> bool:
    """A separator line, or the block of fields that mail programs set above what they quote."""
    line = lines[at][:_LONGEST].strip(BLANK + "*")
    if line.startswith((MESSAGE_BELOW, _ARROWS)) or (len(line) < _LONGEST_ASKED and _ABOVE.match(line)):
        return True
    if line[:2] in ("--", "==", "__"):
        if _RULED.match(line):
            return True
        below = range(at + 1, min(at + 4, len(lines)))
        return _TITLED.match(line) is not None and any(_is_block(lines, first) for first in below)
    if _SUBJECTED.match(line):
        return True
    return _FORWARDED.match(line) is not None or _is_block(lines, at)


def _is_block(lines: list[str], at: int) -> bool:
    """From and two other fields, or one if From has an address; one of them must be such as people do not write."""
    if _FIELD.match(lines[at][:_LONGEST].lstrip(_MARKS)) is None:
        return False
    fields = [
        (match.lastgroup, line)
        for line in (line[:_LONGEST].lstrip(_MARKS) for line in lines[at : at + 1 + _HEADER_LINES])
        if (match := _FIELD.match(line)) is not None
    ]
    kinds = [kind for kind, _ in fields]
    addressed = any("@" in line for kind, line in fields if kind == "author")
    if len(fields) == 2:
        return addressed and any(kind == "sure" or (kind == "other" and _WHEN.search(line)) for kind, line in fields)
    return len(fields) > 2 and "author" in kinds and (addressed or "sure" in kinds)


def closes_bracket(line: str) -> bool:
    """Whether the ">" in front of the line is no quoting mark, but the end of an address wrapped in an introduction."""
    return len(line) < 40 and _BRACKET_CLOSED.match(line) is not None


def opens_between_arrows(lines: list[str], at: int) -> bool:
    """Whether the ">>>" in front of the line is no quoting mark: it is dated, and more arrows end it or the next."""
    if not lines[at].startswith(_ARROWS):
        return False
    joined = " ".join(line[:_LONGEST].rstrip() for line in lines[at : at + 2])
    line = lines[at][:_LONGEST].rstrip()
    line = line if line.endswith(_ARROWS) else joined
    return line.endswith(_ARROWS) and _WHEN.search(line) is not None


def names_message(bare: str) -> bool:
    """Whether the line says "Original Message" and nothing else, as some programs do above their block of fields."""
    return len(bare) < 40 and _UNRULED.match(bare) is not None


def may_turn(bare: str) -> bool:
    """Whether the line, stripped of blanks, may be anything but words: the cheap question, asked of every line."""
    return (
        ":" in bare
        or "\uff1a" in bare
        or bare[:3] == _ARROWS
        or bare[0] in _FIRST
        or bare[-1] in _LAST
        or bare.endswith(_ENDS)
        or bare.startswith(_ASKS)
    )


def introduction(lines: list[str], at: int, first: int) -> int:
    """How many lines, of those from `first` to `at`, "On ... wrote:" and its like take that ends at `at`; or 0."""
    last = lines[at].strip(BLANK)
    if last == INTRODUCTION:
        return 1
    if not (last[-1:] in _LAST or (last[:4].isdigit() and last[4:5] in ("-", "/")) or last.endswith(_ENDS)):
        return 0
    found, joined = 0, ""
    for size in range(1, min(_WRAPPED, at - first + 1) + 1):
        line = lines[at - size + 1][:_LONGEST].strip(BLANK)
        if size > 1 and (line.startswith(">") or line.endswith(":") or (not line and not joined.startswith("<"))):
            break
        joined = f"{line} {joined}".strip()
        starts_paragraph = size == at - first + 1 or not lines[at - size].strip(BLANK)
        if (_OPENING.match(line) or size == 1 or (starts_paragraph and not found)) and _introduces(joined):
            found = size
    return found or int(_above_quote(lines, at) and _names_author(last))


def _above_quote(lines: list[str], at: int) -> bool:
    """Whether what stands below is marked as quoted."""
    below = lines[at + 1 : at + 3]
    return any(is_quoted(line) for line in below[: 1 if below and below[0].strip(BLANK) else 2])


def _names_author(line: str) -> bool:
    """What introduces a quote if one stands below: "Mary wrote:", "Mary wrote on 1 May 2023:", "Quoting Mary:"."""
    if len(line) > _LONGEST or line[-1] not in ":\uff1a" or _MYSELF.search(line):
        return False
    if _ends_in_verb(line):
        return len(line.split()) <= _NAMED
    return _QUOTING.match(line) is not None or (_DAY.search(line) is not None and _WROTE.search(line) is not None)


def _introduces(joined: str) -> bool:
    if len(joined) > _LONGEST or _ISO_DATED.match(joined):
        return len(joined) <= _LONGEST
    addressed = "@" in joined and _ADDRESS.search(joined) is not None
    if _ends_in_verb(joined) and not _MYSELF.search(joined):
        opened = _OPENING.match(joined) is not None
        return addressed or (opened and _WHEN.search(joined) is not None) or _DAY.search(joined) is not None
    dated = joined.endswith(":") and _OPENING.match(joined) and _DAY.search(joined) and _HOUR.search(joined)
    if not (dated or (addressed and _WHEN.search(joined))):
        return False
    lower = joined.lower()
    if any(verb in lower for verb in _VERBS) and _WROTE.search(joined):
        return True  # "Am 1.5.2023 um 10:00 schrieb Mary:" has no address, but is dated to the minute
    if not addressed:
        return False
    return (
        joined.rstrip("*_ ").endswith((":", "\uff1a")) and bool(_BRACKETED.search(joined)) and not _FIELD.match(joined)
    )


def _ends_in_verb(joined: str) -> bool:
    end = joined.rstrip(_AFTER_VERB).lower()
    if not end.endswith(_VERBS):
        return False
    verb = next(verb for verb in _VERBS if end.endswith(verb))
    return not verb[0].isascii() or not end[: -len(verb)][-1:].isalpha()  # "rewrote" is none
