"""Mails and directories as the tests of routing need them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from postroad.mail.message_id import Flag, OwnId, mint
from postroad.routing.core import decide
from postroad.routing.state import EMPTY, MessageState
from postroad.stage import Decision, Emission
from postroad.views import Views
from postroad_schemas import event_id
from postroad_schemas.directory import Contact
from postroad_schemas.mail import Door, MailReceived, MailRouted
from postroad_schemas.message import MessageSettled, Outcome, ThreadSought
from postroad_schemas.values import Envelope, Mailbox, ObjectRef, ThreadLink
from tests.support import declared

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOB = "bob@example.org"
CATCHALL = "catchall@example.com"
BOUNCE = "bounce@example.com"
PLAIN = Flag(0)

DIRECTORY: dict[str, Any] = {
    "domain": [{"name": "example.com", "company": "Example", "default": True}],
    "alias": [
        {"address": "sales@example.com", "record_type": "lead", "defaults": {"team": 3}},
        {"address": "support@example.com", "record_type": "ticket"},
        {"address": "jobs@example.com", "record_type": "applicant", "policy": "contacts", "refusal_text": "Call us."},
        {"address": "board@example.com", "record_type": "task", "thread": "task/7"},
        {"address": "panel@example.com", "record_type": "task", "thread": "task/7"},
        {"address": "team@example.com", "record_type": "ticket", "policy": "followers", "owner_thread": "team/1"},
        {"address": "nobody@example.com", "record_type": "ticket", "policy": "followers"},
    ],
    "contact": [{"contact_id": "c1", "addresses": ["carol@example.org"], "name": "Carol"}],
}


def views(document: dict[str, Any] = DIRECTORY, closed: Iterable[str] = (), **parameters: str) -> Views:
    """`parameters`: names with `__` for a dot."""
    named = {name.replace("__", "."): value for name, value in parameters.items()}
    made = declared.views(document | {"parameters": document.get("parameters", {}) | named})
    made.closed.update(closed)
    return made


def contact(views: Views, contact_id: str, address: str, **fields: Any) -> None:
    views.apply("contacts", contact_id, Contact(contact_id=contact_id, addresses=(address,), **fields))


def boxes(*addresses: str) -> tuple[Mailbox, ...]:
    return tuple(Mailbox(address=address) for address in addresses)


def mail(
    name: str = "m1",
    *,
    to: Iterable[str] = (),
    cc: Iterable[str] = (),
    sender: str = BOB,
    envelope: Envelope | None = None,
    minute: float = 0,
    copy: int = 0,
    **fields: Any,
) -> MailReceived:
    """A mail named `<m1@example.org>`; another copy of it is another acceptance."""
    accepted = event_id("test", name, str(copy))
    author = Mailbox(address=sender, name=sender.partition("@")[0].title()) if sender else None
    return MailReceived(
        event_id=accepted,
        trace_id=accepted,
        occurred_at=START + timedelta(minutes=minute),
        door=Door.SMTP,
        envelope=Envelope(mail_from=sender or None) if envelope is None else envelope,
        message_id=fields.pop("message_id", f"<{name}@example.org>"),
        raw=ObjectRef(ref="sha256/" + "0" * 64, size=100),
        author=author,
        from_=(author,) if author else (),
        to=boxes(*to),
        cc=boxes(*cc),
        subject=fields.pop("subject", "A question"),
        **fields,
    )


def take(event: Any, seen: Views, state: MessageState = EMPTY) -> Decision[MessageState]:
    return decide(event, state, seen)


def end(emissions: Iterable[Emission]) -> MailRouted | MessageSettled:
    """The one end of an acceptance: on to its budgets, or settled."""
    (found,) = [each for each in emissions if isinstance(each, MailRouted | MessageSettled)]
    return found


def answered(seen: Views, event: MailReceived, *known: MessageSettled) -> MailRouted | MessageSettled:
    """The mail's end, once its question has been at the keys that it names. Others than these know nothing."""
    states = {one.settled: take(one, seen).state for one in known}
    decision = take(event, seen)
    own = decision.state
    while sought := [each for each in decision.emit if isinstance(each, ThreadSought)]:
        (asked,) = sought
        decision = take(asked, seen, states.get(asked.sought, EMPTY) if asked.sought else own)
    return end(decision.emit)


def told(event: MailReceived, seen: Views) -> tuple[str, str, list[str]]:
    """Outcome or "routed", rule, and what the routes are."""
    found = answered(seen, event)
    if isinstance(found, MessageSettled):
        return found.outcome, found.rule, []
    return "routed", found.rule, [f"{'new' if r.new else r.thread} {r.record_type} {r.alias}" for r in found.routes]


def own_id(seen: Views, thread: str = "lead/1", flags: Flag = PLAIN, seconds: int = 1_700_000_000) -> str:
    """A Message-ID of ours, signed."""
    return mint(seen.keys, OwnId(thread, "a" * 16, flags, seconds), "example.com")


def settled(
    message: str, *threads: str, minute: float = 0, outcome: Outcome = Outcome.DELIVERED, **fields: Any
) -> MessageSettled:
    """What became of `<message@example.org>`, or of a handle."""
    key = message if len(message) == 16 or message.startswith("<") else f"<{message}@example.org>"
    named = event_id("settled", key, str(minute), outcome)
    links = fields.pop(
        "links",
        tuple(
            ThreadLink(thread=thread, record_type=thread.partition("/")[0], first_message="<first@x>")
            for thread in threads
        ),
    )
    return MessageSettled(
        event_id=named,
        trace_id=named,
        occurred_at=START + timedelta(minutes=minute),
        settled=key,
        outcome=outcome,
        links=links,
        **fields,
    )
