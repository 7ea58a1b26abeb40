"""Who is told of a post, how, and why (F1-F3, L7)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from postroad.fanout.thread import Following
from postroad.mail.address import normalise
from postroad.views import Views
from postroad_schemas import notification_id
from postroad_schemas.chatter import Channel, Planned, PlanReason
from postroad_schemas.directory import Contact, ContactChannel, ContactKind
from postroad_schemas.values import Mailbox, Post, PostKind


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the plan, and the mailbox that a copy goes to."""

    planned: Planned
    mailbox: Mailbox


@dataclass(frozen=True, slots=True)
class _Person:
    """A follower with what the contacts say of him now."""

    following: Following
    contact: Contact | None
    address: str  # as written
    addresses: frozenset[str]  # all of his, normalised
    named: bool

    @property
    def internal(self) -> bool:
        return self.contact is not None and self.contact.kind == ContactKind.INTERNAL


def plan(
    post: Post, message_id: str, followers: Iterable[Following], named: Collection[str], views: Views
) -> tuple[Told, ...]:
    """F3: every one of `followers` with channel and reason. `named`: keys of those addressed by name."""
    served = {normalise(address) for address in post.mailed_to}
    silenced = views.directory.flag("mail.blacklist.chatter")
    told: list[Told] = []
    for following in followers:
        person = _person(following, following.key in named, views)
        address = normalise(person.address)
        channel, reason = _choose(post, person, address, served, silenced, views)
        mailed = channel == Channel.MAIL
        if mailed:
            served.add(address)  # two followers, one address: one copy
        name = person.contact.name if person.contact and person.contact.name else following.name
        planned = Planned(
            contact=person.contact.contact_id if person.contact else following.contact,
            address=address,
            channel=channel,
            reason=reason,
            notification_id=notification_id(message_id, address) if mailed else "",
        )
        told.append(Told(planned, Mailbox(address=person.address, name=name)))
    return tuple(told)


def _choose(
    post: Post, person: _Person, address: str, served: Collection[str], silenced: bool, views: Views
) -> tuple[Channel, PlanReason]:
    """The first that applies. What keeps words from somebody comes before how he is told, that before the address."""
    none, contact = Channel.NONE, person.contact
    if _is_author(post, person):
        return none, PlanReason.AUTHOR
    if contact is not None and not contact.active:
        return none, PlanReason.ARCHIVED
    if post.kind == PostKind.NOTE and not person.named and not (person.internal and person.following.notes):
        return none, PlanReason.NOTE
    if contact is not None and contact.channel == ContactChannel.IN_APP:
        return Channel.IN_APP, PlanReason.IN_APP
    if not address:
        return none, PlanReason.NO_ADDRESS
    if not person.addresses.isdisjoint(served):
        return none, PlanReason.ALREADY_ADDRESSED
    if views.directory.own(address):
        return none, PlanReason.OWN_ADDRESS
    if silenced and address in views.blacklisted:
        return none, PlanReason.SUPPRESSED
    if post.automatic is not None and not person.internal:
        return none, PlanReason.AUTOMATIC
    return Channel.MAIL, PlanReason.ADDRESSED if person.named else PlanReason.FOLLOWS


def _is_author(post: Post, person: _Person) -> bool:
    contact = person.contact.contact_id if person.contact else person.following.contact
    if post.author.contact and post.author.contact == contact:
        return True
    return bool(post.author.address) and normalise(post.author.address) in person.addresses


def _person(following: Following, named: bool, views: Views) -> _Person:
    """A bare address is its contact, if it has one: an active one first."""
    if following.contact:
        contact = views.contacts.get(following.contact)
    else:
        found = views.contacts.with_address(following.address)
        contact = next((c for c in found if c.active), found[0] if found else None)
    written = {normalise(address): address for address in contact.addresses} if contact else {}
    if following.address in written or not written:
        address = written.get(following.address, following.address)
    else:
        address = next(iter(written.values()))
    addresses = frozenset(entry for entry in (*written, normalise(address)) if entry)
    return _Person(following, contact, address, addresses, named)
