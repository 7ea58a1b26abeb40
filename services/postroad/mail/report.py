"""Mail about another mail: is it a report, of which kind, about whom and about which message (P1-P5)."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from postroad.mail.address import bare_address, mailboxes, normalise
from postroad.mail.dsn import RecipientReport, read_delivery_status, read_disposition
from postroad.mail.entity import Entity
from postroad.mail.feedback_report import FeedbackReport, read_feedback_report
from postroad.mail.header import Headers, read_header
from postroad.mail.identity import message_id, message_ids

Kind = Literal["delivery-status", "disposition-notification", "feedback-report", "unknown"]

_READ = 1 << 18  # characters of a notice in which a returned header is looked for

_KIND: dict[str, Kind] = {
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/feedback-report": "feedback-report",
}
# Under a wrong type: the field that gives it away; else it is a delivery status.
_TELLING: dict[str, Kind] = {"feedback-type": "feedback-report", "disposition": "disposition-notification"}
_RETURNED_HEADERS = ("text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers")
_FIELDS_ABOUT = re.compile(
    rb"[ \t\r\n]*(?:Reporting-MTA|Final-Recipient|Original-Recipient|Feedback-Type)[ \t]*:", re.I
)
_MESSAGE_ID_LINE = re.compile(r"^[> \t]{0,20}Message-ID[ \t]*:[ \t]*\S", re.IGNORECASE | re.MULTILINE)
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
    kind, part = _machine_part(root)
    returned = _returned(root)
    facts = Report(
        kind=kind,
        failed_recipients=_failed(root),
        original_message_ids=_original_ids(root, returned),
        original_to=tuple(box.address for box in mailboxes(returned.unfolded("to"))) if returned else (),
        original_references=_references(returned) if returned else (),
        returned=returned,
    )
    match kind, part:
        case "delivery-status", Entity():
            return _with_status(facts, part)
        case "disposition-notification", Entity():
            return _with_disposition(facts, part)
        case "feedback-report", Entity():
            return replace(facts, feedback=read_feedback_report(part.payload))
        case _:
            return facts


def _machine_part(root: Entity) -> tuple[Kind, Entity | None]:
    """The part that programs read: by its type, else by its fields under a wrong type (P2)."""
    parts = list(root.leaves(into_messages=False))
    for part in parts:
        if part.declared in _KIND:
            return _KIND[part.declared], part
    for part in parts:
        if _FIELDS_ABOUT.match(part.payload):
            fields, _ = read_header(part.payload.lstrip(), 0)
            return next((kind for name, kind in _TELLING.items() if name in fields), "delivery-status"), part
    named = root.parameters.get("report-type", "").lower()
    return next((kind for kind in _KIND.values() if kind == named), "unknown"), None


def _returned(root: Entity) -> Headers | None:
    """The header of the message that came back: attached, as headers alone, or pasted into the notice's text."""
    for part in root.walk(into_messages=False):
        if part.is_message and part.children:
            return part.children[0].headers
        if part.declared in _RETURNED_HEADERS:
            headers, _ = read_header(part.payload.lstrip(), 0, message=True)
            if headers:
                return headers
    for part in root.leaves(into_messages=False):
        if part.type.startswith("text/") and (pasted := _pasted(part.text[:_READ])):
            return pasted
    return None


def _pasted(text: str) -> Headers | None:
    found = _MESSAGE_ID_LINE.search(text)
    if found is None:
        return None
    start = text.rfind("\n\n", 0, found.start()) + 2
    start = start if start > 1 else 0
    end = text.find("\n\n", found.start())
    lines = text[start : end if end >= 0 else len(text)].split("\n")
    # Remarks of the server may stand directly above, and quoting marks in front.
    lines = [line.lstrip("> ") if line.startswith(">") else line for line in lines]
    indent = re.match(r"[ \t]*", text[found.start() :])
    cut = len(indent[0]) if indent else 0
    if cut:
        lines = [line[cut:] if not line[:cut].strip() else line for line in lines]
    block = "\n".join(lines).encode("utf-8", "replace")
    while block:
        headers, at = read_header(block, 0)
        if "message-id" in headers:
            return headers
        _, _, block = block[at:].partition(b"\n")
    return None


def _original_ids(root: Entity, returned: Headers | None) -> tuple[str, ...]:
    found = []
    if returned is not None:
        found = [message_id(returned.unfolded(name)) for name in ("message-id", "x-microsoft-original-message-id")]
    found.append(message_id(root.headers.unfolded("x-microsoft-original-message-id")))
    found.extend(reversed(_references(root.headers)))  # the nearest ancestor stands last
    return tuple(dict.fromkeys(found_id for found_id in found if found_id))


def _references(headers: Headers) -> tuple[str, ...]:
    return message_ids(headers.unfolded("references")) + message_ids(headers.unfolded("in-reply-to"))


def _failed(root: Entity) -> tuple[str, ...]:
    fields = root.headers.all_unfolded("x-failed-recipients")
    return tuple(address for field in fields for word in field.split(",") if (address := bare_address(word)))


def _with_status(facts: Report, part: Entity) -> Report:
    status = read_delivery_status(part.payload)
    return replace(
        facts, recipients=status.recipients, reporting_mta=status.reporting_mta, arrival_date=status.arrival_date
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
