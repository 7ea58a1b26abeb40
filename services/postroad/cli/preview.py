"""`postroad preview`: what each follower would get of a post. Nothing is sent, nothing is kept."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from postroad.cli.explain import views_now
from postroad.cli.main import complain
from postroad.cli.propose import Where, json_line, plain
from postroad.dispatch.attempt import Plan
from postroad.dispatch.bulk import as_list_mail
from postroad.dispatch.caller import built_in_server
from postroad.dispatch.plan import notification_of, plan
from postroad.dispatch.reports import shown
from postroad.fanout.threads import THREADS
from postroad.mail.address import normalise
from postroad.mail.compose import header
from postroad.runtime.reach import Reach
from postroad.runtime.state import states
from postroad.views import Views
from postroad_schemas import event_id
from postroad_schemas.chatter import Channel, ChatterPosted, NotificationPlanned, PostChunk, RecordRequested
from postroad_schemas.directory import Smarthost
from postroad_schemas.outbound import OutboundSubmitted

POSTS = "chatter.published"

Telling = ChatterPosted | RecordRequested


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A copy as it would go out; or why it would not."""

    recipient: str
    server: str = ""
    rule: str = ""  # the step of O1
    from_before: str = ""  # O2
    from_after: str = ""
    envelope_from: str = ""  # O4
    reply_to: str = ""
    header: str = ""  # fields of the message, those of its content aside
    unsendable: str = ""  # O6, O9


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One follower: the plan's line (F3), and of mail the copy."""

    who: str
    channel: str
    reason: str
    copy: Rendered | None = None


def preview(
    what: Annotated[str, Parameter(name="WHAT", allow_leading_hyphen=True)],
    /,
    *,
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """What each follower would get of a post now: the plan with its reasons, server, From, envelope, header.

    Parameters
    ----------
    what
        A thread (crm.lead/7) for its last post again, the id of a post's event, or a file (- for standard input)
        that holds a chatter.posted event as JSON.
    """
    try:
        found = _post(what, where)
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        return complain(f"{what}: {error}", os.EX_DATAERR)
    if found is None:
        return complain(f"{what}: no post of this thread or by this id is on the log, nor is it a file", os.EX_NOINPUT)
    live = states(where.settings).one(THREADS, found.thread)
    views = views_now(where)
    plans, copies = emitted(found, live, views)
    for line in lines(plans, copies, views, built_in_server(where.settings.relay)):
        print(json_line(msgspec.to_builtins(line)) if where.json else _words(line))
    if not any(told.followers for told in plans) and not where.json:
        complain(f"nobody is told: {found.thread} has no followers but the author, if any", os.EX_OK)
    return os.EX_OK


def _post(what: str, where: Where) -> Telling | None:
    """The post that is meant. Raises MsgspecError or ValueError for what is no post, OSError for an unreadable file."""
    if what == "-" or Path(what).is_file():
        return _written(sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes())
    return newest(where.reach(), what)


def _written(content: bytes) -> ChatterPosted:
    """What stands in every event may be left out."""
    fields: Any = msgspec.json.decode(content)
    if not isinstance(fields, dict):
        raise ValueError("a JSON object is needed")  # what is read is wrong, not who calls
    new_id = event_id("previewed", content.decode("utf-8", "replace"))
    given = {"event_id": new_id, "occurred_at": datetime.now(UTC), "trace_id": new_id, "type": "chatter.posted"}
    return msgspec.convert({**given, **fields}, ChatterPosted)


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


def lines(
    plans: list[NotificationPlanned], copies: dict[str, OutboundSubmitted], views: Views, relay: Smarthost
) -> Iterator[Line]:
    """One for each follower, in the order of the plan."""
    for told in plans:
        for one in told.followers:
            copy = copies.get(one.address) if one.channel is Channel.MAIL else None
            yield Line(
                who=one.address or one.contact,
                channel=one.channel,
                reason=one.reason,
                copy=rendered(copy, views, relay) if copy else None,
            )


def rendered(submission: OutboundSubmitted, views: Views, relay: Smarthost) -> Rendered:
    """As dispatch would send it now, by the same plan."""
    planned = plan(submission, views, relay)
    reply_to = shown(submission.reply_to) if submission.reply_to else ""
    if not isinstance(planned, Plan):
        why = f"{planned.failure}: {planned.why}"
        return Rendered(recipient=submission.recipient, reply_to=reply_to, unsendable=why)
    message = as_list_mail(submission, notification_of(submission), views)
    fields = header(message, planned.from_after, message.occurred_at)
    return Rendered(
        recipient=planned.recipient,
        server=planned.server.name,
        rule=planned.rule,
        from_before=shown(planned.from_before),
        from_after=shown(planned.from_after),
        envelope_from=planned.envelope_from,
        reply_to=reply_to,
        header=fields.decode("utf-8", "replace").replace("\r\n", "\n"),
    )


def _words(line: Line) -> str:
    said = [f"{line.who}: {line.channel} ({line.reason})"]
    if line.copy and line.copy.unsendable:
        said.append(f"  not sent: {line.copy.unsendable}")
    elif line.copy:
        copy = line.copy
        changed = "" if copy.from_before == copy.from_after else f", was {copy.from_before}"
        said.append(f"  by {copy.server} ({copy.rule}), From {copy.from_after}{changed}")
        said.append(f"  envelope from <{copy.envelope_from}> to <{copy.recipient}>")
        said += [f"  | {field}" for field in copy.header.splitlines()]
    return "\n".join(plain(each.replace("\t", " ")) for each in said)
