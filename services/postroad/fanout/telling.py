"""One step of telling a post: the plan of some hundred followers, their copies, and what is left (F1-F6)."""

import msgspec

from postroad.fanout.letter import Letter, answering, letter, references, shared_message_id, subject_of
from postroad.fanout.plan import Told, plan
from postroad.fanout.thread import KeptPost, Thread, behind, kept, merged, with_post
from postroad.mail.address import normalise
from postroad.mail.message_id import reply_handle
from postroad.stage import Decision, Emission, descent
from postroad.views import Views
from postroad_schemas import Event, event_id, short_id
from postroad_schemas.chatter import Channel, ChatterPosted, NotificationPlanned, PostChunk, RecordRequested
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Follower, Post, PostKind, Stream, ThreadLink

STEP = 500  # followers told in one step


def short_of(event: RecordRequested | ChatterPosted) -> str:
    """The 16 letters that stand for the event's post."""
    return short_id("post", event.thread, event.post.post_id or event.event_id)


def tell(event: RecordRequested | ChatterPosted, state: Thread, views: Views) -> Decision[Thread]:
    """A post: kept, settled at its ids, told to the first followers. A repeat has the same ids and changes nothing."""
    short = short_of(event)
    at = next((index for index, entry in enumerate(state.posts) if entry.short == short), len(state.posts))
    earlier = state.posts[:at]
    post = msgspec.structs.replace(event.post, post_id=event.post.post_id or event.event_id)
    post = answering(_answering_note(post, earlier), earlier)
    message_id = (
        state.posts[at].own
        if at < len(state.posts)
        else shared_message_id(event.thread, state, post, short, event.occurred_at, views)
    )
    state = with_post(state, _kept_post(short, message_id, post))
    ids = references(post, message_id, earlier)
    copy = letter(event.thread, state, post, message_id, ids, subject_of(post, state.title), views)
    told, rest = _step(event, copy, state, views, after="", chunk=0)
    mailed = [event for event in told if isinstance(event, OutboundSubmitted)]
    recipient = normalise(mailed[0].recipient) if len(mailed) == 1 and not rest else ""
    return Decision(state, (*told, *_settled(event, copy, state, recipient, views), *rest))


def tell_on(event: PostChunk, state: Thread, views: Views) -> Decision[Thread]:
    """The next followers of a large thread."""
    copy = letter(event.thread, state, event.post, event.message_id, event.references, event.subject, views)
    told, rest = _step(event, copy, state, views, after=event.after, chunk=event.chunk)
    return Decision(state, (*told, *rest))


def _step(
    event: Event, copy: Letter, state: Thread, views: Views, after: str, chunk: int
) -> tuple[tuple[Emission, ...], tuple[Emission, ...]]:
    """The plan with its copies behind it, and the chunk that goes on after them."""
    named = tuple(map(kept, copy.post.notify))
    left = behind(merged(state.followers, named), after)
    now = left[:STEP]
    told = plan(copy.post, copy.message_id, now, {entry.key for entry in named}, views)
    planned = NotificationPlanned(
        **descent(event, "plan", str(chunk), root=_root(copy)),
        thread=copy.thread,
        post_id=copy.post.post_id,
        message_id=copy.message_id,
        chunk=chunk,
        followers=tuple(entry.planned for entry in told),
    )
    copies = tuple(_copy(event, copy, entry) for entry in told if entry.planned.channel == Channel.MAIL)
    if len(left) <= STEP:
        return (planned, *copies), ()
    following = PostChunk(
        **descent(event, "chunk", str(chunk + 1), root=_root(copy)),
        thread=copy.thread,
        post=copy.post,
        message_id=copy.message_id,
        subject=copy.subject,
        references=copy.references,
        after=now[-1].key,
        chunk=chunk + 1,
    )
    return (planned, *copies), (following,)


def _copy(event: Event, copy: Letter, told: Told) -> OutboundSubmitted:
    """Its id names post and recipient: followers of one address in two chunks are one submission for dispatch."""
    author = copy.post.author
    return OutboundSubmitted(
        **descent(event, "copy", told.planned.address, root=_root(copy)),
        recipient=told.mailbox.address,
        to=(told.mailbox,),
        from_=copy.from_,
        reply_to=copy.reply_to,
        subject=copy.subject,
        message_id=copy.message_id,
        in_reply_to=copy.in_reply_to,
        references=copy.references,
        headers=copy.headers,
        contents=copy.post.contents,
        stream=Stream.CHATTER,
        notification_id=told.planned.notification_id,
        thread=copy.thread,
        author=author.contact or author.address,
        domain=copy.domain,
    )


def _settled(event: Event, copy: Letter, state: Thread, recipient: str, views: Views) -> tuple[MessageSettled, ...]:
    """The post at its shared id; the thread at its reply handle, which says nothing of a single post's flags."""
    post = copy.post
    alias = state.request.alias if state.request else state.alias
    link = ThreadLink(thread=copy.thread, alias=alias, record_type=state.record_type, first_message=state.first)
    at_id = MessageSettled(
        **descent(event, "settled", root=_root(copy)),
        settled=copy.message_id,
        outcome=Outcome.POSTED,
        rule="F5",
        links=(link,),
        note=post.kind == PostKind.NOTE,
        automatic=post.acknowledgement,
        opens_new=post.opens_new,
        author=normalise(post.author.address),
        author_contact=post.author.contact,
        recipient=recipient,
        directory_version=views.directory.version,
        why=f"our post on {copy.thread}",
    )
    if not views.keys.keys:
        return (at_id,)
    at_handle = MessageSettled(
        **descent(event, "handle", root=_root(copy)),
        settled=reply_handle(views.keys, copy.thread),
        outcome=Outcome.POSTED,
        rule="F4",
        links=(link,),
        directory_version=views.directory.version,
        why=f"answers to this handle go to {copy.thread}",
    )
    return at_id, at_handle


def _root(copy: Letter) -> str:
    """F6: all ids come from the post, so that one published twice is told once."""
    return event_id("post", copy.thread, copy.post.post_id)


def _kept_post(short: str, message_id: str, post: Post) -> KeptPost:
    note, author = post.kind == PostKind.NOTE, post.author
    return KeptPost(short, message_id, post.message_id, note, author.contact, normalise(author.address))


def _answering_note(post: Post, earlier: tuple[KeptPost, ...]) -> Post:
    """R7: the author of a note is told of the note that answers it, as if addressed by name."""
    if post.kind != PostKind.NOTE or not post.in_reply_to:
        return post
    for entry in earlier:
        if entry.note and post.in_reply_to in (entry.own, entry.message_id):
            author = Follower(contact=entry.contact, address=entry.address)
            return msgspec.structs.replace(post, notify=(*post.notify, author))
    return post
