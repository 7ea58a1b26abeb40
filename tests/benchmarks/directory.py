"""How large views and states become: 100,000 aliases, 1,000,000 contacts, Message-IDs remembered."""

import gc
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from postroad.routing.core import ROUTING
from postroad.views import Views
from postroad_schemas.directory import Alias, AliasDomain, Contact, row_key
from postroad_schemas.mail import MailRouted
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import ThreadLink
from tests.benchmarks.processes import megabytes
from tests.routing.mails import mail
from tests.routing.mails import views as known_views

_LOOK_UPS = 20_000


def views_filled(aliases: int, contacts: int) -> tuple[Views, float, float]:
    """The views, seconds until they are filled, megabytes they take."""
    gc.collect()
    before, started, views = megabytes(os.getpid()), time.perf_counter(), Views()
    domain = AliasDomain(name="example.com", default=True)
    views.apply("directory", row_key(domain), domain)
    for n in range(aliases):
        alias = Alias(local_part=f"team{n}", domain="example.com", record_type="crm.lead")
        views.apply("directory", row_key(alias), alias)
    for n in range(contacts):
        views.apply("contacts", str(n), Contact(contact_id=str(n), addresses=(f"anna{n}@customer.example",)))
    return views, time.perf_counter() - started, megabytes(os.getpid()) - before


def look_up_microseconds(views: Views, aliases: int, contacts: int) -> float:
    """One address of ours and one contact, each time others."""
    started = time.perf_counter()
    for n in range(_LOOK_UPS):
        views.directory.ours(f"team{n * 7919 % aliases}@example.com")
        views.contacts.known(f"anna{n * 7919 % contacts}@customer.example")
    return (time.perf_counter() - started) / _LOOK_UPS * 1e6


def settled_state_octets(messages: int = 1000) -> float:
    """Octets of the encoded state of a Message-ID whose mail opened a record, its outcome known."""
    seen, encode = known_views(), msgspec.msgpack.Encoder().encode
    return sum(len(encode(state)) for state in _settled(messages, seen)) / messages


def _settled(messages: int, seen: Views) -> Iterator[msgspec.Struct]:
    for n in range(messages):
        taken = ROUTING.decide(mail(f"m{n}", to=["sales@example.com"]), ROUTING.state(), seen)
        [routed] = [event for event in taken.emit if isinstance(event, MailRouted)]
        end = MessageSettled(
            event_id=f"{n:032x}",
            occurred_at=datetime(2026, 11, 24, tzinfo=UTC),
            trace_id=routed.trace_id,
            settled=routed.message_id,
            mail_id=routed.mail_id,
            outcome=Outcome.DELIVERED,
            rule="R9",
            links=tuple(ThreadLink(thread=r.thread, alias=r.alias, record_type=r.record_type) for r in routed.routes),
        )
        yield ROUTING.decide(end, taken.state, seen).state
