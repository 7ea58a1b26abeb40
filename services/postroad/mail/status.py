"""What a failure means: permanent, temporary, and whether the address is dead (RFC 3463, RFC 5321 4.2.1; P6)."""

import re
from dataclasses import dataclass
from typing import Literal

Permanence = Literal["permanent", "temporary", "none", "unknown"]

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.])([245][0-5]\d)(?=[ \-]|$)")
_NO_FAILURE = ("delivered", "relayed", "expanded")
_CLASS: dict[int, Permanence] = {2: "none", 4: "temporary", 5: "permanent"}

# RFC 3463 3.2-3.5 and RFC 5248: no such user or host, bad syntax, moved away, null MX (RFC 7505), disabled, no route.
_HARD = {(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1), (4, 4)}
# Too vague to say what is the matter: "other or undefined", and policy answers that hide the reason.
_VAGUE = {(0, 0), (1, 0), (2, 0), (4, 0), (5, 0), (7, 0), (7, 1)}

_SUBJECT = r"(?:user|recipient|mailbox|account|address|domain|host)s?"
_HARD_WORDS = re.compile(
    "|".join(
        (
            r"(?:user|address|recipient) unknown|unknown (?:user|recipient|local part|address)",
            r"no such (?:user|recipient|mailbox|address|person|domain|host)",
            rf"{_SUBJECT} (?:is |was |does |could |can)?(?:not (?:found|exist|known|be found)|unknown|invalid)",
            rf"{_SUBJECT} (?:is |was |has been )?(?:disabled|inactive|suspended|deactivated|closed|not available)",
            r"does(?:n't| not) (?:exist|have an? \S{1,40} account)|unroute?able address",
            r"(?:invalid|bad|unknown) (?:recipient|mailbox|user|address|destination)",
            r"no longer (?:active|available|valid|in use|works?)|no mailbox here|not our customer",
        )
    ),
    re.IGNORECASE,
)
_SOFT_WORDS = re.compile(
    "|".join(
        (
            r"quota|mailbox (?:is )?full|full mailbox|insufficient (?:storage|disk|system)|too (?:many|large|big)",
            r"try again|temporar|greylist|rate limit|deferred|timed? ?out|will be retried|still being (?:re)?tried",
            r"connection (?:refused|reset|dropped|lost)",
        )
    ),
    re.IGNORECASE,
)
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


def parse_status(text: str) -> EnhancedStatus | None:
    """The first enhanced status code in a field or a server's words, or None."""
    match = _STATUS.search(text[:_READ])
    return EnhancedStatus(int(match[1]), int(match[2]), int(match[3])) if match else None


def reply_code(text: str) -> int | None:
    """The first SMTP reply code (RFC 5321 4.2) in a server's words, or None."""
    match = _REPLY.search(text[:_READ])
    return int(match[1]) if match else None


def judge(status: str = "", reply: int | None = None, action: str = "", text: str = "") -> Verdict:
    """Permanent, temporary or no failure; and hard: the address itself is dead.

    The class of the enhanced status decides first, then the reply code, then the words. `status` is Status of RFC 3464
    2.3.4, `action` its 2.3.3, `text` the diagnostic. A vague status (5.0.0) is made precise by one in the diagnostic.
    """
    if action in ("delayed", *_NO_FAILURE):
        return Verdict("none")
    text = text[:_READ]
    known = _precise(parse_status(status), parse_status(text))
    code = reply if reply is not None else reply_code(text)
    permanence = _CLASS[known.class_] if known else _CLASS.get((code or 0) // 100, "unknown")
    if permanence == "unknown":
        permanence = _by_words(text, action)
    return Verdict(permanence, permanence == "permanent" and _is_hard(known, text))


def _precise(stated: EnhancedStatus | None, found: EnhancedStatus | None) -> EnhancedStatus | None:
    if stated is None or found is None or (stated.subject, stated.detail) not in _VAGUE:
        return stated or found
    return found if found.class_ == stated.class_ else stated


def _by_words(text: str, action: str) -> Permanence:
    if _SOFT_WORDS.search(text):
        return "temporary"
    return "permanent" if action == "failed" or _HARD_WORDS.search(text) else "unknown"


def _is_hard(status: EnhancedStatus | None, text: str) -> bool:
    if status is not None and (status.subject, status.detail) not in _VAGUE:
        return (status.subject, status.detail) in _HARD
    return _HARD_WORDS.search(text) is not None and _SOFT_WORDS.search(text) is None
