"""Routing: knows every Message-ID, finds duplicates, threads and aliases, and gives each mail its outcome.

State of a key is what is known of one message. Decisions of a mail fall at its own key alone and are kept there until
the mail has its outcome; what is known elsewhere is asked by events that travel from key to key.
"""

from datetime import datetime
from typing import Any

import msgspec

from postroad.mail.message_id import read_own
from postroad.routing import chain
from postroad.routing import facts as reading
from postroad.routing.case import Case, Ruling
from postroad.routing.outcome import emissions
from postroad.routing.rules import decided
from postroad.routing.state import EMPTY, Ask, Emitted, MessageState, remembered, settled_by
from postroad.stage import Decision, Emission, Stage
from postroad.views import Views
from postroad_schemas import Ticked, Tombstone
from postroad_schemas.mail import MailReceived
from postroad_schemas.message import FollowerAnswered, MessageSettled, OriginSought, Outcome, ThreadSought

replace = msgspec.structs.replace


def decide(event: Any, state: MessageState, views: Views) -> Decision[MessageState]:
    match event:
        case MailReceived():
            return _received(event, state, views)
        case ThreadSought() | OriginSought() if event.sought:
            return chain.asked(event, state)
        case ThreadSought() | OriginSought() | FollowerAnswered():
            return _resumed(event, state, views)
        case MessageSettled():
            return _settled(event, state, views)
        case _:
            raise TypeError(f"routing does not read {type(event).__name__}")


# a mail at its own key


def judged(event: Any, state: MessageState, views: Views) -> Case | None:
    """The case that `decide` puts to the rules at this event; None where nothing is to be decided, or no more."""
    if isinstance(event, MailReceived):
        if event.event_id in state.done or state.ask(event.event_id):
            return None
        facts = reading.read(event, views)
        why, only = _first_sight(event, facts, state, views)
        return Case(event, facts, views, Ask(mail_id=event.event_id, mail=event, only=only), why)
    ask = state.ask(event.mail_id)
    if ask is None or ask.mail is None:
        return None
    learned = _learned(event, ask)
    return None if learned is ask else Case(ask.mail, reading.read(ask.mail, views), views, learned)


def _received(mail: MailReceived, state: MessageState, views: Views) -> Decision[MessageState]:
    case = judged(mail, state, views)
    if case is None:
        return Decision(state, (*_freed(mail), *_said_before(mail.event_id, state)))
    seen = dict.fromkeys((*state.aliases, *case.facts.aliases))
    state = replace(
        state,
        accepted_at=state.accepted_at or mail.occurred_at,
        aliases=tuple(seen),
        until=remembered(state.until, mail.occurred_at, views),
    )
    state, emitted = _continued(case, state)
    return Decision(state, (*_freed(mail), *emitted))


def _said_before(mail_id: str, state: MessageState) -> tuple[Emission, ...]:
    """What an event that comes again is answered with."""
    ask = state.ask(mail_id)
    return ask.emitted if ask else ()


def _first_sight(
    mail: MailReceived, facts: reading.Facts, state: MessageState, views: Views
) -> tuple[str, tuple[str, ...] | None]:
    """R1: why it is a duplicate; or, of a copy, the aliases that no earlier copy named."""
    if mail.release is not None:
        return "", None
    if read_own(views.keys, mail.message_id) is not None:
        return "one of ours came back: its Message-ID bears our signature", None
    if state.settled is not None and state.settled.ours:
        return "one of ours came back: a post has this Message-ID", None
    if state.accepted_at is None:
        return "", None
    earlier = reading.names_now(state.aliases, views)
    new = tuple(name for name in facts.aliases if name not in earlier)
    if not new or facts.bounce or mail.report is not None:
        return f"taken already, first at {state.accepted_at:%Y-%m-%d %H:%M:%S} UTC", None
    return "", new


def _freed(mail: MailReceived) -> tuple[Emission, ...]:
    """R17: what is released is held no more."""
    return (Tombstone("held", mail.release.held),) if mail.release else ()


def _resumed(
    event: ThreadSought | OriginSought | FollowerAnswered, state: MessageState, views: Views
) -> Decision[MessageState]:
    """A question is back at the asking mail's key. An answer that was heard before is answered as before."""
    case = judged(event, state, views)
    if case is None:
        return Decision(state, _said_before(event.mail_id, state))
    return Decision(*_continued(case, state))


def _learned(event: ThreadSought | OriginSought | FollowerAnswered, ask: Ask) -> Ask:
    match event:
        case ThreadSought() if not ask.asked_threads:
            return replace(ask, asked_threads=True, found=event.best, handle=event.handle)
        case OriginSought() if not ask.asked_origin:
            return replace(ask, asked_origin=True, origin=event.origin)
        case FollowerAnswered() if ask.answers is None:
            return replace(ask, answers=event.answers)
        case _:
            return ask


def _continued(case: Case, state: MessageState) -> tuple[MessageState, tuple[Emitted, ...]]:
    """The rules' answer, kept with the ask: a ruling ends it, a question goes on its way."""
    answer = decided(case)
    if isinstance(answer, Ruling):
        emitted = emissions(case, answer)
        ask = Ask(mail_id=case.ask.mail_id, mail=None, emitted=emitted)
    else:
        emitted = (chain.question(case, answer),)
        ask = replace(case.ask, emitted=emitted)
    return state.with_ask(ask), emitted


def _settled(event: MessageSettled, state: MessageState, views: Views) -> Decision[MessageState]:
    """What became of this message. A duplicate's end changes nothing, and wakes only who waited for nothing else."""
    mine = state.ask(event.mail_id) if event.mail_id else None
    if mine is not None:
        state = replace(state, asks=tuple(ask for ask in state.asks if ask is not mine))
    if event.outcome is not Outcome.DUPLICATE:
        done = dict.fromkeys((*state.done, event.mail_id)) if event.mail_id else state.done
        state = replace(
            state,
            done=tuple(done),
            settled=settled_by(event, state.settled),
            until=remembered(state.until, event.occurred_at, views),
        )
    if state.settled is None and state.asks:
        return Decision(state)
    known = replace(state, waiting=()) if state.waiting else state
    return Decision(known, tuple(chain.onward(question, known) for question in state.waiting))


def due(state: MessageState) -> datetime | None:
    times = [question.accepted_at + chain.PATIENCE for question in state.waiting]
    return min((*times, state.until), default=None) if state.until else min(times, default=None)


def sweep(tick: Ticked, state: MessageState, _: Views) -> Decision[MessageState]:
    """Questions that waited too long go on with nothing found; what nobody spoke of for long is forgotten."""
    now = tick.occurred_at
    late = tuple(question for question in state.waiting if question.accepted_at + chain.PATIENCE <= now)
    waiting = tuple(question for question in state.waiting if question not in late)
    state = replace(state, waiting=waiting) if late else state
    if state.until is not None and state.until <= now and not waiting:
        state = EMPTY
    return Decision(state, tuple(chain.passed_on(question) for question in late))


ROUTING = Stage(
    name="routing",
    worker="routing",
    reads=("mail.received", "message.sought", "message.settled"),
    writes=(
        "message.sought",
        "message.settled",
        "thread.sought",
        "mail.routed",
        "mail.refused",
        "delivery.reported",
        "address.observed",
        "held",
        "directory.proposed",
    ),
    state=MessageState,
    decide=decide,
    tables=("directory", "contacts", "closed-threads"),
    due=due,
    sweep=sweep,
)
