"""What the rules look at, and what they answer."""

from dataclasses import dataclass

import msgspec

from postroad.routing.facts import Facts
from postroad.routing.state import Ask
from postroad.views import Views
from postroad_schemas.mail import MailReceived, Refusal, Route
from postroad_schemas.message import Outcome
from postroad_schemas.outbound import DeliveryReported, FeedbackReported, LeaveAsked


class Case(msgspec.Struct, frozen=True):
    """One acceptance with all that was asked for it so far."""

    mail: MailReceived
    facts: Facts
    views: Views
    ask: Ask
    duplicate: str = ""  # R1: why it is one

    def overrides(self, rule: str) -> bool:
        """R17: whether a release says that this rule does not apply."""
        return self.mail.release is not None and self.mail.release.overrides(rule)


class Ruling(msgspec.Struct, frozen=True):
    """What a rule decided. Without an outcome the mail goes on to its budgets, with its routes and refusals."""

    rule: str
    why: str
    outcome: Outcome | None = None
    routes: tuple[Route, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    reports: tuple[DeliveryReported | FeedbackReported | LeaveAsked, ...] = ()
    flags: tuple[tuple[str, str], ...] = ()  # R12: (alias, why it is invalid); an empty reason clears the flag


@dataclass(frozen=True, slots=True)
class SeekThread:
    """R3: to be looked up, one key after another."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeekOrigin:
    """P4: who was the one recipient of this message?"""

    message_id: str


@dataclass(frozen=True, slots=True)
class SeekFollowers:
    """R12, R15: does the author follow these threads?"""

    threads: tuple[str, ...]


Question = SeekThread | SeekOrigin | SeekFollowers
