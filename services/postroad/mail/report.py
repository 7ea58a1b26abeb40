"""Mail about another mail: is it a report, of which kind, about whom and about which message (P1-P5)."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from postroad.mail.address import bare_address, mailboxes, normalise
from postroad.mail.bounce.free_form import FreeForm, read_free_form
from postroad.mail.bounce.notice import Told
from postroad.mail.bounce.own_text import pasted_fields, words_of
from postroad.mail.bounce.signs import Signs, signs_of
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
_MESSAGE_ID_LINE = re.compile(
    r"^[> \t]{0,20}Message-ID[ \t]*:[ \t]*(?:\r?\n[> \t]{1,20})?[^\s>]", re.IGNORECASE | re.MULTILINE
)
_QUOTED = re.compile(r"(?:> ?)+")
_CITED_ID = re.compile(
    r"message[- ]?id(?:entifier)?\b[^<\n@]{0,30}?<?([^\s<>@:]{1,200}@[^\s<>@,;]{1,200})", re.IGNORECASE
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
    signs: Signs | None = None  # what its header says of its kind

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
        signs=signs_of(root.headers),
    )
    match kind, part:
        case "delivery-status", Entity():
            return _with_words(_with_status(facts, part.payload), root)
        case "disposition-notification", Entity():
            return _with_disposition(facts, part)
        case "feedback-report", Entity():
            return replace(facts, feedback=read_feedback_report(part.payload))
        case "disposition-notification" | "feedback-report", _:
            return facts
        case _:
            return _with_words(facts, root)


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
    lines = [_QUOTED.sub("", line) if line.startswith(">") else line for line in lines]
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
    if not any(found) and (cited := _cited(root)):
        found.append(message_id(cited.rstrip(".")))
    found.append(message_id(root.headers.unfolded("x-microsoft-original-message-id")))
    found.extend(reversed(_references(root.headers)))  # the nearest ancestor stands last
    return tuple(dict.fromkeys(found_id for found_id in found if found_id))


def _cited(root: Entity) -> str:
    """An id that the notice names in its own words."""
    for part in root.leaves(into_messages=False):
        if part.type == "text/plain" and (found := _CITED_ID.search(part.text[:_READ])):
            return found[1]
    return ""


def _references(headers: Headers) -> tuple[str, ...]:
    return message_ids(headers.unfolded("references")) + message_ids(headers.unfolded("in-reply-to"))


def _failed(root: Entity) -> tuple[str, ...]:
    fields = root.headers.all_unfolded("x-failed-recipients")
    return tuple(address for field in fields for word in field.split(",") if (address := bare_address(word)))


def _with_status(facts: Report, payload: bytes) -> Report:
    status = read_delivery_status(payload)
    return replace(
        facts, recipients=status.recipients, reporting_mta=status.reporting_mta, arrival_date=status.arrival_date
    )


def _with_words(facts: Report, root: Entity) -> Report:
    """P4: what the fields leave open, the notice's own words say: who it was, or why."""
    named = [one for one in facts.recipients if one.final_recipient or one.original_recipient]
    if named and all(one.diagnostic_code and one.action for one in named):
        return facts
    texts = tuple(words_of(root))
    found = read_free_form(root, facts.signs or signs_of(root.headers), texts)
    if not named and found is not None and found.fate != "delivered":
        pasted = next((fields for text in texts if (fields := pasted_fields(text))), b"")
        pasted_facts = _with_status(facts, pasted) if pasted else facts
        if any(one.final_recipient or one.original_recipient for one in pasted_facts.recipients):
            return replace(pasted_facts, kind="delivery-status", fate=found.fate, words=found.words)
    if found is None:
        return facts
    told = {one.address.lower(): one for one in found.told}
    if not named:
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
