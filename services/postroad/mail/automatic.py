"""Mail that no person wrote (RFC 3834, and what was in use before it): two degrees, rule L7."""

import re
from dataclasses import dataclass
from typing import Literal

from postroad.mail.header import Headers
from postroad.mail.parameter import token

Degree = Literal["answer", "made"]

_AUTO_SUBMITTED: dict[str, Degree] = {
    "auto-replied": "answer",
    "auto-generated": "made",
    "auto-notified": "made",  # RFC 5436 2.7.1
}
_PRECEDENCE: dict[str, Degree] = {
    "auto_reply": "answer",
    "auto-reply": "answer",
    "bulk": "made",
    "list": "made",
    "junk": "made",
}
_ANSWERING = (
    "x-autoreply",
    "x-auto-reply",
    "x-autorespond",
    "x-auto-respond",
    "x-autoresponder",
    "x-auto-responder",
    "x-autoresponse",
    "x-auto-response",
    "x-autoreply-from",
    "x-mail-autoreply",
)
_NO = ("no", "false", "0")
_NOTICES = {"all", "autoreply", "oof", "ndr"}


@dataclass(frozen=True, slots=True)
class Automatic:
    """`answer`: a machine answers; it opens no record. `made`: a machine wrote it. The reason names the sign."""

    degree: Degree
    reason: str


def automatic(headers: Headers, reverse_path: str | None) -> Automatic | None:
    """The strongest sign, or None. `reverse_path` is MAIL FROM: "" is the null one and a sign, None says nothing."""
    signs = list(_signs(headers))
    if reverse_path == "":
        signs.append(Automatic("answer", "null reverse-path"))
    return next((sign for sign in signs if sign.degree == "answer"), signs[0] if signs else None)


def suppresses_notices(headers: Headers) -> bool:
    """Whether X-Auto-Response-Suppress asks for no answers by machine; it says nothing of the mail itself."""
    fields = headers.all_unfolded("x-auto-response-suppress")
    return any(word in _NOTICES for field in fields for word in re.split(r"[\s,;]+", field.lower()))


def _signs(headers: Headers) -> list[Automatic]:
    signs = []
    for field in headers.all_unfolded("auto-submitted"):
        word = token(field)
        # RFC 3834 5.2: any word but "no" says automatic; one that we do not know is the weaker degree.
        if word and word != "no":
            signs.append(Automatic(_AUTO_SUBMITTED.get(word, "made"), f"Auto-Submitted: {word}"))
    signs.extend(
        Automatic("answer", name.title())
        for name in _ANSWERING
        if name in headers and any(field.lower() not in _NO for field in headers.all_unfolded(name))
    )
    signs.extend(
        Automatic(degree, f"Precedence: {word}")
        for word in map(token, headers.all_unfolded("precedence"))
        if (degree := _PRECEDENCE.get(word)) is not None
    )
    if headers.unfolded("list-id"):
        signs.append(Automatic("made", "List-Id"))
    return signs
