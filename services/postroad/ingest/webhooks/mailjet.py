"""Mailjet: one event a request, or many grouped, unsigned; the secret stands in the URL (basic authentication).

Mailjet gives messages ids of its own. Which message of ours it is stands in `Payload`, if the server that sent it is
declared as Mailjet's; `CustomID` (header `X-MJ-CustomID`) is ours if it is a Message-ID.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.notice import Kind, Meaning, Notice, Passed, Told, kind_of
from postroad.ingest.webhooks.reading import at_seconds, bracketed, each, echoed
from postroad.ingest.webhooks.shared import bears_secret

KINDS: dict[str, Kind] = {
    "bounce": Kind.FAILED,
    "blocked": Kind.FAILED,
    "spam": Kind.COMPLAINED,
    "unsub": Kind.LEFT,
    "sent": Kind.DELIVERED,
    "open": Kind.IGNORED,
    "click": Kind.IGNORED,
}

# `error` of a bounce, or of a message that was blocked before it was tried.
BOUNCES: dict[str, Meaning] = {
    "user unknown": is_.NO_MAILBOX,
    "mailbox inactive": is_.DISABLED,
    "quota exceeded": is_.FULL,
    "blacklisted": is_.SUPPRESSED,
    "spam reporter": is_.SUPPRESSED,
    "invalid domain": is_.NO_HOST,
    "no mail host": is_.NO_HOST,
    "relay/access denied": is_.BLOCKED,
    "greylisted": is_.DELAY,
    "typofix": is_.INVALID,
    "bad or empty template": is_.NOT_TRIED,
    "error in template language": is_.NOT_TRIED,
    "sender blocked": is_.BLOCKED,
    "content blocked": is_.CONTENT,
    "policy issue": is_.BLOCKED,
    "system issue": is_.SOFT,
    "protocol issue": is_.SOFT,
    "connection issue": is_.UNREACHED,
    "preblocked": is_.SUPPRESSED,
    "duplicate in campaign": is_.NOT_TRIED,
}


class Event(
    msgspec.Struct,
    rename={
        "provider_message": "MessageID",
        "guid": "Message_GUID",
        "custom_id": "CustomID",
        "payload": "Payload",
    },
):
    event: str
    time: float | str = 0
    email: str = ""
    provider_message: int | str | None = None
    guid: str | None = ""
    custom_id: str | None = ""
    payload: Any = None
    hard_bounce: bool | None = None
    error: str | None = ""
    comment: str | None = ""
    smtp_reply: str | None = ""


verify = bears_secret


def parse(body: bytes) -> Iterable[Told]:
    return each(body, Event, _told)


def _told(event: Event) -> Iterator[Told]:
    kind = kind_of(event.event, KINDS)
    if isinstance(kind, Passed):
        yield kind
        return
    meaning = _meaning(event)
    custom, echo = event.custom_id or "", echoed(event.payload)
    yield Notice(
        kind=meaning.kind if kind is Kind.FAILED else kind,
        event=f"{event.event} {event.guid or event.provider_message} {event.time}",
        recipient=event.email,
        at=at_seconds(event.time) if event.time else None,
        message_id=echo.message_id or (bracketed(custom) if "@" in custom else ""),
        token=echo.token,
        provider_message=str(event.provider_message or event.guid or ""),
        meaning=meaning,
        diagnostic=event.comment or event.smtp_reply or event.error or "",
    )


def _meaning(event: Event) -> Meaning:
    known = BOUNCES.get((event.error or "").lower())
    if known is not None:
        return known
    return is_.NOT_TRIED if event.event == "blocked" else is_.NO_MAILBOX if event.hard_bounce else is_.UNCLEAR
