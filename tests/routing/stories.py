"""Stories of several mails, told to routing, the loop guard and the threads."""

from typing import Any

from postroad.fanout.threads import THREADS
from postroad.loop_guard.budgets import BUDGETS
from postroad.routing.core import ROUTING
from postroad.runtime.memory import MemoryLog
from postroad.views import Views
from postroad_schemas.chatter import ThreadOpened
from postroad_schemas.message import MessageSettled
from postroad_schemas.values import Follower
from tests.routing.mails import START, views


class Story:
    """Routing, the loop guard and the threads, one event after another."""

    def __init__(self, seen: Views | None = None) -> None:
        self.log = MemoryLog((ROUTING, BUDGETS, THREADS), views=seen or views(), start=START)
        self.out: list[Any] = []
        self.log.listen(lambda _, __, emission, ___: self.out.append(emission))

    def tell(self, *events: Any) -> list[Any]:
        self.out.clear()
        for event in events:
            self.log.publish([event])
            self.log.rest()
        return self.out

    def settled(self) -> list[MessageSettled]:
        return [e for e in self.out if isinstance(e, MessageSettled) and e.mail_id]


def of(kind: type, found: list[Any]) -> list[Any]:
    return [each for each in found if isinstance(each, kind)]


def opened(thread: str, *followers: Follower) -> ThreadOpened:
    return ThreadOpened(event_id=thread, trace_id=thread, occurred_at=START, thread=thread, followers=followers)
