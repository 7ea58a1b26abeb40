"""Mail about another mail: is it a report, of which kind, about whom and about which message (P1-P5)."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from postroad.mail.address import bare_address, mailboxes, normalise
from postroad.mail.bounce.free_form import FreeForm, read_free_form
from postroad.mail.bounce.notice import Told
from postroad.mail.bounce.own_text import pasted_fields, words_of
from postroad.mail.bounce.returned import addressees, header_without_id, original_ids, references, returned_header
from postroad.mail.bounce.ses import Notification, read_notification
from postroad.mail.bounce.signs import Signs, signs_of
from postroad.mail.dsn import DeliveryStatus, RecipientReport, read_delivery_status, read_disposition
from postroad.mail.entity import Entity
from postroad.mail.feedback_report import FeedbackReport, read_feedback_report
from postroad.mail.header import Headers, read_header
from postroad.mail.identity import message_id, message_ids

Kind = Literal["delivery-status", "disposition-notification", "feedback-report", "unknown"]


_CODED = 1 << 18  # octets of a coded part in which fields are looked for under a wrong type

_KIND: dict[str, Kind] = {
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/feedback-report": "feedback-report",
}
# Under a wrong type: the field that gives it away; else it is a delivery status.
_TELLING: dict[str, Kind] = {"feedback-type": "feedback-report", "disposition": "disposition-notification"}
_FIELDS_ABOUT = re.compile(
    rb"[ \t\r\n]*(?:Reporting-MTA|Final-Recipient|Original-Recipient|Feedback-Type)[ \t]*:", re.I
)
_DAEMON = re.compile(r"\s*[\"<]?\s*mailer-daemon\b[^@]*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says; every field is as good as the sender made it."""

    kind: Kind
    recipients: tuple[RecipientReport, ...] = ()
    reporting_mta: str = ""
    arrival_date: datetime | None = None
    failed_recipients: tuple[str, ...] = ()  # X-Failed-Recipients, where no block names anybody
    disposition: str = ""  # RFC 8098: displayed, deleted, ...
    feedback: FeedbackReport | None = None
    original_message_ids: tuple[str, ...] = ()  # the returned part's, nearest first, else what the report answers to
    original_to: tuple[str, ...] = ()  # addresses of To in the returned part
    original_references: tuple[str, ...] = ()  # References and In-Reply-To of the returned part
    returned: Headers | None = None  # the returned part's header
    fate: str = ""  # of a notice by its words: failed, delayed, delivered; "" when they say nothing
    words: str = ""  # the notice's own, white space folded; "" when its fields say all
    rule: str = "its fields (RFC 3464)"  # what it was taken for a report by
    signs: Signs | None = None  # what its header says of its kind; None where its fields say all

    @property
    def original_message_id(self) -> str:
        """The likeliest id of the message it is about; "" when none is named (P5)."""
        return self.original_message_ids[0] if self.original_message_ids else ""


def is_report(root: Entity) -> bool:
    """P1 as far as the mail itself tells; whether it was sent to a bounce address is the caller's to know."""
    content_type = root.headers.unfolded("content-type").lower()
    if root.declared == "multipart/report" or "delivery-status" in content_type:
        return True
    if any(_KIND.get(child.declared) == "delivery-status" for child in root.children):
        return True
    author = root.headers.unfolded("from")
    found = mailboxes(author)
    if not found:
        return _DAEMON.match(author) is not None
    return normalise(found[0].address).rpartition("@")[0] == "mailer-daemon"


def read_report(root: Entity) -> Report:
    """Everything a report may say, read off any mail; kind "unknown" when nothing in it is machine-readable."""
    report = _read(root)
    if report.recipients or report.signs is None or not report.signs.daemon:
        return report
    inner = next(
        (part.children[0] for part in root.walk(into_messages=False) if part.is_message and part.children), None
    )
    if inner is None or not is_report(inner):
        return report
    within = read_report(inner)  # a notice about a notice: who failed is told inside
    return replace(within, signs=report.signs) if within.recipients else report


def _read(root: Entity) -> Report:
    parts = tuple(root.leaves(into_messages=False))
    kind, part = _machine_part(root, parts)
    returned = returned_header(root, parts)
    status = read_delivery_status(part.payload) if kind == "delivery-status" and part else DeliveryStatus()
    complete = bool(status.recipients) and all(
        one.diagnostic_code and one.action and (one.final_recipient or one.original_recipient)
        for one in status.recipients
    )
    facts = Report(
        kind=kind,
        recipients=status.recipients,
        reporting_mta=status.reporting_mta,
        arrival_date=status.arrival_date,
        failed_recipients=_failed(root),
        original_message_ids=original_ids(root, parts, returned),
        original_to=addressees(returned),
        original_references=references(returned) if returned else (),
        returned=returned,
        signs=None if complete else signs_of(root.headers),
    )
    if complete or facts.signs is None:
        return facts
    match kind, part:
        case "disposition-notification", Entity():
            return _with_disposition(facts, part)
        case "feedback-report", Entity():
            return replace(facts, feedback=read_feedback_report(part.payload))
        case "disposition-notification" | "feedback-report", _:
            return facts
        case _:
            return _with_words(facts, root, parts, facts.signs)


def _machine_part(root: Entity, parts: tuple[Entity, ...]) -> tuple[Kind, Entity | None]:
    """The part that programs read: by its type, else by its fields under a wrong type (P2)."""
    typed = [part for part in parts if part.declared in _KIND]
    if typed:  # a server may give its words the type of its fields
        part = next((one for one in typed if _FIELDS_ABOUT.match(one.payload)), typed[0])
        return _KIND[part.declared], part
    for part in parts:
        if _begins_with_fields(part):
            fields, _ = read_header(part.payload.lstrip(), 0)
            return next((kind for name, kind in _TELLING.items() if name in fields), "delivery-status"), part
    named = root.parameters.get("report-type", "").lower()
    return next((kind for kind in _KIND.values() if kind == named), "unknown"), None


def _begins_with_fields(part: Entity) -> bool:
    """Without undoing the coding of what is too large for it."""
    if not part.encoding:
        return _FIELDS_ABOUT.match(part.buffer, part.start) is not None
    return part.end - part.start < _CODED and _FIELDS_ABOUT.match(part.payload) is not None


def _failed(root: Entity) -> tuple[str, ...]:
    fields = root.headers.all_unfolded("x-failed-recipients")
    return tuple(address for field in fields for word in field.split(",") if (address := bare_address(word)))


def _with_status(facts: Report, payload: bytes) -> Report:
    status = read_delivery_status(payload)
    return replace(
        facts, recipients=status.recipients, reporting_mta=status.reporting_mta, arrival_date=status.arrival_date
    )


def _with_words(facts: Report, root: Entity, parts: tuple[Entity, ...], signs: Signs) -> Report:
    """P4: what the fields leave open, the notice's own words say: who it was, or why."""
    named = [one for one in facts.recipients if one.final_recipient or one.original_recipient]
    if named and all(one.diagnostic_code and one.action for one in named):
        return facts
    texts = tuple(words_of(parts))
    if texts and not named and (notification := read_notification(root.headers, texts[0])):
        return _notified(facts, notification)
    found = read_free_form(root, signs, texts)
    if not named and found is not None and found.fate != "delivered":
        pasted = next((fields for text in texts if (fields := pasted_fields(text))), b"")
        pasted_facts = _with_status(facts, pasted) if pasted else facts
        if any(one.final_recipient or one.original_recipient for one in pasted_facts.recipients):
            return replace(pasted_facts, kind="delivery-status", fate=found.fate, words=found.words)
    if found is None:
        return facts
    told = {one.address.lower(): one for one in found.told}
    if not named:
        if not told and facts.returned is None and (returned := header_without_id(texts)):
            facts = replace(facts, returned=returned, original_to=addressees(returned))
        recipients = tuple(
            RecipientReport(
                final_recipient=one.address,
                original_recipient=one.original,
                action=one.fate,
                diagnostic_code=one.diagnostic,
                witness="text",
            )
            for one in found.told
        )
        return replace(facts, recipients=recipients, fate=found.fate, words=found.words, rule=found.rule)
    filled = tuple(_filled(one, told, found) for one in facts.recipients)
    return replace(facts, recipients=filled, fate=found.fate, words=found.words)


def _notified(facts: Report, told: Notification) -> Report:
    ids = (message_id(told.original_message_id),) if told.original_message_id else ()
    facts = replace(facts, original_message_ids=ids, rule="a notification of Amazon SES")
    if told.fate == "complaint":
        complainers = tuple(one.address for one in told.recipients)
        feedback = FeedbackReport(told.complaint, original_rcpt_to=complainers)
        return replace(facts, kind="feedback-report", feedback=feedback)
    recipients = tuple(
        RecipientReport(
            final_recipient=bare_address(one.address),
            action=told.fate,
            status=one.status,
            diagnostic_code=one.diagnostic,
        )
        for one in told.recipients
    )
    return replace(facts, kind="delivery-status", recipients=recipients)


def _filled(one: RecipientReport, told: dict[str, Told], found: FreeForm) -> RecipientReport:
    """A block's gaps filled with what the text says of the same address."""
    said = told.get(one.final_recipient.lower()) or told.get(one.original_recipient.lower())
    return replace(
        one,
        action=one.action or (found.fate if not one.status.startswith("2") else "delivered"),
        diagnostic_code=one.diagnostic_code or (said.diagnostic if said else ""),
    )


def _with_disposition(facts: Report, part: Entity) -> Report:
    read = read_disposition(part.payload)
    ids = message_ids(read.original_message_id)
    recipient = RecipientReport(final_recipient=read.final_recipient, original_recipient=read.original_recipient)
    return replace(
        facts,
        recipients=(recipient,),
        disposition=read.disposition,
        original_message_ids=tuple(dict.fromkeys(ids + facts.original_message_ids)),
    )
