"""What all copies of one post share: ids, references, From, subject, headers (F4-F6)."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from postroad.fanout.reply_to import reply_to
from postroad.fanout.thread import KeptPost, Thread
from postroad.mail.compose_header import message_ids
from postroad.mail.message_id import Flag, OwnId, mint
from postroad.views import Views
from postroad_schemas.outbound import Header
from postroad_schemas.values import Mailbox, Post, PostKind

ANCESTORS = 3
NO_DOMAIN = "postroad.invalid"  # of an installation without alias domain (D1, RFC 2606)


@dataclass(frozen=True, slots=True)
class Letter:
    """A post as it is mailed, before it is addressed. Its post has its id."""

    thread: str
    post: Post
    message_id: str
    references: tuple[str, ...]
    in_reply_to: str
    subject: str
    from_: Mailbox | None
    reply_to: Mailbox | None
    headers: tuple[Header, ...]
    domain: str


def letter(
    thread: str, state: Thread, post: Post, message_id: str, references: tuple[str, ...], subject: str, views: Views
) -> Letter:
    return Letter(
        thread=thread,
        post=post,
        message_id=message_id,
        references=references,
        in_reply_to=post.in_reply_to,
        subject=subject,
        from_=sender(state, post, views),
        reply_to=reply_to(thread, state, views, token=not post.opens_new),
        headers=headers(thread, post),
        domain=state.domain,
    )


def own_message_id(views: Views, own: OwnId, domain: str) -> str:
    """Signed; plain without a signing key, or of a thread whose name takes more than a header line: then nothing is
    known of it but what is put at its key.
    """
    found = views.directory.domain(domain)
    name = found.name if found else NO_DOMAIN
    signed = mint(views.keys, own, name) if views.keys.current else ""
    return signed if message_ids([signed]) else f"<{own.post}@{name}>"


def shared_message_id(thread: str, state: Thread, post: Post, short: str, at: datetime, views: Views) -> str:
    """F5, F6: one id for all copies, the same whenever it is made of the same post."""
    flags = Flag(0)
    flags |= Flag.NOTE if post.kind == PostKind.NOTE else Flag(0)
    flags |= Flag.ACKNOWLEDGEMENT if post.acknowledgement else Flag(0)
    flags |= Flag.OPENS_NEW if post.opens_new else Flag(0)
    return own_message_id(views, OwnId(thread, short, flags, seconds(at)), state.domain)


def seconds(at: datetime) -> int:
    """Unix time as a Message-ID carries it, which begins in 1970."""
    return max(0, int(at.timestamp()))


def references(post: Post, message_id: str, earlier: tuple[KeptPost, ...]) -> tuple[str, ...]:
    """F5: up to three ancestors, public ones preferred; the message answered; the relayed mail's own id; the shared id.

    An ancestor that came by mail has two ids: whoever wrote it or got it directly knows its own, the others ours.
    An id named twice stands where it is nearest. A post whose answers open a new record has no ancestors (R4).
    """
    if post.opens_new:
        return (message_id,)
    preferred_last = sorted(earlier, key=lambda entry: not entry.note)  # stable: notes, then comments, newest last
    chosen = {entry.short for entry in preferred_last[-ANCESTORS:]}
    ancestors = [known_as for entry in earlier if entry.short in chosen for known_as in (entry.message_id, entry.own)]
    nearest_first = reversed([*ancestors, post.in_reply_to, post.message_id, message_id])
    return tuple(reversed([entry for entry in dict.fromkeys(nearest_first) if entry]))


def answering(post: Post, earlier: tuple[KeptPost, ...]) -> Post:
    """With the message it answers (RFC 5322 3.6.4); for an app's post that names none, the nearest ancestor.

    A comment answers no note, which who is outside never saw: then the nearest public ancestor.
    """
    visible = tuple(entry for entry in earlier if post.kind == PostKind.NOTE or not entry.note)
    hidden = {known_as for entry in earlier if entry not in visible for known_as in (entry.message_id, entry.own)}
    nearest = visible[-1].own if visible else ""
    match post:
        case Post(opens_new=True):
            named = ""
        case Post(in_reply_to=""):
            named = "" if post.message_id else nearest
        case _:
            named = nearest if post.in_reply_to in hidden else post.in_reply_to
    return msgspec.structs.replace(post, in_reply_to=named)


def subject_of(post: Post, title: str) -> str:
    return post.subject or answer_to(title)


def answer_to(title: str) -> str:
    """`Re: <title>`, once. Nothing for a record without title."""
    return title if not title or title[:3].lower() == "re:" else f"Re: {title}"


def sender(state: Thread, post: Post, views: Views) -> Mailbox | None:
    """R15: From as the mail had it; an app's post under the contact's name. None: the default From as it is."""
    author = post.author
    if post.message_id:
        return Mailbox(name=author.name, address=author.address) if author.address else None
    contact = views.contacts.get(author.contact) if author.contact else None
    name = contact.name if contact and contact.name else author.name
    first = contact.addresses[0] if contact and contact.addresses else ""
    address = author.address or first or (views.directory.default_from(state.domain) if name else "")
    return Mailbox(name=name, address=address) if address else None


def headers(thread: str, post: Post) -> tuple[Header, ...]:
    """F5, RFC 3834 5: what a machine says is marked as such; the relayed words of people are not."""
    found = [Header(name="X-Postroad-Thread", value=thread)]
    if post.acknowledgement or post.automatic is not None:
        found.append(Header(name="Auto-Submitted", value="auto-generated"))
    found.append(Header(name="X-Auto-Response-Suppress", value="OOF, AutoReply"))
    return tuple(found)
