"""Questions on their way from one Message-ID's key to the next, and at last back to the asking mail's own."""

from datetime import timedelta

import msgspec

from postroad.routing.case import Case, Question, SeekFollowers, SeekOrigin, SeekThread
from postroad.routing.state import MessageState, best, found_at
from postroad.stage import Decision, descent
from postroad_schemas import event_id
from postroad_schemas.message import FollowerSought, Origin, OriginSought, ThreadSought

PATIENCE = timedelta(minutes=10)
"""How long after the asking mail's acceptance a question waits for a message to be settled."""

replace = msgspec.structs.replace


def question(case: Case, seek: Question) -> ThreadSought | OriginSought | FollowerSought:
    """What is not known at the asking mail's key, sent to where it is."""
    match seek:
        case SeekThread():
            return _thread_sought(case, seek)
        case SeekOrigin():
            return _origin_sought(case, seek)
        case SeekFollowers():
            return _follower_sought(case, seek)


def asked(event: ThreadSought | OriginSought, state: MessageState) -> Decision[MessageState]:
    """At a key on the way. It waits only for a message accepted before the asking one: so none waits in a ring.

    Where no acceptance is open there is nothing to wait for: one of ours that came back settles nothing (R1).
    """
    taken_before = state.accepted_at is not None and state.accepted_at < event.accepted_at
    if taken_before and state.asks and state.settled is None:
        if any(other.event_id == event.event_id for other in state.waiting):
            return Decision(state)
        return Decision(replace(state, waiting=(*state.waiting, event)))
    return Decision(state, (onward(event, state),))


def onward(event: ThreadSought | OriginSought, state: MessageState) -> ThreadSought | OriginSought:
    """With what is known here, to the next key."""
    if isinstance(event, ThreadSought):
        found = found_at(event.sought, state.settled)
        if found is not None and found.token:
            return passed_on(replace(event, handle=best((event.handle, found))))
        thread = event.handle.links[0].thread if event.handle else ""
        return passed_on(replace(event, best=best((event.best, found), thread)))
    if state.settled is None:
        return passed_on(event)
    link = next(iter(state.settled.links), None)
    origin = Origin(
        known=True,
        ours=state.settled.ours,
        recipient=state.settled.recipient,
        author=state.settled.author_contact or state.settled.author,
        thread=link.thread if link else "",
    )
    return passed_on(replace(event, origin=origin))


def passed_on(event: ThreadSought | OriginSought) -> ThreadSought | OriginSought:
    """To the next key, or back. The id derives from the question's, so that a repeat is recognised."""
    named = event_id(event.event_id, "onward", event.sought)
    if isinstance(event, OriginSought):
        return replace(event, event_id=named, cause_id=event.event_id, sought="")
    sought, remaining = (event.remaining[0], event.remaining[1:]) if event.remaining else ("", ())
    return replace(event, event_id=named, cause_id=event.event_id, sought=sought, remaining=remaining)


def _thread_sought(case: Case, seek: SeekThread) -> ThreadSought:
    mail = case.mail
    return ThreadSought(
        **descent(mail, "thread"),
        asking=mail.message_id,
        mail_id=mail.event_id,
        accepted_at=mail.occurred_at,
        sought=seek.keys[0],
        remaining=seek.keys[1:],
    )


def _origin_sought(case: Case, seek: SeekOrigin) -> OriginSought:
    mail = case.mail
    return OriginSought(
        **descent(mail, "origin"),
        asking=mail.message_id,
        mail_id=mail.event_id,
        accepted_at=mail.occurred_at,
        sought=seek.message_id,
    )


def _follower_sought(case: Case, seek: SeekFollowers) -> FollowerSought:
    mail, address = case.mail, case.facts.author
    return FollowerSought(
        **descent(mail, "follower"),
        asking=mail.message_id,
        mail_id=mail.event_id,
        address=address,
        contacts=tuple(contact.contact_id for contact in case.views.contacts.with_address(address)),
        thread=seek.threads[0],
        remaining=seek.threads[1:],
    )
