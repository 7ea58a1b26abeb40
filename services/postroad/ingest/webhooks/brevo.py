"""Brevo: one event a request (or many, batched), unsigned; the secret is the token or password of the webhook's call.

There is no id of an event: kind, message, recipient and time tell it from others. `message-id` is the Message-ID, ours
or Brevo's. Which message of ours it is stands in `X-Mailin-custom`, if the server that sent it is declared as Brevo's.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.notice import Kind, Meaning, Notice, Passed, Told, kind_of
from postroad.ingest.webhooks.reading import at_seconds, bracketed, each, echoed
from postroad.ingest.webhooks.shared import bears_secret

KINDS: dict[str, Kind] = {
    "hard_bounce": Kind.FAILED,
    "soft_bounce": Kind.FAILED,
    "invalid_email": Kind.FAILED,
    "blocked": Kind.FAILED,
    "error": Kind.FAILED,
    "deferred": Kind.DELAYED,
    "delivered": Kind.DELIVERED,
    "spam": Kind.COMPLAINED,
    "complaint": Kind.COMPLAINED,
    "unsubscribe": Kind.LEFT,
    "unsubscribed": Kind.LEFT,
    "request": Kind.IGNORED,
    "sent": Kind.IGNORED,
    "opened": Kind.IGNORED,
    "unique_opened": Kind.IGNORED,
    "first_opening": Kind.IGNORED,
    "proxy_open": Kind.IGNORED,
    "unique_proxy_open": Kind.IGNORED,
    "click": Kind.IGNORED,
    "list_addition": Kind.IGNORED,
    "contact_updated": Kind.IGNORED,
    "contact_deleted": Kind.IGNORED,
}

BOUNCES: dict[str, Meaning] = {
    "hard_bounce": is_.NO_MAILBOX,
    "soft_bounce": is_.SOFT,
    "invalid_email": is_.INVALID,
    "blocked": is_.SUPPRESSED,
    "error": is_.NOT_TRIED,
}


class Event(msgspec.Struct, rename={"message_id": "message-id", "custom": "X-Mailin-custom"}):
    event: str
    email: str = ""
    message_id: str | None = ""
    custom: Any = None
    reason: str | None = ""
    ts_epoch: float | str | None = None  # milliseconds; the others are in the account's own zone
    ts_event: float | str | None = None
    ts: float | str | None = None


verify = bears_secret


def parse(body: bytes) -> Iterable[Told]:
    return each(body, Event, _told)


def _told(event: Event) -> Iterator[Told]:
    kind = kind_of(event.event, KINDS)
    if isinstance(kind, Passed):
        yield kind
        return
    exact = at_seconds(event.ts_epoch)
    seconds = exact.timestamp() / 1000 if exact else None
    echo = echoed(event.custom)
    yield Notice(
        kind=kind,
        event=f"{event.event} {event.message_id} {event.ts_epoch or event.ts_event or event.ts}",
        recipient=event.email,
        at=at_seconds(seconds if seconds is not None else event.ts_event or event.ts),
        message_id=echo.message_id if echo.token else bracketed(event.message_id or ""),
        token=echo.token,
        meaning=BOUNCES.get(event.event, is_.UNCLEAR),
        diagnostic=event.reason or "",
    )
