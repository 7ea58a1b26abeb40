"""The words of a notice itself: which part holds them, and where the message that came back begins."""

import re
from collections.abc import Iterable, Iterator

from postroad.mail.bounce.phrase import flat
from postroad.mail.bounce.words import COPY
from postroad.mail.entity import Entity
from postroad.mail.html_text import html_to_text

MAX_TEXT = 1 << 20
"""Characters read of a notice's text; those of 5,000 recipients fit in."""
MAX_LINE = 2_000

_MAX_PARTS = 4
RETURNED = (
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global-headers",
    "message/partial",
)
"""Types under which the message that came back, or its header, stands."""

_MARKS = "-=*#~_|+<>.[]\u3000 \t\u2014\u2013\u2500"
_COPY = re.compile("|".join(f"(?:{pattern})" for pattern in COPY))
# Fields at the margin that no notice has, and many a returned message begins with.
_PASTED = re.compile(
    r">? ?(?:received: (?:from|by|\(|via)|return-path: ?<|dkim-signature:|x-received: by|from \S+@\S+ +\w{3} \w{3} )"
)
_PASTED_HEADS = "> rdxf"
_LONGEST = 300  # characters of a line that may say that the copy begins, with all its marks
_FIELDS = re.compile(
    r"^[ \t>]*(?:Reporting-MTA|Final-Recipient|Original-Recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_SPELLED = ("-Recipient", "-recipient", "-RECIPIENT", "Reporting-MTA", "reporting-mta")  # before the whole is searched
_TAG = re.compile(r"</?(?:br|p|div|html|body|table|td|font|a|b|span|pre|head)\b", re.IGNORECASE)
_ADMINISTRATOR = re.compile(r"postmaster|mailer-daemon", re.IGNORECASE)
_FIRST_FIELD = 1 << 14  # characters in which fields begin, if there are any
_LOOKED = 4_000  # characters in which a tag is looked for
_PIECE = 4_000  # characters divided into lines at a time: below the notice's own words may stand a long message


def words_of(parts: Iterable[Entity]) -> Iterator[str]:
    """The text of each part that may be the notice's own, in order; none after the message that came back."""
    read = 0
    for part in parts:
        if (
            part.is_message
            and not read
            and part.children
            and _ADMINISTRATOR.search(part.children[0].headers.unfolded("from"))
        ):
            yield from words_of(part.children[0].leaves(into_messages=False))  # a notice that a filter has wrapped
            return
        if part.is_message or part.declared in RETURNED or read >= _MAX_PARTS:
            return
        if part.type not in ("text/plain", "text/html") or part.disposition == "attachment":
            continue
        read += 1
        text = part.text[:MAX_TEXT]
        yield html_to_text(text) if _is_html(part.type, text) else text


def _is_html(type_: str, text: str) -> bool:
    if type_ != "text/html" and text[:_LOOKED].lstrip()[:6].lower() != "<html>":
        return False
    return _TAG.search(text, 0, _LOOKED) is not None


def own_lines(text: str) -> tuple[list[str], list[str]]:
    """The lines before the copy of the message, as they stand and flat; all where nothing says that there is one."""
    lines, flats = list[str](), list[str]()
    for line in _lines(text):
        folded = flat(line)
        if folded:
            if folded[0] in _PASTED_HEADS and line[0] not in " \t" and _PASTED.match(folded):
                break
            if lines and len(folded) < _LONGEST and 4 < len(bare := folded.strip(_MARKS)) < 160 and _COPY.match(bare):
                break
        lines.append(line)
        flats.append(folded)
    return lines, flats


def _lines(text: str) -> Iterator[str]:
    at = 0
    while at >= 0:
        end = text.find("\n", at + _PIECE)
        piece = text[at:end] if end >= 0 else text[at:]
        for line in piece.split("\n"):
            yield line[:MAX_LINE] if len(line) > MAX_LINE else line
        at = end + 1 if end >= 0 else -1


def returned_text(text: str) -> str:
    """What stands below the notice's own words and the line that says so."""
    lines = text[:MAX_TEXT].split("\n")
    own = len(own_lines(text[:MAX_TEXT])[0])
    rest = lines[own:] if own < len(lines) and _PASTED.match(lines[own].lower()) else lines[own + 1 :]
    return "\n".join(rest).lstrip("\n")


def pasted_fields(text: str) -> bytes:
    """The fields of a delivery status (RFC 3464) that stand in the text, from their first on; b"" when none do."""
    found = None
    if any(text.find(name, 0, _FIRST_FIELD) >= 0 for name in _SPELLED):
        found = _FIELDS.search(text, 0, _FIRST_FIELD)
    return text[found.start() :].encode("utf-8", "replace") if found else b""
