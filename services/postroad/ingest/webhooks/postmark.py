"""Postmark: one event a request, unsigned; the secret stands in the webhook's URL (basic authentication).

Which message of ours it is stands in its metadata, if the server that sent it is declared as Postmark's. With "include
bounce content" on, a bounce holds the message that came back, and its Message-ID is ours if that was kept.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.notice import Kind, Meaning, Notice, Passed, Told, kind_of
from postroad.ingest.webhooks.reading import Echo, at_iso, each, echoed
from postroad.ingest.webhooks.shared import bears_secret

KINDS: dict[str, Kind] = {
    "Bounce": Kind.FAILED,
    "SpamComplaint": Kind.COMPLAINED,
    "Delivery": Kind.DELIVERED,
    "SubscriptionChange": Kind.LEFT,
    "Open": Kind.IGNORED,
    "Click": Kind.IGNORED,
}

BOUNCES: dict[str, Meaning] = {
    "HardBounce": is_.NO_MAILBOX,
    "BadEmailAddress": is_.BAD_ADDRESS,
    "AddressChange": is_.MOVED,
    "DnsError": Meaning(status="4.4.3"),
    "SoftBounce": is_.SOFT,
    "Blocked": is_.BLOCKED,
    "SpamNotification": is_.BLOCKED,
    "VirusNotification": is_.CONTENT,
    "DMARCPolicy": is_.BLOCKED,
    "ChallengeVerification": Meaning(status="4.7.0"),
    "Unknown": is_.UNCLEAR,
    "Transient": is_.DELAY,
    "SpamComplaint": is_.COMPLAINT,
    "Unsubscribe": is_.LEAVE,
    "ManuallyDeactivated": is_.SUPPRESSED,
    "Unconfirmed": is_.NOT_TRIED,
    "SMTPApiError": is_.NOT_TRIED,
    "TemplateRenderingFailed": is_.NOT_TRIED,
    "AutoResponder": is_.NO_FAILURE,
    "Subscribe": is_.NO_FAILURE,
    "OpenRelayTest": is_.NO_FAILURE,
    "InboundError": is_.NO_FAILURE,
}

_MESSAGE_ID = re.compile(r"^Message-ID:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)


class Event(msgspec.Struct, rename="pascal"):
    record_type: str = ""
    type: str = ""
    id: int | str = msgspec.field(name="ID", default="")
    message_id: str = msgspec.field(name="MessageID", default="")
    email: str = ""
    recipient: str = ""
    details: str | None = ""
    description: str | None = ""
    content: str | None = ""
    bounced_at: str = ""
    delivered_at: str = ""
    changed_at: str = ""
    suppress_sending: bool = False
    suppression_reason: str | None = ""
    metadata: Any = None


verify = bears_secret


def parse(body: bytes) -> Iterable[Told]:
    return each(body, Event, _told)


def _told(event: Event) -> Iterator[Told]:
    kind = kind_of(event.record_type or ("Bounce" if event.type else ""), KINDS)
    if isinstance(kind, Passed):
        yield kind
        return
    meaning = BOUNCES.get(event.type, is_.UNCLEAR)
    if kind is Kind.FAILED and meaning.kind is not Kind.FAILED:
        kind = meaning.kind
    asked = event.suppress_sending and event.suppression_reason == "ManualSuppression"
    if kind is Kind.IGNORED or (event.record_type == "SubscriptionChange" and not asked):
        yield Passed("ignored", event.type or event.record_type)
        return
    echo = echoed(event.metadata)
    when = event.bounced_at or event.delivered_at or event.changed_at
    yield Notice(
        kind=kind,
        event=f"{event.id or event.message_id} {when}",
        recipient=event.email or event.recipient,
        at=at_iso(when),
        message_id=_message_id(event, echo),
        token=echo.token,
        provider_message=event.message_id,
        meaning=meaning,
        diagnostic=event.details or event.description or "",
    )


def _message_id(event: Event, echo: Echo) -> str:
    """Of our message: the last in what came back, for a report's own comes before it."""
    if echo.message_id or echo.token:
        return echo.message_id
    found = _MESSAGE_ID.findall(event.content or "")
    return found[-1] if found else ""
