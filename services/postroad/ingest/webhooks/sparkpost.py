"""SparkPost: many events a request, unsigned; the secret is the basic authentication of the webhook.

`msg_from` is the envelope's sender as we gave it. Which message of ours it is stands in `rcpt_meta` too, if the server
that sent it is declared as SparkPost's.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.notice import Kind, Meaning, Notice, Passed, Told, kind_of
from postroad.ingest.webhooks.reading import at_seconds, each, echoed
from postroad.ingest.webhooks.shared import bears_secret

KINDS: dict[str, Kind] = {
    "bounce": Kind.FAILED,
    "out_of_band": Kind.FAILED,
    "policy_rejection": Kind.FAILED,
    "generation_failure": Kind.FAILED,
    "generation_rejection": Kind.FAILED,
    "delay": Kind.DELAYED,
    "delivery": Kind.DELIVERED,
    "spam_complaint": Kind.COMPLAINED,
    "list_unsubscribe": Kind.LEFT,
    "link_unsubscribe": Kind.LEFT,
    "injection": Kind.IGNORED,
    "open": Kind.IGNORED,
    "initial_open": Kind.IGNORED,
    "amp_open": Kind.IGNORED,
    "amp_initial_open": Kind.IGNORED,
    "click": Kind.IGNORED,
    "amp_click": Kind.IGNORED,
    "sms_status": Kind.IGNORED,
}

# Bounce classification codes, and the kinds of event that have none.
BOUNCES: dict[str, Meaning] = {
    "1": is_.UNCLEAR,
    "10": is_.NO_MAILBOX,
    "20": is_.SOFT,
    "21": Meaning(status="4.4.3"),
    "22": is_.FULL,
    "23": is_.TOO_LARGE,
    "24": is_.UNREACHED,
    "25": is_.SUPPRESSED,
    "26": is_.SUPPRESSED,
    "30": is_.NO_MAILBOX,
    "40": is_.SOFT,
    "50": is_.BLOCKED,
    "51": is_.BLOCKED,
    "52": is_.CONTENT,
    "53": is_.CONTENT,
    "54": is_.BLOCKED,
    "60": is_.NO_FAILURE,
    "70": is_.SOFT,
    "80": is_.NO_FAILURE,
    "90": is_.LEAVE,
    "100": Meaning(status="4.7.0"),
    "policy_rejection": is_.SUPPRESSED,
    "generation_failure": is_.NOT_TRIED,
    "generation_rejection": is_.NOT_TRIED,
}


class Event(msgspec.Struct):
    type: str
    event_id: str = ""
    timestamp: float | str = 0
    rcpt_to: str = ""
    raw_rcpt_to: str = ""
    msg_from: str | None = ""
    message_id: str | None = ""  # SparkPost's own
    bounce_class: str | int | None = ""
    raw_reason: str | None = ""
    reason: str | None = ""
    fbtype: str | None = ""
    rcpt_meta: Any = None


class Wrapped(msgspec.Struct):
    """One key, which names the class of the event; none in the request that tries the webhook out."""

    msys: dict[str, msgspec.Raw]


verify = bears_secret
_EVENT = msgspec.json.Decoder(Event)


def parse(body: bytes) -> Iterable[Told]:
    return each(body, Wrapped, _unwrapped)


def _unwrapped(wrapped: Wrapped) -> Iterator[Told]:
    if not wrapped.msys:
        yield Passed("ignored", "ping")
    for name, raw in wrapped.msys.items():
        if not name.endswith("_event"):
            yield Passed("unknown", name[:100])
            continue
        try:
            event = _EVENT.decode(raw)
        except msgspec.MsgspecError as error:
            yield Passed("unreadable", str(error)[:200])
        else:
            yield from _told(event)


def _told(event: Event) -> Iterator[Told]:
    kind = kind_of(event.type, KINDS)
    if isinstance(kind, Passed):
        yield kind
        return
    meaning = BOUNCES.get(event.type) or BOUNCES.get(str(event.bounce_class or ""), is_.UNCLEAR)
    if kind is Kind.FAILED:
        kind = meaning.kind
    if kind is Kind.IGNORED:
        yield Passed("ignored", f"bounce class {event.bounce_class}")
        return
    echo = echoed(event.rcpt_meta)
    yield Notice(
        kind=kind,
        event=event.event_id or f"{event.type} {event.message_id} {event.timestamp}",
        recipient=event.raw_rcpt_to or event.rcpt_to,
        at=at_seconds(event.timestamp) if event.timestamp else None,
        message_id=echo.message_id,
        token=echo.token,
        return_path=event.msg_from or "",
        provider_message=event.message_id or "",
        meaning=meaning,
        diagnostic=event.raw_reason or event.reason or "",
        feedback_type=event.fbtype or "",
    )
