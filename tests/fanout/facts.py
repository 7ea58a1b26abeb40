"""A small company and its threads, for the tests of fan-out."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from postroad.fanout.thread import Thread
from postroad.fanout.threads import decide
from postroad.stage import Decision, Emission
from postroad.views import Views
from postroad_schemas import Row, event_id, key_of, topic_of
from postroad_schemas.address import AddressBlacklisted
from postroad_schemas.chatter import ChatterPosted, RecordRequested
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    Contact,
    ContactChannel,
    ContactKind,
    Policy,
    SigningKey,
)
from postroad_schemas.values import Author, Follower, Post

E = TypeVar("E")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
THREAD = "lead/7"
ALICE = Contact(contact_id="alice", addresses=("Alice@example.com",), name="Alice", kind=ContactKind.INTERNAL)
BEN = Contact(contact_id="ben", addresses=("ben@example.com", "b@home.example"), name="Ben", kind=ContactKind.INTERNAL)
INA = Contact(
    contact_id="ina",
    addresses=("ina@example.com",),
    name="Ina",
    kind=ContactKind.INTERNAL,
    channel=ContactChannel.IN_APP,
)
MARY = Contact(contact_id="mary", addresses=("mary@customer.example",), name="Mary Miller", language="fr-CA")
GONE = Contact(contact_id="gone", addresses=("gone@customer.example",), active=False)
MUTE = Contact(contact_id="mute", addresses=())
CONTACTS = (ALICE, BEN, INA, MARY, GONE, MUTE)

DOMAIN = AliasDomain(name="example.com", company="Example", default=True)
SALES = Alias(local_part="sales", domain="example.com", record_type="lead", owner_thread="team/1", created_at=NOON)
SUPPORT = Alias(local_part="support", domain="example.com", record_type="ticket", policy=Policy.CONTACTS)


def views(*rows: Row, contacts: Iterable[Contact] = CONTACTS, key: bool = True, domain: bool = True) -> Views:
    found = Views(secret=lambda reference: reference.encode())
    signing = (SigningKey(key_id="a", secret="env:KEY"),) if key else ()
    for row in (*((DOMAIN,) if domain else ()), SALES, SUPPORT, *signing, *rows):
        found.apply(topic_of(row), key_of(row), row)
    for contact in contacts:
        found.apply("contacts", contact.contact_id, contact)
    return found


def blacklist(found: Views, address: str) -> Views:
    row = AddressBlacklisted(event_id=event_id(address), occurred_at=NOON, trace_id="t", address=address, rule="B4")
    found.apply("suppressions", address, row)
    return found


def follows(*contacts: str, notes: bool = True) -> tuple[Follower, ...]:
    """Contact ids, and bare addresses for what has an @."""
    return tuple(
        Follower(address=name, notes=notes) if "@" in name else Follower(contact=name, notes=notes) for name in contacts
    )


def at(minutes: int = 0) -> datetime:
    return NOON + timedelta(minutes=minutes)


def says(post: Post, *, name: str = "p1", follow: bool = False, minutes: int = 0) -> ChatterPosted:
    """A post on the thread; `name` tells posts apart."""
    return ChatterPosted(
        event_id=event_id(name), occurred_at=at(minutes), trace_id="t", thread=THREAD, post=post, follow=follow
    )


def by(author: Contact | str, **fields: Any) -> Post:
    if isinstance(author, str):
        return Post(author=Author(address=author), **fields)
    return Post(author=Author(address=author.addresses[0].lower(), contact=author.contact_id), **fields)


def requests(post: Post, **fields: Any) -> RecordRequested:
    fields = {"alias": "sales@example.com", "domain": "example.com", "title": "Chairs"} | fields
    return RecordRequested(
        event_id=event_id("request"),
        occurred_at=NOON,
        trace_id="t",
        thread=THREAD,
        record_type="lead",
        post=post,
        mail_id="m" * 32,
        **fields,
    )


def run(found: Views, *events: Any, state: Thread | None = None) -> Decision[Thread]:
    """What follows from the last event, each taken twice: the second time nothing new may come of it."""
    decision = Decision(state or Thread())
    for event in events:
        decision = decide(event, decision.state, found)
        assert decide(event, decision.state, found) == decision
    return decision


def only(kind: type[E], emitted: Iterable[Emission]) -> E:
    found = [event for event in emitted if isinstance(event, kind)]
    assert len(found) == 1
    return found[0]


def every(kind: type[E], emitted: Iterable[Emission]) -> list[E]:
    return [event for event in emitted if isinstance(event, kind)]
