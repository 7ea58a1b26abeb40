"""Why a mail was not taken: one word of a fixed list, from a server's words, its status and its reply code (P6)."""

import re
from functools import lru_cache
from typing import Literal

from postroad.mail.bounce.phrase import Phrases, flat
from postroad.mail.bounce.reasons import PHRASES, REFUSALS, REPLY, STATUS, Reason

_READ = 2_000  # characters
_REASONS = Phrases[Reason | Literal["refused"]]([*PHRASES, ("refused", REFUSALS)])
# Addresses of help pages name what may be the matter, not what is; so do names of people and machines.
_ATOM = r"[!-';=?A-~*-/0-9]"
_NAMES = re.compile(rf"(?<!{_ATOM}){_ATOM}{{1,128}}+@{_ATOM}{{1,128}}|https?://\S+|\[[\w:.-]*\.[\w:.-]*\]")
_PARTICULAR = (1, 6, 7)  # subjects of a status that say more than a mere refusal: the address, content, security
_CONTINUED = re.compile(r"[245]\d\d-(?:[245]\.\d{1,3}\.\d{1,3})?$")  # continuation lines, joined
_BRACKETS = " <>"
_COMMAND = re.compile(r"\(in reply to [^()]{0,40}\)")


def reason_of(text: str, subject_detail: tuple[int, int] | None = None, reply: int | None = None) -> Reason:
    """The words first, because they are the most particular; then the status (RFC 3463), then the reply code."""
    said = _said(text)
    if said is not None and said != "refused":
        return said
    coded = STATUS.get(subject_detail, "other") if subject_detail else "other"
    if said == "refused":
        return coded if coded != "other" and subject_detail and subject_detail[0] in _PARTICULAR else "policy"
    return coded if coded != "other" else REPLY.get(reply or 0, "other")


def worded(text: str) -> Reason | None:
    """What the words alone say, or None."""
    said = _said(text)
    return "policy" if said == "refused" else said


@lru_cache(maxsize=16)  # the same words are asked about several times while one mail is read
def _said(text: str) -> Reason | Literal["refused"] | None:
    return _REASONS.first(_plain(flat(text[:_READ])))


def _plain(text: str) -> str:
    """A flat text without names and numbers that read like words of refusal."""
    words = [
        _NAMES.sub(" ", word).strip(_BRACKETS) if "@" in word or "[" in word or "://" in word else word
        for word in text.split(" ")
        if word[3:4] != "-" or not _CONTINUED.match(word)
    ]
    joined = " ".join(filter(None, words))
    return _COMMAND.sub(" ", joined) if "(in reply to" in joined else joined
