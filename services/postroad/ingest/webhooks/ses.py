"""Amazon SES, through SNS: one event a request for one or many recipients, signed by a certificate of SNS.

Anybody can have a topic of SNS: only those of the settings are believed. SES gives messages ids of its own, but says
which headers we gave, if the notification is set to include them, and whose envelope it was. In `tags` stands which
message of ours it is, if the server that sent it is declared as SES's and a configuration set publishes the event.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.notice import Kind, Malformed, Meaning, Notice, Passed, Posted, Told, Trust, kind_of
from postroad.ingest.webhooks.reading import at_iso, bracketed, echoed, one
from postroad.ingest.webhooks.signatures import proven_by_certificate

KINDS: dict[str, Kind] = {
    "Bounce": Kind.FAILED,
    "Complaint": Kind.COMPLAINED,
    "Delivery": Kind.DELIVERED,
    "DeliveryDelay": Kind.DELAYED,
    "Reject": Kind.FAILED,
    "Rendering Failure": Kind.FAILED,
    "Send": Kind.IGNORED,
    "Open": Kind.IGNORED,
    "Click": Kind.IGNORED,
    "Subscription": Kind.IGNORED,  # SES's own lists; ours are left by our links
}

# Type and sub-type of a bounce, and the events that are as good as one.
BOUNCES: dict[str, Meaning] = {
    "Undetermined Undetermined": is_.UNCLEAR,
    "Permanent General": Meaning(permanent=True, status="5.0.0"),
    "Permanent NoEmail": is_.NO_MAILBOX,
    "Permanent Suppressed": is_.SUPPRESSED,
    "Permanent OnAccountSuppressionList": is_.SUPPRESSED,
    "Permanent UnsubscribedRecipient": is_.OPTED_OUT,
    "Transient General": is_.SOFT,
    "Transient MailboxFull": is_.FULL,
    "Transient MessageTooLarge": is_.TOO_LARGE,
    "Transient ContentRejected": is_.CONTENT,
    "Transient AttachmentRejected": is_.CONTENT,
    "Reject": is_.NOT_TRIED,
    "Rendering Failure": is_.NOT_TRIED,
}

SNS = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/\S*")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class Envelope(msgspec.Struct, rename="pascal"):
    """What SNS wraps around a message."""

    type: str
    topic_arn: str
    message: str
    message_id: str = ""
    subject: str | None = None
    timestamp: str = ""
    token: str | None = None
    signature: str = ""
    signature_version: str = "1"
    signing_cert_url: str = msgspec.field(name="SigningCertURL", default="")
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)


class Header(msgspec.Struct):
    name: str
    value: str


class Mail(msgspec.Struct, rename="camel"):
    message_id: str = ""  # SES's own
    source: str = ""
    destination: tuple[str, ...] = ()
    headers: tuple[Header, ...] = ()
    tags: Any = None


class Recipient(msgspec.Struct, rename="camel"):
    email_address: str
    status: str = ""
    diagnostic_code: str = ""


class Detail(msgspec.Struct, rename="camel"):
    """The part that is named like the event."""

    timestamp: str = ""
    feedback_id: str = ""
    bounce_type: str = ""
    bounce_sub_type: str = ""
    bounced_recipients: tuple[Recipient, ...] = ()
    complained_recipients: tuple[Recipient, ...] = ()
    delayed_recipients: tuple[Recipient, ...] = ()
    recipients: tuple[str, ...] = ()
    complaint_feedback_type: str | None = ""
    reporting_mta: str = msgspec.field(name="reportingMTA", default="")
    smtp_response: str = ""
    delay_type: str = ""
    reason: str = ""
    error_message: str = ""


class Event(msgspec.Struct, rename="camel"):
    mail: Mail
    notification_type: str = ""
    event_type: str = ""
    bounce: Detail | None = None
    complaint: Detail | None = None
    delivery: Detail | None = None
    delivery_delay: Detail | None = None
    reject: Detail | None = None
    failure: Detail | None = None


def certificate(body: bytes, trust: Trust) -> str:
    """Where the signer's certificate is. Raises Malformed; empty for what is not of a topic of ours or not of SNS."""
    envelope = one(body, Envelope)
    url = envelope.signing_cert_url
    return url if envelope.topic_arn in trust.topics and SNS.fullmatch(url) and url.endswith(".pem") else ""


def verify(posted: Posted, trust: Trust) -> bool:
    try:
        envelope = one(posted.body, Envelope)
    except Malformed:
        return False
    if not certificate(posted.body, trust):
        return False
    signed = signed_part(envelope)
    given = envelope.signature
    return proven_by_certificate(posted.certificate, signed, given, envelope.signature_version, posted.at)


def signed_part(envelope: Envelope) -> bytes:
    """Names and values, a line each, of those fields that the kind of message has signed."""
    values = {
        "Message": envelope.message,
        "MessageId": envelope.message_id,
        "Subject": envelope.subject,
        "SubscribeURL": envelope.subscribe_url,
        "Timestamp": envelope.timestamp,
        "Token": envelope.token,
        "TopicArn": envelope.topic_arn,
        "Type": envelope.type,
    }
    names = _SIGNED.get(envelope.type, ())
    return "".join(f"{name}\n{values[name]}\n" for name in names if values[name] is not None).encode()


def confirmation(body: bytes) -> str:
    """The address that confirms a subscription; of SNS alone."""
    envelope = one(body, Envelope)
    url = envelope.subscribe_url or ""
    return url if envelope.type == "SubscriptionConfirmation" and SNS.fullmatch(url) else ""


def parse(body: bytes) -> Iterable[Told]:
    envelope = one(body, Envelope)
    if envelope.type != "Notification":
        return [Passed("ignored" if envelope.type in _SIGNED else "unknown", envelope.type[:100])]
    if envelope.message.startswith("Successfully validated SNS topic"):  # what SES says first
        return [Passed("ignored", "validation")]
    return _told(one(envelope.message, Event), envelope)


def _told(event: Event, envelope: Envelope) -> Iterator[Told]:
    name = event.event_type or event.notification_type
    kind = kind_of(name, KINDS)
    if isinstance(kind, Passed):
        yield kind
        return
    parts = (event.bounce, event.complaint, event.delivery, event.delivery_delay, event.reject, event.failure)
    detail = next((part for part in parts if part is not None), Detail())
    meaning = BOUNCES.get(name) or BOUNCES.get(f"{detail.bounce_type} {detail.bounce_sub_type}")
    for recipient in _recipients(event, detail):
        yield Notice(
            kind=kind,
            event=detail.feedback_id or f"{name} {event.mail.message_id} {detail.timestamp or envelope.message_id}",
            recipient=recipient.email_address,
            at=at_iso(detail.timestamp or envelope.timestamp),
            message_id=_header(event.mail, "message-id"),
            return_path=event.mail.source,
            token=echoed(event.mail.tags).token,
            provider_message=event.mail.message_id,
            meaning=meaning or is_.UNCLEAR,
            status=recipient.status,
            diagnostic=recipient.diagnostic_code or _words(detail),
            feedback_type=detail.complaint_feedback_type or "",
            mta=detail.reporting_mta.partition(";")[2].strip() or detail.reporting_mta,
        )


def _recipients(event: Event, detail: Detail) -> Iterable[Recipient]:
    named = (*detail.bounced_recipients, *detail.complained_recipients, *detail.delayed_recipients)
    return named or [Recipient(email_address=one) for one in detail.recipients or event.mail.destination]


def _words(detail: Detail) -> str:
    return detail.smtp_response or detail.reason or detail.error_message or detail.delay_type


def _header(mail: Mail, name: str) -> str:
    found = (header.value for header in mail.headers if header.name.lower() == name)
    return bracketed(next(found, ""))
