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


def _received(mail: MailReceived, state: MessageState, views: Views) -> Decision[MessageState]:
    if mail.event_id in state.done:
        return Decision(state, _freed(mail))
    if ask := state.ask(mail.event_id):
        return Decision(state, (*_freed(mail), *ask.emitted))
    facts = reading.read(mail, views)
    why, only = _first_sight(mail, facts, state, views)
    ask = Ask(mail_id=mail.event_id, mail=mail, only=only)
    seen = dict.fromkeys((*state.aliases, *facts.aliases))
    state = replace(
        state,
        accepted_at=state.accepted_at or mail.occurred_at,
        aliases=tuple(seen),
        until=remembered(state.until, mail.occurred_at, views),
    )
    state, emitted = _continued(Case(mail, facts, views, ask, why), state)
    return Decision(state, (*_freed(mail), *emitted))


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
    new = tuple(name for name in facts.aliases if name not in state.aliases)
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
    ask = state.ask(event.mail_id)
    if ask is None:
        return Decision(state)
    learned = _learned(event, ask)
    if ask.mail is None or learned is ask:
        return Decision(state, ask.emitted)
    case = Case(ask.mail, reading.read(ask.mail, views), views, learned)
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
    """What became of this message. A duplicate's end changes nothing and wakes nobody."""
    mine = state.ask(event.mail_id) if event.mail_id else None
    if mine is not None:
        state = replace(state, asks=tuple(ask for ask in state.asks if ask is not mine))
    if event.outcome is Outcome.DUPLICATE:
        return Decision(state)
    done = dict.fromkeys((*state.done, event.mail_id)) if event.mail_id else state.done
    known = replace(
        state,
        done=tuple(done),
        settled=settled_by(event, state.settled),
        waiting=(),
        until=remembered(state.until, event.occurred_at, views),
    )
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
