"""What the rules look at, and what they answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

import msgspec

from postroad.routing.facts import Facts
from postroad.routing.state import Ask
from postroad.views import Views
from postroad_schemas import event_id
from postroad_schemas.mail import MailReceived, Refusal, Route
from postroad_schemas.message import FollowerAnswer, Found, Origin, Outcome
from postroad_schemas.outbound import DeliveryReported, FeedbackReported


class Case(msgspec.Struct, frozen=True):
    """One acceptance with all that was asked for it so far."""

    mail: MailReceived
    facts: Facts
    views: Views
    duplicate: str = ""  # R1: why it is one
    only: tuple[str, ...] | None = None  # R1: a copy; only these aliases count
    asked_threads: bool = False
    found: Found | None = None  # the best reference
    handle: Found | None = None  # the thread of a reply handle
    asked_origin: bool = False
    origin: Origin | None = None
    answers: dict[str, FollowerAnswer] | None = None  # by thread; None: not asked yet

    @property
    def released_from(self) -> str:
        """R17: the rule that held it and does not apply again."""
        return self.mail.release.rule if self.mail.release else ""


def case_of(mail: MailReceived, ask: Ask, facts: Facts, views: Views, duplicate: str = "") -> Case:
    return Case(
        mail=mail,
        facts=facts,
        views=views,
        duplicate=duplicate,
        only=ask.only,
        asked_threads=ask.asked_threads,
        found=ask.found,
        handle=ask.handle,
        asked_origin=ask.asked_origin,
        origin=ask.origin,
        answers=None if ask.answers is None else {answer.thread: answer for answer in ask.answers},
    )


class Ruling(msgspec.Struct, frozen=True):
    """What a rule decided. Without an outcome the mail goes on to its budgets, with its routes and refusals."""

    rule: str
    why: str
    outcome: Outcome | None = None
    routes: tuple[Route, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    reports: tuple[DeliveryReported | FeedbackReported, ...] = ()
    flags: tuple[tuple[str, str], ...] = ()  # R12: (alias, why it is invalid); an empty reason clears the flag


@dataclass(frozen=True, slots=True)
class SeekThread:
    """R3: to be looked up, one key after another."""

    keys: tuple[str, ...]
    best: Found | None


@dataclass(frozen=True, slots=True)
class SeekOrigin:
    """P4: who was the one recipient of this message?"""

    message_id: str


@dataclass(frozen=True, slots=True)
class SeekFollowers:
    """R12, R15: does the author follow these threads?"""

    threads: tuple[str, ...]


Question = SeekThread | SeekOrigin | SeekFollowers


class Descent(TypedDict):
    event_id: str
    occurred_at: datetime
    trace_id: str
    cause_id: str


def descent(mail: MailReceived, step: str, ordinal: int = 0) -> Descent:
    """Whence an event comes that follows from an acceptance: derived from it alone, so that a repeat is the same."""
    return {
        "event_id": event_id(mail.event_id, step, str(ordinal)),
        "occurred_at": mail.occurred_at,
        "trace_id": mail.trace_id,
        "cause_id": mail.event_id,
    }
