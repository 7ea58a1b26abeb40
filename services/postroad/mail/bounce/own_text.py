"""The words of a notice itself: which part holds them, and where the message that came back begins."""

import re
from collections.abc import Iterator

from postroad.mail.bounce.words import COPY
from postroad.mail.entity import Entity
from postroad.mail.html_text import html_to_text

MAX_TEXT = 1 << 20
"""Characters read of a notice's text; those of 5,000 recipients fit in."""
MAX_LINE = 2_000

_MAX_PARTS = 4
_RETURNED = ("text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers")
_MARKS = "-=*#~_|+<>.[]\u3000 \t\u2014\u2013\u2500"
_COPY = re.compile("|".join(f"(?:{pattern})" for pattern in COPY))
# Fields at the margin that no notice has, and many a returned message begins with.
_PASTED = re.compile(
    r">? ?(?:received: (?:from|by|\(|via)|return-path: ?<|dkim-signature:|x-received: by|from \S+@\S+ +\w{3} \w{3} )"
)
_FIELDS = re.compile(
    r"^[ \t>]*(?:Reporting-MTA|Final-Recipient|Original-Recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_TAG = re.compile(r"</?(?:br|p|div|html|body|table|td|font|a|b|span|pre|head)\b", re.IGNORECASE)
_ADMINISTRATOR = re.compile(r"postmaster|mailer-daemon", re.IGNORECASE)
_LOOKED = 4_000  # characters in which a tag is looked for


def words_of(root: Entity) -> Iterator[str]:
    """The text of each part that may be the notice's own, in order; none after the message that came back."""
    read = 0
    for part in root.leaves(into_messages=False):
        if (
            part.is_message
            and not read
            and part.children
            and _ADMINISTRATOR.search(part.children[0].headers.unfolded("from"))
        ):
            yield from words_of(part.children[0])  # a notice that a filter has wrapped
            return
        if part.is_message or part.declared in _RETURNED or read >= _MAX_PARTS:
            return
        if part.type not in ("text/plain", "text/html") or part.disposition == "attachment":
            continue
        read += 1
        text = part.text[:MAX_TEXT]
        yield html_to_text(text) if _is_html(part.type, text) else text


def _is_html(type_: str, text: str) -> bool:
    return _TAG.search(text[:_LOOKED]) is not None and (type_ == "text/html" or text.lstrip()[:6].lower() == "<html>")


def own_lines(text: str) -> list[str]:
    """The lines before the copy of the message; all of them where nothing says that there is one."""
    lines = [line[:MAX_LINE] for line in text.split("\n")]
    for at, line in enumerate(lines):
        if not line or line.isspace():
            continue
        lower = line.lower()
        if _PASTED.match(lower):
            return lines[:at]
        bare = lower.strip(_MARKS + "\r")
        if 4 < len(bare) < 160 and at and _COPY.match(bare):
            return lines[:at]
    return lines


def pasted_fields(text: str) -> bytes:
    """The fields of a delivery status (RFC 3464) that stand in the text, from their first on; b"" when none do."""
    found = _FIELDS.search(text)
    return text[found.start() :].encode("utf-8", "replace") if found else b""
