"""What routing keeps at one Message-ID or reply handle: who took it, what became of it, who still asks."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from postroad.mail.message_id import is_handle
from postroad.views import Views
from postroad.views.directory import Directory
from postroad_schemas.address import AddressHeardFrom
from postroad_schemas.directory import RowProposed
from postroad_schemas.mail import HeldMail, MailReceived, MailRefused, MailRouted
from postroad_schemas.message import (
    FollowerAnswer,
    FollowerSought,
    Found,
    MessageSettled,
    Origin,
    OriginSought,
    Outcome,
    ThreadSought,
)
from postroad_schemas.outbound import DeliveryReported, FeedbackReported, LeaveAsked
from postroad_schemas.values import ThreadLink

Emitted: TypeAlias = (
    MailRouted
    | MailRefused
    | MessageSettled
    | HeldMail
    | DeliveryReported
    | FeedbackReported
    | LeaveAsked
    | AddressHeardFrom
    | RowProposed
    | ThreadSought
    | OriginSought
    | FollowerSought
)


class Link(msgspec.Struct, frozen=True, array_like=True):
    """A ThreadLink without its field names: there are millions of them."""

    thread: str
    alias: str = ""
    record_type: str = ""
    first_message: str = ""
    new: bool = False


class Settled(msgspec.Struct, frozen=True, array_like=True):
    """The newest of what is known of a message (MessageSettled)."""

    at: datetime
    ours: bool = False  # a post of ours
    links: tuple[Link, ...] = ()
    note: bool = False
    automatic: bool = False
    opens_new: bool = False
    author: str = ""
    author_contact: str = ""
    recipient: str = ""


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """One acceptance on its way to its outcome. `emitted` is repeated when an event comes again."""

    mail_id: str
    mail: MailReceived | None  # None: decided
    emitted: tuple[Emitted, ...] = ()
    only: tuple[str, ...] | None = None  # R1: a copy, and the aliases that no earlier copy had
    asked_threads: bool = False
    found: Found | None = None
    asked_origin: bool = False
    origin: Origin | None = None
    answers: tuple[FollowerAnswer, ...] | None = None
    handle: Found | None = None


class MessageState(msgspec.Struct, frozen=True, array_like=True):
    accepted_at: datetime | None = None  # of the first acceptance
    aliases: tuple[str, ...] = ()  # R1: seen over all copies, at their first sight
    done: tuple[str, ...] = ()  # acceptances that have their outcome, duplicates aside
    settled: Settled | None = None
    asks: tuple[Ask, ...] = ()
    waiting: tuple[ThreadSought | OriginSought, ...] = ()  # until this message is settled
    until: datetime | None = None  # forgotten then

    def ask(self, mail_id: str) -> Ask | None:
        for ask in self.asks:
            if ask.mail_id == mail_id:
                return ask
        return None

    def with_ask(self, ask: Ask) -> "MessageState":
        others = [other for other in self.asks if other.mail_id != ask.mail_id]
        return msgspec.structs.replace(self, asks=(*others, ask))


EMPTY = MessageState()


def memory(directory: Directory) -> timedelta:
    """How long a message is remembered after it was last put. At most ten years, so that no date overflows."""
    return timedelta(days=min(directory.number("mail.message.days"), 3650))


def remembered(until: datetime | None, at: datetime, views: Views) -> datetime:
    """When a message put at this time is forgotten (`mail.message.days`)."""
    new = at + views.directory.policy(memory)
    return new if until is None else max(until, new)


def found_at(sought: str, settled: Settled | None) -> Found | None:
    """What this key knows, as an answer. R4: what has no thread, or whose answers open a new record, is no parent."""
    if settled is None or not settled.links or settled.opens_new:
        return None
    return Found(
        message_id=sought,
        token=is_handle(sought),
        settled_at=settled.at,
        links=tuple(ThreadLink(**msgspec.structs.asdict(link)) for link in settled.links),
        note=settled.note,
        automatic=settled.automatic,
        author=settled.author,
        author_contact=settled.author_contact,
    )


def lands_on(found: Found, thread: str) -> bool:
    return any(link.thread == thread for link in found.links)


def best(known: Iterable[Found | None], thread: str = "") -> Found | None:
    """R3: the message settled last; one on this thread beats all others. Of equals the last, as the mail names them."""

    def weight(found: Found) -> tuple[bool, datetime]:
        return lands_on(found, thread), found.settled_at

    return max(reversed([*filter(None, known)]), key=weight, default=None)


def settled_by(event: MessageSettled, former: Settled | None) -> Settled:
    """What is known once this came. A copy that was taken too adds its threads; a repeat changes nothing."""
    links = tuple(Link(**msgspec.structs.asdict(link)) for link in event.links)
    if former is not None:
        if former.links and not links:  # a refused or held copy takes away nothing
            return former
        if former.at > event.occurred_at:
            return msgspec.structs.replace(former, links=_joined(former.links, links))
        links = _joined(former.links, links)
    return Settled(
        at=event.occurred_at,
        ours=event.outcome is Outcome.POSTED or (former is not None and former.ours),
        links=links,
        note=event.note,
        automatic=event.automatic,
        opens_new=event.opens_new,
        author=event.author,
        author_contact=event.author_contact,
        recipient=event.recipient,
    )


def _joined(former: tuple[Link, ...], new: tuple[Link, ...]) -> tuple[Link, ...]:
    threads = {link.thread for link in former}
    return (*former, *(link for link in new if link.thread not in threads))
