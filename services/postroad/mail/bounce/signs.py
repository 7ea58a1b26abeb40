"""What a mail's header says of its kind, before a word of its text is read (P1, P4, RFC 3834)."""

from dataclasses import dataclass

from postroad.mail.address import Mailbox, bare_address, mailboxes
from postroad.mail.automatic import automatic
from postroad.mail.bounce.phrase import Phrases, flat
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
_SAYS = Phrases(
    [("failing", SUBJECTS), ("answer", ANSWERS), ("complaint", COMPLAINT_SUBJECTS), ("delay", DELAY_SUBJECTS)]
)
_NAMES = Phrases([(True, DAEMON_NAMES)])
_NEAR = 24  # characters: what follows "Re:" that soon is the subject of the mail that it answers


@dataclass(frozen=True, slots=True)
class Signs:
    """Each is one reason to take the mail for a notice, but for the author and the last five."""

    author: tuple[Mailbox, ...]
    daemon: bool  # the author is a mail system, and its subject that of no mere answer
    subject: bool  # speaks of a failure or a delay
    null: bool  # the null reverse-path
    named: tuple[str, ...]  # X-Failed-Recipients
    typed: bool  # multipart/report, or a type that says delivery-status
    answer: bool  # made in answer to a mail, of no mail system
    reply: bool  # its subject is that of an answer
    receipt: bool
    complaint: bool
    delay: bool  # the subject speaks of a delay


def signs_of(headers: Headers, *, null: bool = False) -> Signs:
    """`null`: the envelope had the null reverse-path, whatever Return-Path says."""
    author = headers.unfolded("from")
    found = mailboxes(author)
    subject = flat(headers.text("subject"))
    found_at = [(sign, at) for at, sign in _SAYS.each(subject)]
    says = dict(sorted(found_at, reverse=True))  # each sign, where it stands first
    content_type = headers.unfolded("content-type").lower()
    typed = "multipart/report" in content_type or "delivery-status" in content_type
    sent = headers.unfolded("return-path").replace(" ", "")
    made = automatic(headers, None)
    fails = _says_failed(subject, says.get("failing", -1))
    return Signs(
        author=found,
        daemon=(fails or "answer" not in says) and _is_daemon(author, found, typed=typed),
        subject=fails,
        null=null or sent == "<>" or sent.lower().startswith("<mailer-daemon"),
        named=_named(headers) if "x-failed-recipients" in headers else (),
        typed=typed,
        answer=(made is not None and made.degree == "answer") or "answer" in says,
        reply=subject.startswith(_REPLIES),
        receipt=subject.startswith(RECEIPTS),
        complaint="complaint" in says
        or "x-hmxmroriginalrecipient" in headers
        or any(box.address.lower() in COMPLAINERS for box in found),
        delay="delay" in says,
    )


def _named(headers: Headers) -> tuple[str, ...]:
    return tuple(
        address
        for value in headers.all_unfolded("x-failed-recipients")
        for word in value.replace(";", ",").split(",")
        if (address := bare_address(word))
    )


def _says_failed(subject: str, at: int) -> bool:
    return at >= 0 and not (subject.startswith(_REPLIES) and at < _NEAR)


def _is_daemon(author: str, found: tuple[Mailbox, ...], *, typed: bool) -> bool:
    if not author.strip(' "<>'):
        return typed or "<>" in author
    return is_mail_system(found[0].address if found else author) or _NAMES.first(flat(author)) is True


def is_mail_system(address: str) -> bool:
    """By its local part alone; a display name anybody may take."""
    local = address.rpartition("@")[0] or address
    local = local.strip(' "<>').lower()
    return local.startswith(("mailer-daemon", "postmaster")) or local in DAEMONS
