"""Acceptance (I2): bytes durable, event acknowledged, and only then the door's yes.

One function for all doors. It returns what was accepted, or raises Unavailable: then the door says "not now".
"""

import asyncio
from dataclasses import dataclass

from postroad.ingest.read import Reading, read
from postroad.ingest.received import Acceptance, Stored, received
from postroad.runtime.worker import Tools
from postroad_schemas import event_id
from postroad_schemas.mail import Door, MailReceived
from postroad_schemas.values import Envelope

LARGE = 128 * 1024  # octets; a larger mail is read in a thread, so that other sessions go on


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


async def accept(raw: bytes, envelope: Envelope, origin: Origin, tools: Tools) -> MailReceived:
    """Stores the bytes and what they hold, publishes MailReceived, returns it. Raises Unavailable."""
    at = tools.clock()
    reading = await asyncio.to_thread(read, raw, origin) if len(raw) > LARGE else read(raw, origin)
    stored = await store(reading, tools)
    event = received(
        reading.mail,
        stored,
        Acceptance(
            event_id=event_id("accepted", origin.door, origin.session, origin.ordinal),
            at=at,
            door=origin.door,
            envelope=envelope,
            peer=origin.peer,
            mailbox=origin.mailbox,
            record_type=origin.record_type,
            trusted_authserv=tools.config.trusted_authserv,
        ),
        tools.views.directory,
    )
    await tools.publish([event])
    return event


async def store(reading: Reading, tools: Tools) -> Stored:
    """Every object of a mail, each once. Raises Unavailable."""
    contents = list(dict.fromkeys(reading.objects))
    refs = await tools.store.put_all(contents)
    return reading.stored(dict(zip(contents, refs, strict=True)))
