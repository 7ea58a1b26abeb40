"""Acceptance (I2): bytes durable, event acknowledged, and only then the door's yes.

One function for all doors. It returns what was accepted, or raises Unavailable: then the door says "not now".
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

from postroad.ingest.aside import Question, aside
from postroad.ingest.bounds import with_report
from postroad.ingest.read import read
from postroad.ingest.received import Acceptance, about_another, received
from postroad.runtime.worker import Tools
from postroad_schemas import event_id
from postroad_schemas.mail import Door, MailReceived
from postroad_schemas.values import Envelope

QUICK = 128 * 1024  # octets; a larger mail is read in a thread, so that other sessions go on
LARGE = 256 * 1024  # octets; larger ones are read by another process, and few are in memory at once
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
    acceptance = Acceptance(
        event_id=event_id("accepted", origin.door, origin.session, origin.ordinal),
        at=tools.clock(),
        door=origin.door,
        envelope=envelope,
        peer=origin.peer,
        mailbox=origin.mailbox,
        record_type=origin.record_type,
        trusted_authserv=tools.config.trusted_authserv,
    )
    if isinstance(raw, bytes) and len(raw) <= LARGE:
        event = await _small(raw, origin, acceptance, tools)
    else:
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
            content = raw if isinstance(raw, bytes) else await asyncio.to_thread(raw)
            event = await (_large if len(content) > LARGE else _small)(content, origin, acceptance, tools)
    await tools.publish([event])
    return event


async def _small(raw: bytes, origin: Origin, acceptance: Acceptance, tools: Tools) -> MailReceived:
    quick = len(raw) <= QUICK
    reading = read(raw, origin) if quick else await asyncio.to_thread(read, raw, origin)
    contents = list(dict.fromkeys(reading.objects))
    refs = await tools.store.put_all(contents)
    stored = reading.stored(dict(zip(contents, refs, strict=True)))
    make = partial(received, reading.mail, stored, acceptance, tools.views.directory)
    return make() if quick else await asyncio.to_thread(make)


async def _large(raw: bytes, origin: Origin, acceptance: Acceptance, tools: Tools) -> MailReceived:
    question = Question(raw, acceptance, origin.keep_attachments, origin.keep_original)
    answer = await asyncio.to_thread(aside.read, question)
    await tools.store.put_all([raw, *answer.objects])
    if answer.report and about_another(answer.event, tools.views.directory):
        return with_report(answer.event, answer.report)
    return answer.event
