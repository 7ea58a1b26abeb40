"""What a mail's header says of its kind, before a word of its text is read (P1, P4, RFC 3834)."""

from dataclasses import dataclass

from postroad.mail.address import bare_address, mailboxes
from postroad.mail.automatic import automatic
from postroad.mail.bounce.phrase import flat
from postroad.mail.bounce.words import (
    ANSWERS,
    COMPLAINERS,
    COMPLAINT_SUBJECTS,
    DAEMON_NAMES,
    DAEMONS,
    DELAY_SUBJECTS,
    RECEIPTS,
    SUBJECTS,
)
from postroad.mail.header import Headers

_REPLIES = (
    "re:",
    "re :",
    "aw:",
    "antw:",
    "sv:",
    "vs:",
    "fw:",
    "fwd:",
    "wg:",
    "tr:",
    "rv:",
    "enc:",
    "i:",
    "回复",
    "答复",
    "转发",
)
_NEAR = 24  # characters: what follows "Re:" that soon is the subject of the mail that it answers


@dataclass(frozen=True, slots=True)
class Signs:
    """Each is one reason to take the mail for a notice, but for the last four."""

    daemon: bool  # the author is a mail system
    subject: bool  # speaks of a failure or a delay
    null: bool  # the null reverse-path
    named: tuple[str, ...]  # X-Failed-Recipients
    typed: bool  # multipart/report, or a type that says delivery-status
    answer: bool  # made in answer to a mail, of no mail system
    receipt: bool
    complaint: bool
    delay: bool  # the subject speaks of a delay


def signs_of(headers: Headers) -> Signs:
    author = headers.unfolded("from")
    subject = flat(headers.text("subject"))
    content_type = headers.unfolded("content-type").lower()
    typed = "multipart/report" in content_type or "delivery-status" in content_type
    failing = _says_failed(subject)
    found = mailboxes(author)
    named = tuple(
        address
        for value in headers.all_unfolded("x-failed-recipients")
        for word in value.replace(";", ",").split(",")
        if (address := bare_address(word))
    )
    daemon = _is_daemon(author, [box.address for box in found], typed=typed)
    sent = headers.unfolded("return-path").replace(" ", "")
    made = automatic(headers, None)
    return Signs(
        daemon=daemon,
        subject=failing,
        null=sent == "<>" or sent.lower().startswith("<mailer-daemon"),
        named=named,
        typed=typed,
        answer=(made is not None and made.degree == "answer") or any(word in subject for word in ANSWERS),
        receipt=subject.startswith(RECEIPTS),
        complaint=any(box.address.lower() in COMPLAINERS for box in found)
        or "x-hmxmroriginalrecipient" in headers
        or any(word in subject for word in COMPLAINT_SUBJECTS),
        delay=any(word in subject for word in DELAY_SUBJECTS),
    )


def _says_failed(subject: str) -> bool:
    at = min((found for word in SUBJECTS if (found := subject.find(word)) >= 0), default=-1)
    return at >= 0 and not (subject.startswith(_REPLIES) and at < _NEAR)


def _is_daemon(author: str, addresses: list[str], *, typed: bool) -> bool:
    if not author.strip():
        return typed
    local = addresses[0].rpartition("@")[0].lower() if addresses else author.partition("@")[0].strip(' "<>').lower()
    if local.strip('"').startswith(("mailer-daemon", "postmaster")) or local.strip('"') in DAEMONS:
        return True
    words = flat(author)
    return any(name in words for name in DAEMON_NAMES)
