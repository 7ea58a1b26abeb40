"""What fan-out remembers of one thread: who follows it, how it is called, its last posts."""

from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from postroad.mail.address import normalise
from postroad_schemas.mail import Notice
from postroad_schemas.values import Author, Follower, Mailbox

POSTS_KEPT = 50


class Following(msgspec.Struct, frozen=True, array_like=True):
    """A follower as kept: a contact, or a bare normalised address."""

    contact: str = ""
    address: str = ""
    name: str = ""
    notes: bool = True

    @property
    def key(self) -> str:
        """Names a follower of a thread; followers are told in the order of their keys."""
        return f"contact {self.contact}" if self.contact else f"address {self.address}"


class KeptPost(msgspec.Struct, frozen=True, array_like=True):
    """One of the last posts, for references (F5) and for the author of a note (R7)."""

    short: str  # 16 letters, stands for the post in its Message-ID
    own: str  # Message-ID shared by our copies
    message_id: str = ""  # the relayed mail's own
    note: bool = False
    contact: str = ""  # the author
    address: str = ""


class Request(msgspec.Struct, frozen=True, array_like=True):
    """What is left of the mail that opened the thread, for a notice should the app reject the record (R14)."""

    mail_id: str
    message_id: str
    alias: str = ""
    subject: str = ""
    references: tuple[str, ...] = ()
    author: Mailbox | None = None
    notice: Notice = Notice()


class Thread(msgspec.Struct, frozen=True, array_like=True):
    """The state of `threads`. New fields come last, with defaults."""

    known: bool = False
    record_type: str = ""
    title: str = ""
    alias: str = ""  # bound to this thread, "local@domain"
    domain: str = ""  # the record's company; empty: the default alias domain
    owner_thread: str = ""
    closed: bool = False
    first: str = ""  # Message-ID of the first message
    followers: tuple[Following, ...] = ()  # in the order of their keys
    posts: tuple[KeptPost, ...] = ()  # oldest first
    request: Request | None = None


def kept(follower: Follower) -> Following:
    return Following(follower.contact, normalise(follower.address), follower.name, follower.notes)


def author_as_follower(author: Author) -> Follower:
    return Follower(contact=author.contact, address=author.address, name=author.name)


def followed(state: Thread, followers: Iterable[Follower], *, anew: bool = True) -> Thread:
    """With these followers too. `anew` false: who follows already stays as he is."""
    known = {entry.key: entry for entry in state.followers}
    before = dict(known)
    for follower in followers:
        entry = kept(follower)
        if (entry.contact or entry.address) and (anew or entry.key not in known):
            known[entry.key] = entry
    if known == before:
        return state
    return msgspec.structs.replace(state, followers=tuple(sorted(known.values(), key=_key)))


def unfollowed(state: Thread, followers: Iterable[Follower]) -> Thread:
    """Without these: neither as contact nor, if it is named too, as bare address."""
    gone: set[str] = set()
    for follower in followers:
        entry = kept(follower)
        gone |= {Following(contact=entry.contact).key, Following(address=entry.address).key}
    left = tuple(entry for entry in state.followers if entry.key not in gone)
    return state if left == state.followers else msgspec.structs.replace(state, followers=left)


def merged(followers: tuple[Following, ...], named: Iterable[Following]) -> tuple[Following, ...]:
    """Followers and those addressed by name, in the order of keys; a follower stays what he is."""
    known = {entry.key: entry for entry in named if entry.contact or entry.address}
    return tuple(sorted((known | {entry.key: entry for entry in followers}).values(), key=_key))


def behind(followers: tuple[Following, ...], after: str) -> tuple[Following, ...]:
    """Those whose key comes after this one."""
    return followers[bisect_right(followers, after, key=_key) :]


def with_post(state: Thread, post: KeptPost) -> Thread:
    """A repeat changes nothing."""
    if any(entry.short == post.short for entry in state.posts):
        return state
    posts = (*state.posts, post)[-POSTS_KEPT:]
    return msgspec.structs.replace(state, posts=posts, first=state.first or post.message_id or post.own)


def _key(entry: Following) -> str:
    return entry.key
