"""Mail about another mail: is it a report, of which kind, about whom and about which message (P1-P5)."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from postroad.mail.address import bare_address, mailboxes, normalise
from postroad.mail.bounce.free_form import FreeForm, is_borne_out, read_free_form
from postroad.mail.bounce.notice import Told
from postroad.mail.bounce.own_text import pasted_fields, words_of
from postroad.mail.bounce.returned import (
    addressees,
    came_over_a_list,
    header_without_id,
    original_ids,
    references,
    returned_header,
)
from postroad.mail.bounce.ses import Notification, read_notification
from postroad.mail.bounce.signs import Signs, signs_of
from postroad.mail.dsn import DeliveryStatus, RecipientReport, read_delivery_status, read_disposition
from postroad.mail.entity import Entity
from postroad.mail.feedback_report import FeedbackReport, read_feedback_report
from postroad.mail.header import Headers, read_header
from postroad.mail.identity import message_id, message_ids

Kind = Literal["delivery-status", "disposition-notification", "feedback-report", "unknown"]

_BY_FIELDS = "its fields (RFC 3464)"
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
_NO_STATUS = DeliveryStatus()
_DAEMON = re.compile(r"\s*[\"<]?\s*mailer-daemon\b[^@]*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says; every field is as good as the sender made it."""

    kind: Kind
    recipients: tuple[RecipientReport, ...] = ()
    reporting_mta: str = ""
    failed_recipients: tuple[str, ...] = ()  # X-Failed-Recipients, where no block names anybody
    disposition: str = ""  # RFC 8098: displayed, deleted, ...
    feedback: FeedbackReport | None = None
    original_message_ids: tuple[str, ...] = ()  # the returned part's, nearest first, else what the report answers to
    original_to: tuple[str, ...] = ()  # addresses of To in the returned part
    original_references: tuple[str, ...] = ()  # References and In-Reply-To of the returned part
    returned: Headers | None = None  # the returned part's header
    fate: str = ""  # of a notice by its words: failed, delayed, delivered; "" when they say nothing
    words: str = ""  # the notice's own, white space folded; "" when its fields say all
    rule: str = _BY_FIELDS  # what it was taken for a report by
    signs: Signs | None = None  # what its header says of its kind; None where its fields say all

    @property
    def original_message_id(self) -> str:
        """The likeliest id of the message it is about; "" when none is named (P5)."""
        return self.original_message_ids[0] if self.original_message_ids else ""


@dataclass(frozen=True, slots=True)
class _Said:
    """What the fields say, and what the words add to it."""

    kind: Kind
    status: DeliveryStatus
    recipients: tuple[RecipientReport, ...]
    returned: Headers | None
    fate: str = ""
    words: str = ""
    rule: str = _BY_FIELDS
    notification: Notification | None = None


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


def read_report(root: Entity, *, returned: bool = False, null: bool = False) -> Report:
    """Everything a report may say, read off any mail; kind "unknown" when nothing in it is machine-readable.

    What the mail itself does not tell, where it is known: `returned`, that it came to a return path; `null`, that its
    own reverse-path is the null one.
    """
    report = _read(root, returned=returned, null=null)
    if any(map(_address_of, report.recipients)) or report.signs is None or not report.signs.daemon:
        return report
    inner = next(
        (part.children[0] for part in root.walk(into_messages=False) if part.is_message and part.children), None
    )
    if inner is None or not is_report(inner):
        return report
    within = read_report(inner)  # a notice about a notice: who failed is told inside
    return replace(within, signs=report.signs) if within.recipients else report


def _read(root: Entity, *, returned: bool, null: bool) -> Report:
    parts = tuple(root.leaves(into_messages=False))
    kind, part = _machine_part(root, parts)
    status = read_delivery_status(part.payload) if kind == "delivery-status" and part else _NO_STATUS
    signs = None if _complete(status) else signs_of(root.headers, null=null)
    said = _Said(kind, status, status.recipients, returned_header(root, parts))
    if signs is not None and kind not in ("disposition-notification", "feedback-report"):
        said = _with_words(said, root, parts, signs, at_return_path=returned)
    facts = Report(
        kind=said.kind,
        recipients=said.recipients,
        reporting_mta=said.status.reporting_mta,
        failed_recipients=_failed(root),
        original_message_ids=original_ids(root, parts, said.returned),
        original_to=_blamed(said),
        original_references=references(said.returned) if said.returned else (),
        returned=said.returned,
        fate=said.fate,
        words=said.words,
        rule=said.rule,
        signs=signs,
    )
    if said.notification is not None:
        return _notified(facts, said.notification)
    if part is not None and kind == "disposition-notification":
        return _with_disposition(facts, part)
    if part is not None and kind == "feedback-report":
        return replace(facts, feedback=read_feedback_report(part.payload))
    return facts


def _blamed(said: _Said) -> tuple[str, ...]:
    """P4: To of the message that came back; nobody where somebody failed who is not named, maybe a list's member."""
    nameless = said.recipients and not any(map(_address_of, said.recipients))
    if said.returned is None or (nameless and came_over_a_list(said.returned)):
        return ()
    return addressees(said.returned)


def _complete(status: DeliveryStatus) -> bool:
    return bool(status.recipients) and all(
        one.diagnostic_code and one.action and _address_of(one) for one in status.recipients
    )


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


def _with_words(said: _Said, root: Entity, parts: tuple[Entity, ...], signs: Signs, *, at_return_path: bool) -> _Said:
    """P4: what the fields leave open, the notice's own words say: who it was, or why."""
    named = _names_somebody(said.status)
    if named and all(one.diagnostic_code and one.action for one in said.recipients if _address_of(one)):
        return said
    texts = tuple(words_of(parts))
    if texts and not named and (notification := read_notification(root.headers, texts[0])):
        return replace(said, notification=notification)
    back = said.returned is not None
    found = read_free_form(root, signs, texts, returned=at_return_path, copy=back)
    if found is None or not (said.recipients or at_return_path or is_borne_out(found, signs, copy=back)):
        return said
    if not named and found.fate != "delivered":
        pasted = next((fields for text in texts if (fields := pasted_fields(text))), b"")
        status = read_delivery_status(pasted) if pasted else said.status
        if _names_somebody(status):
            return _Said("delivery-status", status, status.recipients, said.returned, found.fate, found.words)
    if named or (said.recipients and not found.told):
        told = {one.address.lower(): one for one in found.told}
        filled = tuple(_filled(one, told, found) for one in said.recipients)
        return _Said(said.kind, said.status, filled, said.returned, found.fate, found.words)
    returned = said.returned
    if returned is None and not found.told:
        returned = header_without_id(texts)
    nobody = () if found.fate == "delivered" else (Told("", found.fate, found.why),)  # the return path may say who
    recipients = tuple(
        RecipientReport(
            final_recipient=one.address,
            original_recipient=one.original,
            action=one.fate,
            diagnostic_code=one.diagnostic,
            witness="text",
        )
        for one in found.told or nobody
    )
    return _Said(said.kind, said.status, recipients, returned, found.fate, found.words, found.rule)


def _names_somebody(status: DeliveryStatus) -> bool:
    return any(_address_of(one) for one in status.recipients)


def _address_of(one: RecipientReport) -> str:
    return one.final_recipient or one.original_recipient


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
        diagnostic_code=one.diagnostic_code or (said.diagnostic if said else found.why),
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
