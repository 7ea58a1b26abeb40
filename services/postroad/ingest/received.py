"""From what a mail says to the event that says so. Pure: the same mail and acceptance give the same event."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from postroad.ingest.bounds import bounded, usable, with_report
from postroad.mail.address import Mailbox as Parsed
from postroad.mail.address import normalise
from postroad.mail.automatic import automatic
from postroad.mail.parse import Mail
from postroad.mail.report import Report as ParsedReport
from postroad.mail.report import read_report
from postroad.views.directory import Directory, Kind
from postroad_schemas import event_id
from postroad_schemas.mail import Door, MailReceived, Report, ReportedRecipient, ReportKind
from postroad_schemas.values import (
    Attachment,
    Automatic,
    Contents,
    Degree,
    Envelope,
    Mailbox,
    ObjectRef,
    Verdict,
)

ORIGINAL = "original_email.eml"  # M9


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the door knows."""

    event_id: str
    at: datetime  # UTC, the time of receipt
    door: Door
    envelope: Envelope
    peer: str = ""
    mailbox: str = ""
    record_type: str = ""
    trusted_authserv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the bytes are."""

    raw: ObjectRef
    text: ObjectRef | None = None
    html: ObjectRef | None = None
    reply: ObjectRef | None = None
    attachments: tuple[ObjectRef, ...] = ()
    original: ObjectRef | None = None


def received(mail: Mail, stored: Stored, acceptance: Acceptance, directory: Directory) -> MailReceived:
    event = described(mail, stored, acceptance)
    return with_report(event, as_report(mail, acceptance)) if about_another(event, directory) else event


def about_another(event: MailReceived, directory: Directory) -> bool:
    """P1: whether it came to a bounce address without looking like a report, which it is then all the same."""
    if event.report is not None:
        return False
    to_like = {normalise(address) for address in event.envelope.rcpt_to or ()}
    to_like -= {normalise(box.address) for box in event.cc}
    to_like |= {normalise(box.address) for box in (*event.to, *event.delivered_to)}
    found = map(directory.ours, to_like)
    return any(ours and ours.kind is Kind.BOUNCE for ours in found)


def as_report(mail: Mail, acceptance: Acceptance) -> Report:
    """What the mail says if it is one, as one that came to a bounce address."""
    return _report(read_report(mail.root, returned=True, null=acceptance.envelope.mail_from == ""))


def described(mail: Mail, stored: Stored, acceptance: Acceptance) -> MailReceived:
    """All that the mail says by itself; a report only if it looks like one (P1)."""
    reverse_path = acceptance.envelope.mail_from
    if reverse_path is None:
        reverse_path = mail.return_path
    author = mail.from_[0] if mail.from_ else None
    message_id = usable(mail.message_id)
    event = MailReceived(
        event_id=acceptance.event_id,
        occurred_at=acceptance.at,
        trace_id=acceptance.event_id,
        door=acceptance.door,
        mailbox=acceptance.mailbox,
        record_type=acceptance.record_type,
        peer=acceptance.peer,
        envelope=acceptance.envelope,
        message_id=message_id or mail.derived_id,
        message_id_derived=not message_id,
        raw=stored.raw,
        author=_mailbox(author) if author else None,
        from_=_mailboxes(mail.from_),
        sender=_mailboxes(mail.sender),
        reply_to=_mailboxes(mail.reply_to),
        return_path=mail.return_path,
        to=_mailboxes(mail.to),
        cc=_mailboxes(mail.cc),
        delivered_to=_mailboxes(mail.delivered_to),
        resent_to=_mailboxes(mail.resent_to),
        resent_cc=_mailboxes(mail.resent_cc),
        subject=mail.subject,
        date=mail.date,
        references=mail.references,
        in_reply_to=mail.in_reply_to,
        automatic=_automatic(mail, reverse_path),
        suppress_notices=mail.suppress_notices,
        list_id=mail.list_id,
        verdict=_verdict(mail, acceptance.trusted_authserv),
        contents=_contents(mail, stored),
        original=stored.original,
        fingerprint=fingerprint(mail),
        report=_report(mail.report) if mail.report else None,
    )
    return bounded(event)


def fingerprint(mail: Mail) -> str:
    """L6: author, subject, references and the words without quotes and signature."""
    author = normalise(mail.from_[0].address) if mail.from_ else ""
    references = " ".join((*mail.references, *mail.in_reply_to))
    return event_id("fingerprint", author, mail.subject, references, mail.folded_body)


def _contents(mail: Mail, stored: Stored) -> Contents:
    kept = tuple(
        Attachment(
            name=attachment.filename,
            media_type=attachment.type,
            content=ref,
            content_id=attachment.content_id,
            inline=attachment.inline,
        )
        for attachment, ref in zip(mail.attachments, stored.attachments, strict=False)
    )
    if stored.original:
        kept = (Attachment(name=ORIGINAL, media_type="message/rfc822", content=stored.original), *kept)
    return Contents(text_ref=stored.text, html_ref=stored.html, reply_ref=stored.reply, attachments=kept)


def _automatic(mail: Mail, reverse_path: str | None) -> Automatic | None:
    found = automatic(mail.headers, reverse_path)
    return Automatic(degree=Degree(found.degree), reason=found.reason) if found else None


def _verdict(mail: Mail, trusted: tuple[str, ...]) -> Verdict:
    """I7: the topmost Authentication-Results of an edge that we trust (RFC 8601 5)."""
    for field in mail.authentication:
        if field.authserv_id.lower() in trusted:
            results = {result.method: result.result for result in reversed(field.results)}
            return Verdict(
                spf=results.get("spf", ""),
                dkim=results.get("dkim", ""),
                dmarc=results.get("dmarc", ""),
                authserv_id=field.authserv_id,
            )
    return Verdict()


def _report(report: ParsedReport) -> Report:
    return Report(
        kind=ReportKind(report.kind),
        recipients=tuple(_reported(report)),
        original_message_id=report.original_message_id,
        original_to=report.original_to,
        original_references=report.original_references,
        reporting_mta=report.reporting_mta,
        feedback_type=report.feedback.feedback_type if report.feedback else "",
    )


def _reported(report: ParsedReport) -> Iterator[ReportedRecipient]:
    """P3: every block; where there is none, who is named by the text, by a header or by the complaint."""
    for block in report.recipients:
        yield ReportedRecipient(
            final_recipient=block.final_recipient,
            original_recipient=block.original_recipient,
            action=block.action,
            status=block.status,
            diagnostic=block.diagnostic_code,
            remote_mta=block.remote_mta,
            witness=block.witness,
        )
    if not report.recipients:
        for address in report.failed_recipients:
            yield ReportedRecipient(final_recipient=address, action="failed", witness="X-Failed-Recipients")
    if report.feedback:
        for address in report.feedback.original_rcpt_to:
            yield ReportedRecipient(final_recipient=address)


def _mailboxes(parsed: tuple[Parsed, ...]) -> tuple[Mailbox, ...]:
    return tuple(_mailbox(mailbox) for mailbox in parsed)


def _mailbox(parsed: Parsed) -> Mailbox:
    return Mailbox(address=parsed.address, name=parsed.name)
