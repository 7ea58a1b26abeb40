"""What a failure means: permanent, temporary, and whether the address is dead (RFC 3463, RFC 5321 4.2.1; P6)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from postroad.mail.bounce.classify import reason_of
from postroad.mail.bounce.codes import refusal_in, status_in
from postroad.mail.bounce.reasons import HARD, PASSING, RETRIED, Reason

Permanence = Literal["permanent", "temporary", "none", "unknown"]

_REPLY = re.compile(r"[245][0-5]\d(?<![\d.]...)(?=[ \-]|$)")
_NO_FAILURE = ("delivered", "relayed", "expanded")
_CLASS: dict[int, Permanence] = {2: "none", 4: "temporary", 5: "permanent"}

# RFC 3463 3.2-3.5 and RFC 5248: no such user or host, bad syntax, moved away, null MX (RFC 7505), disabled, no route.
_HARD = {(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1), (4, 4)}
# Too vague to say what is the matter: "other or undefined", and policy answers that hide the reason.
_VAGUE = {(0, 0), (0, 1), (1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (5, 0), (7, 0), (7, 1)}
_READ = 4_000  # characters of a diagnostic that are read


@dataclass(frozen=True, slots=True)
class EnhancedStatus:
    """RFC 3463 2: class.subject.detail."""

    class_: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return f"{self.class_}.{self.subject}.{self.detail}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one recipient's report says: `none` is no failure (delivered, or a warning of delay)."""

    permanence: Permanence
    hard: bool = False
    reason: Reason = "other"
    status: EnhancedStatus | None = None  # the most precise that is told


def parse_status(text: str) -> EnhancedStatus | None:
    """The first enhanced status code in a field or a server's words, or None."""
    return _enhanced(found) if (found := status_in(text[:_READ])) else None


@lru_cache(maxsize=256)
def _enhanced(status: str) -> EnhancedStatus:
    class_, subject, detail = map(int, status.split("."))
    return EnhancedStatus(class_, subject, detail)


def reply_code(text: str) -> int | None:
    """The first SMTP reply code (RFC 5321 4.2) in a server's words, or None."""
    match = _REPLY.search(text[:_READ])
    return int(match[0]) if match else None


def judge(status: str = "", reply: int | None = None, action: str = "", text: str = "") -> Verdict:
    """Permanent, temporary or no failure; hard: the address itself is dead; and the reason.

    The class of the enhanced status decides first, then the reply code, then the words. `status` is Status of RFC 3464
    2.3.4, `action` its 2.3.3, `text` the diagnostic. A vague status (5.0.0) is made precise by one in the diagnostic.
    """
    text = text[:_READ]
    known = _precise(parse_status(status), parse_status(text))
    code = reply if reply is not None else refusal_in(text) or reply_code(text)
    reason = reason_of(text, (known.subject, known.detail) if known else None, code)
    if action in ("delayed", *_NO_FAILURE):
        return Verdict("none", reason=reason, status=known)
    permanence = _CLASS[known.class_] if known else _CLASS.get((code or 0) // 100, "unknown")
    if permanence == "unknown":
        permanence = _by_words(text, action, reason)
    return Verdict(permanence, permanence == "permanent" and _is_hard(known, reason), reason, known)


def _precise(stated: EnhancedStatus | None, found: EnhancedStatus | None) -> EnhancedStatus | None:
    if stated is None or found is None or (stated.subject, stated.detail) not in _VAGUE:
        return stated or found
    return found if found.class_ == stated.class_ else stated


def _by_words(text: str, action: str, reason: Reason) -> Permanence:
    if reason in HARD:
        return "permanent"
    if reason in PASSING or any(word in text.lower() for word in RETRIED):
        return "temporary"
    return "permanent" if action == "failed" or reason != "other" else "unknown"


def _is_hard(status: EnhancedStatus | None, reason: Reason) -> bool:
    if status is not None and (status.subject, status.detail) not in _VAGUE:
        return (status.subject, status.detail) in _HARD
    return reason in HARD
