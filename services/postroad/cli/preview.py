"""`postroad preview`: what each follower would get of a post. Nothing is sent, nothing is kept."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from postroad.cli.explain import views_now
from postroad.cli.main import complain
from postroad.cli.preview_copy import Copy, Previewer, told
from postroad.cli.propose import Where, absent, json_line, plain
from postroad.dispatch.caller import built_in_server
from postroad.fanout.threads import THREADS
from postroad.mail.address import normalise
from postroad.runtime.config import ConfigError
from postroad.runtime.objects import open_store
from postroad.runtime.reach import Reach
from postroad.runtime.state import states
from postroad.views import Views
from postroad_schemas import event_id
from postroad_schemas.chatter import Channel, ChatterPosted, NotificationPlanned, PostChunk, RecordRequested
from postroad_schemas.outbound import OutboundSubmitted

POSTS, MESSAGES = "chatter.published", "outbound.submitted"

Telling = ChatterPosted | RecordRequested


class Told(msgspec.Struct, frozen=True):
    """One of those whom it concerns: the plan's line (F3), and of mail the submission."""

    who: str
    channel: str
    reason: str
    submission: OutboundSubmitted | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The same for people, with the copy as it would go out."""

    who: str
    channel: str
    reason: str
    copy: Copy | None = None


def preview(
    what: Annotated[str, Parameter(name="WHAT", allow_leading_hyphen=True)],
    /,
    *,
    to: Annotated[str, Parameter(help="Only to this address.")] = "",
    raw: Annotated[
        bool,
        Parameter(negative="", help="The whole message, byte for byte as dispatch would send it; --to says whose."),
    ] = False,
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """What each follower would get of a post now: the plan with its reasons, server, From, envelope, the message.

    Of a message that is on the log its dates, ids, tokens and signatures are those that it has, so the bytes too; of a
    file without event_id and occurred_at they are made now. What the server will say is not known: one that announces
    less room than its row says (SIZE) is given links for attachments.

    Parameters
    ----------
    what
        A thread (crm.lead/7) for its last post again, the id of a post's event or of a submission, or a file (- for
        standard input) that holds a chatter.posted or outbound.submitted event as JSON.
    """
    try:
        found = _meant(what, where)
    except ConfigError:
        raise
    except (msgspec.MsgspecError, ValueError) as error:
        return complain(f"{what}: {error}", os.EX_DATAERR)
    except OSError as error:
        return complain(f"{what}: {error.strerror}", os.EX_NOINPUT)
    if found is None:
        return complain(f"{what}: no post of this thread or by this id is on the log, nor is it a file", os.EX_NOINPUT)
    views = views_now(where)
    concerned = list(_told(found, where, views))
    chosen = [one for one in concerned if not to or normalise(one.who) == normalise(to)]
    if to and not chosen:
        return absent("follower", to, [one.who for one in concerned])
    previewer = Previewer(views, built_in_server(where.settings.relay), open_store(where.settings.store.url))
    if raw:
        return asyncio.run(_raw(chosen, previewer))
    asyncio.run(_say(chosen, previewer, where.json))
    if not concerned and not where.json:
        complain(f"nobody is told: {found.thread} has no followers but the author, if any", os.EX_OK)
    return os.EX_OK


async def _say(concerned: list[Told], previewer: Previewer, json: bool) -> None:
    async for line in lines(concerned, previewer):
        print(json_line(msgspec.to_builtins(line)) if json else _words(line), flush=True)


async def _raw(concerned: list[Told], previewer: Previewer) -> int:
    """The one message that is meant, and on standard error what is not as dispatch would have it."""
    mailed = [one for one in concerned if one.submission]
    if not mailed:
        others = ", ".join(f"{one.who} is told by {one.channel} ({one.reason})" for one in concerned[:20])
        return complain(f"nobody gets a mail of it{others and f': {others}'}", os.EX_NOINPUT)
    if len(mailed) > 1:
        names = ", ".join(one.who for one in mailed[:20])
        return complain(f"{len(mailed)} get a mail of it: name one with --to ({names})", os.EX_USAGE)
    (one,) = mailed
    assert one.submission is not None
    copy, message = await previewer.copy(one.submission)
    if copy.unsendable:
        return complain(f"not sent to {one.who}: {copy.unsendable}", os.EX_DATAERR)
    if copy.uncomposed:
        return complain(f"not composed: {copy.uncomposed}", os.EX_UNAVAILABLE)
    for why in copy.unsigned:
        complain(f"shown without a signature: {why}; where dispatch cannot read it either, the mail waits", os.EX_OK)
    sys.stdout.buffer.write(message)
    return os.EX_OK


def _meant(what: str, where: Where) -> Telling | OutboundSubmitted | None:
    """The post or submission that is meant.

    Raises MsgspecError or ValueError for a file that holds neither, OSError for one that cannot be read.
    """
    if what == "-" or Path(what).is_file():
        return _written(sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes())
    reached = where.reach()
    return newest(reached, what) or submitted(reached, what)


def _written(content: bytes) -> ChatterPosted | OutboundSubmitted:
    """What stands in every event may be left out."""
    fields: Any = msgspec.json.decode(content)
    if not isinstance(fields, dict):
        raise ValueError("a JSON object is needed")  # what is read is wrong, not who calls
    new_id = event_id("previewed", content.decode("utf-8", "replace"))
    given = {"event_id": new_id, "occurred_at": datetime.now(UTC), "trace_id": new_id, "type": "chatter.posted"}
    return msgspec.convert({**given, **fields}, ChatterPosted | OutboundSubmitted)


def newest(reached: Reach, what: str) -> Telling | None:
    """The last post of a thread, or the one with this event or post id."""
    found: Telling | None = None
    for seen in reached.records(POSTS):
        event = seen.event
        if isinstance(event, ChatterPosted | RecordRequested) and what in (
            event.thread,
            event.event_id,
            event.post.post_id,
        ):
            found = event
    return found


def submitted(reached: Reach, what: str) -> OutboundSubmitted | None:
    """The submission with this id."""
    events = (seen.event for seen in reached.records(MESSAGES))
    return next((event for event in events if isinstance(event, OutboundSubmitted) and event.event_id == what), None)


def _told(found: Telling | OutboundSubmitted, where: Where, views: Views) -> Iterator[Told]:
    """Whom it concerns, in the order of the plan."""
    if isinstance(found, OutboundSubmitted):
        yield Told(normalise(found.recipient), Channel.MAIL, "submitted", found)
        return
    plans, copies = emitted(found, states(where.settings).one(THREADS, found.thread), views)
    for planned in plans:
        for one in planned.followers:
            copy = copies.get(one.address) if one.channel is Channel.MAIL else None
            yield Told(one.address or one.contact, one.channel, one.reason, copy)


def emitted(post: Telling, state: Any, views: Views) -> tuple[list[NotificationPlanned], dict[str, OutboundSubmitted]]:
    """What fan-out would emit, chunk after chunk: plans, and copies by their recipient's normalised address."""
    plans: list[NotificationPlanned] = []
    copies: dict[str, OutboundSubmitted] = {}
    left: list[Telling | PostChunk] = [post]
    while left:
        decision = THREADS.decide(left.pop(), state, views)
        state = decision.state
        for emission in decision.emit:
            match emission:
                case NotificationPlanned():
                    plans.append(emission)
                case OutboundSubmitted():
                    copies[normalise(emission.recipient)] = emission
                case PostChunk():
                    left.append(emission)
    return plans, copies


async def lines(concerned: list[Told], previewer: Previewer) -> AsyncIterator[Line]:
    for one in concerned:
        copy = (await previewer.copy(one.submission))[0] if one.submission else None
        yield Line(who=one.who, channel=one.channel, reason=one.reason, copy=copy)


def _words(line: Line) -> str:
    said = [f"{line.who}: {line.channel} ({line.reason})", *(told(line.copy) if line.copy else ())]
    return "\n".join(plain(each.replace("\t", " ")) for each in said)
