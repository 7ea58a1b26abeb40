"""Stage `threads`: reads what happens on threads, keeps who follows each, emits what people are to be told."""

from typing import Any

import msgspec

from postroad.fanout.telling import short_of, tell, tell_on
from postroad.fanout.thread import Request, Thread, author_as_follower, followed, unfollowed
from postroad.mail.address import normalise
from postroad.stage import Decision, Emission, Stage, descent
from postroad.views import Views
from postroad_schemas import event_id
from postroad_schemas.address import ThreadShut
from postroad_schemas.chatter import (
    ChatterPosted,
    PostChunk,
    RecordRejected,
    RecordRequested,
    ThreadClosed,
    ThreadFollowed,
    ThreadOpened,
    ThreadUnfollowed,
)
from postroad_schemas.directory import AliasState, RowProposed
from postroad_schemas.mail import MailRefused, Refusal, RefusalReason
from postroad_schemas.message import FollowerAnswer, FollowerAnswered, FollowerSought
from postroad_schemas.values import Mailbox

_replace = msgspec.structs.replace


def decide(event: Any, state: Thread, views: Views) -> Decision[Thread]:
    """A thread never heard of is opened by whatever is first said of it."""
    match event:
        case RecordRequested():
            return _request(event, state, views)
        case ThreadOpened():
            return Decision(_open(event, state), _cleared(event, state, views))
        case ThreadFollowed():
            return Decision(followed(_heard_of(event.thread, state), event.followers))
        case ThreadUnfollowed():
            return Decision(unfollowed(_heard_of(event.thread, state), event.followers))
        case ThreadClosed():
            return _shut(event, _heard_of(event.thread, state), ())
        case ChatterPosted():
            return _post(event, _heard_of(event.thread, state), views)
        case PostChunk():
            return tell_on(event, state, views)
        case RecordRejected():
            return _reject(event, state, views)
        case FollowerSought():
            return Decision(state, (_answer(event, state),))
        case _:
            return Decision(state)


def _heard_of(thread: str, state: Thread) -> Thread:
    return state if state.known else _replace(state, known=True, record_type=thread.partition("/")[0])


def _open(event: ThreadOpened, state: Thread) -> Thread:
    """What the app leaves empty stays as it was. A closed thread stays closed: it was closed for good (R4)."""
    state = _heard_of(event.thread, state)
    state = _replace(
        state,
        record_type=event.record_type or state.record_type,
        title=event.title or state.title,
        alias=event.alias or state.alias,
        domain=event.domain or state.domain,
        owner_thread=event.owner_thread or state.owner_thread,
    )
    return followed(state, event.followers)


def _cleared(event: ThreadOpened, state: Thread, views: Views) -> tuple[Emission, ...]:
    """D2: the record that a mail asked for clears the flag of its alias."""
    alias = state.request.alias if state.request and not state.closed else ""
    if views.directory.flagged(alias) is None:
        return ()
    return (RowProposed(**descent(event, "flag"), row=AliasState(alias=alias, invalid=False), by="fanout"),)


def _request(event: RecordRequested, state: Thread, views: Views) -> Decision[Thread]:
    """R14. What apps and people changed since is not undone by a repeat."""
    state = _heard_of(event.thread, state)
    if state.request is None:
        state = _replace(
            state,
            record_type=event.record_type or state.record_type,
            title=state.title or event.title,
            domain=state.domain or event.domain,
            owner_thread=state.owner_thread or event.owner_thread,
            request=_kept_request(event),
        )
        state = followed(state, event.followers)
    return tell(event, state, views)


def _kept_request(event: RecordRequested) -> Request:
    post, author = event.post, event.post.author
    return Request(
        mail_id=event.mail_id,
        message_id=post.message_id,
        alias=event.alias,
        subject=post.subject or event.title,
        references=(post.in_reply_to,) if post.in_reply_to else (),
        author=Mailbox(address=author.address, name=author.name) if author.address else None,
        notice=event.notice,
    )


def _post(event: ChatterPosted, state: Thread, views: Views) -> Decision[Thread]:
    """R15: a known contact who answers follows, but not once more by a repeat of what he wrote."""
    author, short = event.post.author, short_of(event)
    if event.follow and author.contact and not any(post.short == short for post in state.posts):
        state = followed(state, (author_as_follower(author),), anew=False)
    return tell(event, state, views)


def _shut(event: ThreadClosed | RecordRejected, state: Thread, also: tuple[Emission, ...]) -> Decision[Thread]:
    shut = ThreadShut(**descent(event, "shut"), thread=event.thread, reason=event.reason)
    return Decision(_replace(state, closed=True), (shut, *also))


def _reject(event: RecordRejected, state: Thread, views: Views) -> Decision[Thread]:
    """R14: the sender hears of it in neutral words, the alias is flagged, the thread closed. Only if a mail opened it.

    The app's reason is for operators and stays off the notice.
    """
    request = state.request
    if request is None:
        return Decision(state)
    also: list[Emission] = [
        MailRefused(
            **descent(event, "refused"),
            mail_id=request.mail_id,
            message_id=request.message_id,
            refusals=(Refusal(reason=RefusalReason.RECORD_REJECTED, rule="R14", alias=request.alias),),
            notice=request.notice,
            subject=request.subject,
            references=request.references,
            author=request.author,
            window=views.directory.number("mail.gateway.loop.minutes") * 60,
            directory_version=views.directory.version,
        )
    ]
    if request.alias:
        flag = AliasState(alias=request.alias, invalid=True, reason=f"record rejected: {event.reason}".rstrip(": "))
        also.append(RowProposed(**descent(event, "flag"), row=flag, by="fanout"))
    return _shut(event, state, tuple(also))


def _answer(event: FollowerSought, state: Thread) -> FollowerSought | FollowerAnswered:
    """R12, R15: what is known here, carried to the next thread or back to the mail that asks."""
    keys = {entry.key for entry in state.followers}
    contact = next((entry for entry in event.contacts if f"contact {entry}" in keys), "")
    answer = FollowerAnswer(
        thread=event.thread,
        known=state.known,
        closed=state.closed,
        contact=contact,
        follows=bool(contact) or f"address {normalise(event.address)}" in keys,
    )
    answers = (*event.answers, answer)
    if not event.remaining:
        return FollowerAnswered(
            **descent(event, "answered"),
            asking=event.asking,
            mail_id=event.mail_id,
            answers=answers,
        )
    return _replace(
        event,
        event_id=event_id(event.event_id, "next"),
        cause_id=event.event_id,
        thread=event.remaining[0],
        remaining=event.remaining[1:],
        answers=answers,
    )


THREADS = Stage(
    name="threads",
    worker="fanout",
    reads=("chatter.published", "thread.sought", "fanout.continued"),
    writes=(
        "notification.updated",
        "outbound.submitted",
        "message.settled",
        "message.sought",
        "thread.sought",
        "fanout.continued",
        "closed-threads",
        "mail.refused",
        "directory.proposed",
    ),
    state=Thread,
    decide=decide,
    tables=("directory", "contacts", "suppressions"),
)
