"""Paragraphs that a mail program has wrapped, put together again (RFC 3676, format=flowed)."""

import re

_QUOTES = re.compile(r">*")
_SIGNATURE = "-- "  # RFC 3676 4.3: no wrapped line, for all its blank


def unwrapped(lines: list[str], *, delsp: bool) -> list[str]:
    """The lines as they were before they were wrapped and stuffed; blanks at their ends removed.

    `delsp`: the blank that marks a wrapped line is no part of the text (DelSp=yes), as in languages without blanks.
    """
    paragraphs: list[str] = []
    pieces: list[str] = []
    depth = 0
    for line in lines:
        quotes = len(_QUOTES.match(line)[0])  # type: ignore[index]
        words = line[quotes:].removeprefix(" ")  # RFC 3676 4.4: stuffed
        goes_on = words.endswith(" ") and words != _SIGNATURE
        if pieces and (quotes != depth or words in ("", _SIGNATURE)):
            paragraphs.append(_joined(pieces, depth))
            pieces = []
        depth = quotes
        pieces.append(words[:-1] if goes_on and delsp else words)
        if not goes_on:
            paragraphs.append(_joined(pieces, depth))
            pieces = []
    return [*paragraphs, _joined(pieces, depth)] if pieces else paragraphs


def _joined(pieces: list[str], depth: int) -> str:
    words = "".join(pieces).rstrip()
    return f"{'>' * depth} {words}".rstrip() if depth else words
