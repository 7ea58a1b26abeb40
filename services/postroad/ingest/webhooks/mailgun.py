"""Mailgun: one event a request, signed in its body.

Which message of ours it is say Message-ID and envelope, and `user-variables` if the server that sent it is declared as
Mailgun's. The signature covers a time and a token, not the event: TLS in front of this door guards the rest.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import msgspec

from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.notice import Kind, Malformed, Meaning, Notice, Passed, Posted, Told, Trust, kind_of
from postroad.ingest.webhooks.reading import at_seconds, bracketed, each, echoed, one

FRESH = timedelta(days=1)  # Mailgun tries again for 8 hours
AHEAD = timedelta(minutes=5)  # of our clock

KINDS: dict[str, Kind] = {
    "failed": Kind.FAILED,
    "complained": Kind.COMPLAINED,
    "delivered": Kind.DELIVERED,
    "unsubscribed": Kind.LEFT,
    "rejected": Kind.FAILED,
    "accepted": Kind.IGNORED,
    "stored": Kind.IGNORED,
    "opened": Kind.IGNORED,
    "clicked": Kind.IGNORED,
    "list_member_uploaded": Kind.IGNORED,
}

# `reason` of a failure; "bounce" and "generic" say nothing beyond the reply.
BOUNCES: dict[str, Meaning] = {
    "bounce": is_.UNCLEAR,
    "generic": is_.UNCLEAR,
    "espblock": is_.BLOCKED,
    "greylisted": is_.SOFT,
    "old": is_.EXPIRED,
    "suppress-bounce": is_.SUPPRESSED,
    "suppress-complaint": is_.SUPPRESSED,
    "suppress-unsubscribe": is_.OPTED_OUT,
    "rejected": is_.NOT_TRIED,
}


class Signature(msgspec.Struct):
    timestamp: str | int
    token: str
    signature: str


class Signed(msgspec.Struct):
    signature: Signature


class Envelope(msgspec.Struct):
    sender: str = ""


class Headers(msgspec.Struct, rename={"message_id": "message-id"}):
    message_id: str = ""


class Message(msgspec.Struct):
    headers: Headers = msgspec.field(default_factory=Headers)


class Delivery(msgspec.Struct, rename={"enhanced_code": "enhanced-code", "mx_host": "mx-host"}):
    code: int | str | None = None
    message: str | None = ""
    description: str | None = ""
    enhanced_code: str | None = ""
    mx_host: str | None = ""


class Event(msgspec.Struct, rename={"delivery": "delivery-status", "variables": "user-variables"}):
    event: str
    id: str = ""
    timestamp: float = 0.0
    severity: str = ""
    reason: str | msgspec.Raw = ""
    recipient: str = ""
    envelope: Envelope = msgspec.field(default_factory=Envelope)
    message: Message = msgspec.field(default_factory=Message)
    delivery: Delivery = msgspec.field(default_factory=Delivery)
    variables: Any = None


class Body(msgspec.Struct, rename={"event": "event-data"}):
    event: Event


def verify(posted: Posted, trust: Trust) -> bool:
    """HMAC-SHA-256 of time and token, by the webhook signing key; not older than a day."""
    try:
        given = one(posted.body, Signed).signature
    except Malformed:
        return False
    signed_at = at_seconds(given.timestamp)
    if not trust.secret or signed_at is None or not -AHEAD <= posted.at - signed_at <= FRESH:
        return False
    content = f"{given.timestamp}{given.token}".encode("utf-8", "surrogatepass")
    wanted = hmac.new(trust.secret, content, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), given.signature.encode("utf-8", "surrogatepass"))


def parse(body: bytes) -> Iterable[Told]:
    return each(body, Body, lambda told: _told(told.event))


def _told(event: Event) -> Iterator[Told]:
    kind = kind_of(event.event, KINDS)
    if isinstance(kind, Passed):
        yield kind
        return
    if event.event == "failed" and event.severity == "temporary":
        kind = Kind.DELAYED
    reason = event.reason if isinstance(event.reason, str) else ""
    delivery, echo = event.delivery, echoed(event.variables)
    words = delivery.message or delivery.description or reason
    yield Notice(
        kind=kind,
        event=event.id or f"{event.timestamp} {event.message.headers.message_id}",
        recipient=event.recipient,
        at=at_seconds(event.timestamp) if event.timestamp else None,
        message_id=echo.message_id or bracketed(event.message.headers.message_id),
        token=echo.token,
        return_path=event.envelope.sender,
        meaning=BOUNCES["rejected"] if event.event == "rejected" else BOUNCES.get(reason, is_.UNCLEAR),
        status=delivery.enhanced_code or "",
        diagnostic=f"{delivery.code} {words}" if _is_reply(delivery.code, words) else words,
        mta=delivery.mx_host or "",
    )


def _is_reply(code: int | str | None, words: str) -> bool:
    """Codes above 599 are Mailgun's own."""
    return str(code).isdigit() and 200 <= int(code or 0) < 600 and not words.startswith(str(code))
