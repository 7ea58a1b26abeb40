"""Acceptance (I2): bytes durable, event acknowledged, and only then the door's yes.

One function for all doors. It returns what was accepted, or raises Unavailable: then the door says "not now".
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from weakref import WeakKeyDictionary

from postroad.ingest.read import Reading, read
from postroad.ingest.received import Acceptance, Stored, received
from postroad.runtime.worker import Tools
from postroad_schemas import event_id
from postroad_schemas.mail import Door, MailReceived
from postroad_schemas.values import Envelope

QUICK = 128 * 1024  # octets; a larger mail is read in a thread, so that other sessions go on
LARGE = 256 * 1024  # octets; of larger ones few are in memory at once
AT_ONCE = 2
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a mail came in. Door, session and ordinal make its id (I8)."""

    door: Door
    session: str
    ordinal: str
    peer: str = ""
    mailbox: str = ""
    record_type: str = ""
    keep_attachments: bool = True
    keep_original: bool = False


async def accept(raw: bytes | Callable[[], bytes], envelope: Envelope, origin: Origin, tools: Tools) -> MailReceived:
    """Stores the bytes and what they hold, publishes MailReceived, returns it. Raises Unavailable.

    The bytes of a large mail are better given by a call: it is made in a thread, when it is the mail's turn. What it
    raises is raised.
    """
    at = tools.clock()
    if isinstance(raw, bytes) and len(raw) <= LARGE:
        event = await _stored(raw, envelope, origin, tools, at)
    else:
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
            event = await _stored(raw, envelope, origin, tools, at)
    await tools.publish([event])
    return event


async def _stored(
    raw: bytes | Callable[[], bytes], envelope: Envelope, origin: Origin, tools: Tools, at: datetime
) -> MailReceived:
    quick = isinstance(raw, bytes) and len(raw) <= QUICK
    reading = _read(raw, origin) if quick else await asyncio.to_thread(_read, raw, origin)
    stored = await store(reading, tools)
    acceptance = Acceptance(
        event_id=event_id("accepted", origin.door, origin.session, origin.ordinal),
        at=at,
        door=origin.door,
        envelope=envelope,
        peer=origin.peer,
        mailbox=origin.mailbox,
        record_type=origin.record_type,
        trusted_authserv=tools.config.trusted_authserv,
    )
    described = partial(received, reading.mail, stored, acceptance, tools.views.directory)
    return described() if quick else await asyncio.to_thread(described)


def _read(raw: bytes | Callable[[], bytes], origin: Origin) -> Reading:
    return read(raw if isinstance(raw, bytes) else raw(), origin)


async def store(reading: Reading, tools: Tools) -> Stored:
    """Every object of a mail, each once. Raises Unavailable."""
    contents = list(dict.fromkeys(reading.objects))
    refs = await tools.store.put_all(contents)
    return reading.stored(dict(zip(contents, refs, strict=True)))
