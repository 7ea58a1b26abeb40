"""SendGrid: many events a request, signed (ECDSA). `smtp-id` is the Message-ID that we gave.

Which message of ours it is say keys of the event too, if the server that sent it is declared as SendGrid's; not, says
SendGrid, in a bounce that came late, by mail.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.notice import Kind, Meaning, Notice, Passed, Posted, Told, Trust, kind_of
from postroad.ingest.webhooks.reading import at_seconds, bracketed, each, echoed
from postroad.ingest.webhooks.signatures import proven_by_key
from postroad.mail.provider import MESSAGE_ID, NOTIFICATION

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

KINDS: dict[str, Kind] = {
    "bounce": Kind.FAILED,
    "blocked": Kind.FAILED,
    "dropped": Kind.FAILED,
    "deferred": Kind.DELAYED,
    "delivered": Kind.DELIVERED,
    "spamreport": Kind.COMPLAINED,
    "unsubscribe": Kind.LEFT,
    "group_unsubscribe": Kind.LEFT,
    "group_resubscribe": Kind.IGNORED,
    "processed": Kind.IGNORED,
    "open": Kind.IGNORED,
    "click": Kind.IGNORED,
}

# `bounce_classification` of a bounce, `reason` of a drop.
BOUNCES: dict[str, Meaning] = {
    "Invalid Address": is_.NO_MAILBOX,
    "Mailbox Unavailable": is_.FULL,
    "Technical Failure": is_.SOFT,
    "Technical": is_.SOFT,
    "Frequency or Volume Too High": is_.SOFT,
    "Reputation": is_.BLOCKED,
    "Content": is_.CONTENT,
    "Unclassified": is_.UNCLEAR,
    "Bounced Address": is_.SUPPRESSED,
    "Spam Reporting Address": is_.SUPPRESSED,
    "Unsubscribed Address": is_.OPTED_OUT,
    "Invalid": is_.INVALID,
}


class Event(
    msgspec.Struct,
    rename={
        "smtp_id": "smtp-id",
        "event_id": "sg_event_id",
        "provider_message": "sg_message_id",
        "token": NOTIFICATION,
        "message_id": MESSAGE_ID,
    },
):
    event: str
    email: str = ""
    timestamp: float | str = 0
    smtp_id: str = ""
    event_id: str = ""
    provider_message: str = ""
    reason: str | None = ""
    response: str | None = ""
    status: str | None = ""
    type: str | None = ""
    bounce_classification: str | None = ""
    token: Any = None
    message_id: Any = None  # or an app's own argument


def verify(posted: Posted, trust: Trust) -> bool:
    """Over the header's time and the body, by the verification key of the signed event webhook."""
    signed = posted.headers.get(TIMESTAMP, "").encode("utf-8", "surrogateescape") + posted.body
    return bool(trust.secret) and proven_by_key(trust.secret, signed, posted.headers.get(SIGNATURE, ""))


def parse(body: bytes) -> Iterable[Told]:
    return each(body, Event, _told)


def _told(event: Event) -> Iterator[Told]:
    kind = kind_of(event.event, KINDS)
    if isinstance(kind, Passed):
        yield kind
        return
    echo = echoed({NOTIFICATION: event.token, MESSAGE_ID: event.message_id})
    yield Notice(
        kind=kind,
        event=event.event_id or f"{event.event} {event.timestamp} {event.smtp_id}",
        recipient=event.email,
        at=at_seconds(event.timestamp) if event.timestamp else None,
        message_id=echo.message_id or bracketed(event.smtp_id),
        token=echo.token,
        provider_message=event.provider_message.partition(".")[0],
        meaning=_meaning(event),
        status=event.status or "",
        diagnostic=event.reason or event.response or "",
    )


def _meaning(event: Event) -> Meaning:
    if event.event == "dropped":  # before it was tried
        return BOUNCES.get(event.reason or "", is_.NOT_TRIED)
    if event.bounce_classification in BOUNCES:
        return BOUNCES[event.bounce_classification]
    return is_.BLOCKED if "blocked" in (event.type, event.event) else is_.UNCLEAR
