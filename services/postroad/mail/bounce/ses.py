"""What Amazon SES tells in JSON, which its notification service sends on as mail: bounces, complaints, deliveries."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from postroad.mail.header import Headers

_KIND = {"Bounce": "failed", "Delivery": "delivered", "DeliveryDelay": "delayed", "Complaint": "complaint"}
_ABOUT = {
    "failed": ("bounce", "bouncedRecipients"),
    "delivered": ("delivery", "recipients"),
    "delayed": ("deliveryDelay", "delayedRecipients"),
    "complaint": ("complaint", "complainedRecipients"),
}
_FOLDED = re.compile(r"!\r?\n ")  # how sendmail cuts lines that are too long
_STATUS_OF = {"Permanent": "5.0.0", "Transient": "4.0.0"}  # where a recipient has none of its own
_MOST = 1 << 18  # characters


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient in its words."""

    address: str
    status: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class Notification:
    """`fate`: failed, delayed, delivered, or complaint."""

    fate: str
    recipients: tuple[Recipient, ...]
    original_message_id: str = ""
    complaint: str = ""  # its type, as in RFC 5965


def read_notification(headers: Headers, text: str) -> Notification | None:
    """None for what is none, or is broken."""
    if not text.lstrip().startswith("{") or "Type" not in text[:_MOST]:
        return None
    if "x-amz-sns-message-id" not in headers and "amazonaws.com" not in headers.unfolded("from").lower():
        return None
    told = _decoded(text)
    fate = _KIND.get(_text(told, "notificationType") or _text(told, "eventType"), "")
    if not fate:
        return None
    name, listed = _ABOUT[fate]
    about = _at(told, name)
    status = _STATUS_OF.get(_text(about, "bounceType"), "")
    return Notification(
        fate=fate,
        recipients=tuple(_recipients(_at(about, listed), status)),
        original_message_id=_message_id(_at(told, "mail")),
        complaint=_text(about, "complaintFeedbackType") or "abuse",
    )


def _decoded(text: str) -> object:
    """The message, out of the envelope of the notification service if it came in one."""
    found = _object(_FOLDED.sub("", text[:_MOST]))
    inner = _text(found, "Message")
    return _object(inner) if inner.lstrip().startswith("{") else found


def _object(text: str) -> object:
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip())  # a footer follows
    except (ValueError, RecursionError):
        return None
    return found


def _at(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: object, key: str) -> str:
    found = _at(value, key)
    return found if isinstance(found, str) else ""


def _recipients(listed: object, status: str) -> Iterator[Recipient]:
    for one in listed if isinstance(listed, list) else []:
        address = one if isinstance(one, str) else _text(one, "emailAddress")
        diagnostic = re.sub(r"^\w+;\s*", "", _text(one, "diagnosticCode"))
        yield Recipient(address, _text(one, "status") or status, diagnostic)


def _message_id(mail: object) -> str:
    """The one that the sender gave, else the one that SES put in its place."""
    fields = _at(mail, "headers")
    for field in fields if isinstance(fields, list) else []:
        if _text(field, "name").lower() == "message-id":
            return _text(field, "value")
    return _text(_at(mail, "commonHeaders"), "messageId") or _text(mail, "messageId")
