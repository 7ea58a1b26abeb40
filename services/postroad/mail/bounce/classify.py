"""Why a mail was not taken: one word of a fixed list, from a server's words, its status and its reply code (P6)."""

import re
from functools import lru_cache

from postroad.mail.bounce.phrase import Phrases, flat
from postroad.mail.bounce.reasons import PHRASES, REPLY, STATUS, Reason

_READ = 2_000  # characters
_REASONS = Phrases(PHRASES)
# Addresses of help pages name what may be the matter, not what is; so do names of people and machines.
_NAMES = re.compile(r"[!-';=?A-~*-/0-9]{1,128}@[!-';=?A-~*-/0-9]{1,128}|https?://\S+|\[[\w:.-]*\.[\w:.-]*\]")
_CONTINUED = re.compile(r"[245]\d\d-(?:[245]\.\d{1,3}\.\d{1,3})?$")  # continuation lines, joined
_COMMAND = re.compile(r"\(in reply to [^()]{0,40}\)")


def reason_of(text: str, subject_detail: tuple[int, int] | None = None, reply: int | None = None) -> Reason:
    """The words first, because they are the most particular; then the status (RFC 3463), then the reply code."""
    return worded(text) or STATUS.get(subject_detail or (-1, -1)) or REPLY.get(reply or 0) or "other"


@lru_cache(maxsize=16)  # the same words are asked about several times while one mail is read
def worded(text: str) -> Reason | None:
    """What the words alone say, or None."""
    found = _REASONS.first(_plain(flat(text[:_READ])))
    return found if found != "other" else None


def _plain(text: str) -> str:
    """A flat text without names and numbers that read like words of refusal."""
    words = list[str]()
    for word in text.split(" "):
        if "@" in word or "[" in word or "://" in word:
            words.append(_NAMES.sub(" ", word))
        elif word[3:4] != "-" or not _CONTINUED.match(word):
            words.append(word)
    joined = " ".join(words)
    return _COMMAND.sub(" ", joined) if "(in reply to" in joined else joined
