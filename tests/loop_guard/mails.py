"""Routed mails as the guard's tests need them, and a small log that runs the guard over its keys."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from postroad.loop_guard.budget import Ledger
from postroad.loop_guard.budgets import BUDGETS
from postroad.stage import Emission
from postroad.views import Views
from postroad_schemas import key_of
from postroad_schemas.mail import (
    Budget,
    BudgetReturned,
    Door,
    MailReceived,
    MailRouted,
    Notice,
    Refusal,
    Release,
    Route,
    Scope,
)
from postroad_schemas.values import Author, Mailbox, ObjectRef, Post

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
BOB = Author(address="bob@example.org", name="Bob")
LEAD = Route(
    rule="R9",
    thread="lead/1",
    new=True,
    alias="sales@example.com",
    record_type="lead",
    defaults={"team": 3},
    author=BOB,
)
REPLY = Route(rule="R3", thread="ticket/7", record_type="ticket", parent="<first@x>", author=BOB)

AUTHOR = Budget(key="author sales@example.com bob@example.org", scope=Scope.AUTHOR, limit=2, window=7200)
ALIAS = Budget(key="alias sales@example.com", scope=Scope.ALIAS, limit=2, window=7200)
TYPE = Budget(key="type lead bob@example.org", scope=Scope.TYPE, limit=2, window=7200)
THREAD = Budget(key="thread ticket/7 bob@example.org", scope=Scope.THREAD, limit=2, window=7200)
WORDS = Budget(key="fingerprint abc", scope=Scope.FINGERPRINT, limit=1, window=7200)


def shadow(budget: Budget) -> Budget:
    return msgspec.structs.replace(budget, shadow=True)


def routed(
    name: str,
    minute: float = 0,
    budgets: Iterable[Budget] = (AUTHOR,),
    routes: tuple[Route, ...] = (LEAD,),
    refusals: tuple[Refusal, ...] = (),
    post: Post | None = None,
    release: Release | None = None,
    addressee: str = "bob@example.org",
) -> MailRouted:
    at = START + timedelta(minutes=minute)
    message_id = f"<{name}@example.org>"
    mail = MailReceived(
        event_id=name,
        occurred_at=at,
        trace_id=name,
        door=Door.SMTP,
        message_id=message_id,
        raw=ObjectRef(ref="sha256/00", size=1),
        author=Mailbox(address="bob@example.org", name="Bob"),
        subject="Hello",
        references=("<a@x>",),
        release=release,
    )
    return MailRouted(
        event_id=f"routed {name}",
        occurred_at=at,
        trace_id=name,
        mail_id=name,
        message_id=message_id,
        received_at=at,
        rule="R9",
        routes=routes,
        refusals=refusals,
        notice=Notice(addressee=addressee),
        post=post or Post(message_id=message_id, author=BOB, subject="Hello"),
        mail=mail,
        budgets=tuple(budgets),
        directory_version=4,
        why="an alias among the recipients",
    )


class Guard:
    """The guard over all its keys. What it sends itself is taken at once, in order; the rest is kept in `out`."""

    def __init__(self) -> None:
        self.states: dict[str, Ledger] = {}
        self.out: list[Emission] = []

    def take(self, event: MailRouted | BudgetReturned) -> list[Emission]:
        """What leaves the guard because of this event."""
        before = len(self.out)
        waiting: list[MailRouted | BudgetReturned] = [event]
        while waiting:
            following = waiting.pop(0)
            key = key_of(following)
            decision = BUDGETS.decide(following, self.states.get(key, Ledger()), Views())
            self.states[key] = msgspec.json.decode(msgspec.json.encode(decision.state), type=Ledger)
            for emission in decision.emit:
                if isinstance(emission, MailRouted | BudgetReturned):
                    waiting.append(emission)
                else:
                    self.out.append(emission)
        return self.out[before:]

    def passes(self, event: MailRouted) -> bool:
        return any(type(emission).__name__ in ("RecordRequested", "ChatterPosted") for emission in self.take(event))

    def counted(self, budget: Budget) -> list[str]:
        return [entry[1] for entry in self.states.get(budget.key, Ledger()).recent.entries]
