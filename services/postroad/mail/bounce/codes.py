"""Codes in a server's words: enhanced statuses (RFC 3463) and refusing replies (RFC 5321 4.2), however they are put."""

import re

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
_REPLY = re.compile(r"[45][0-5]\d(?=[\s\-:;,.'\")\]#]|$)(?!\.\d)")
_BEFORE_REPLY = frozenset(" \t\r\n[('\"<:=#-")
_PLACED = re.compile(r"(?:(?<![\d.])[245]\d\d[ -]#?|[#(\[]|\bDSN |\bcode:? |^)$", re.IGNORECASE)
_ANY = re.compile(r"[245](?:\.\d|\d\d)")
_LONGEST = 8  # characters of what gives a status its place


def status_in(text: str) -> str:
    """The first refusing status behind a reply code, a bracket or "#", the first other there where a talk holds none.

    Else the first at all, which may be a version.
    """
    first = agreed = ""
    for match in _STATUS.finditer(text):
        at = match.start()
        if at and (text[at - 1] == "." or text[at - 1].isdigit()):
            continue
        if _PLACED.search(text[max(at - _LONGEST, 0) : at]):
            if match[0][0] != "2":
                return match[0]
            agreed = agreed or match[0]
        first = first or match[0]
    return agreed or first


def refusal_in(text: str) -> int | None:
    """The first 4yz or 5yz: `550`, `[550]`, `'554`, `552:`."""
    for match in _REPLY.finditer(text):
        if match.start() == 0 or text[match.start() - 1] in _BEFORE_REPLY:
            return int(match[0])
    return None


def coded(text: str) -> bool:
    """Whether a code of either kind stands in the words."""
    if not _ANY.search(text):
        return False
    return refusal_in(text) is not None or status_in(text).startswith(("4", "5"))
