"""Stages run on states that are looked up; what they would keep stays in an overlay, what they emit goes nowhere."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from postroad.routing import chain
from postroad.stage import Emission, Stage
from postroad.views import Views
from postroad_schemas import Event
from postroad_schemas.message import OriginSought, ThreadSought
from postroad_schemas.topics import key_of, topic_of

Look: TypeAlias = Callable[[str, str], Any]  # stage's name and key -> state of the key, the empty one if there is none
FOLLOWED = ("mail.received", "message.sought", "thread.sought", "mail.routed", "chatter.published", "mail.refused")
MOST_STEPS = 1_000


class Step(NamedTuple):
    """One event at one key."""

    stage: str
    key: str
    event: Any
    before: Any  # the key's state
    emitted: tuple[Emission, ...]
    waits: bool = False  # a question that would wait here; it was let go on with nothing found


def played(event: Event, stages: Sequence[Stage[Any]], look: Look, views: Views) -> list[Step]:
    """What follows from an event up to the outcome, step by step.

    Of a large thread only the first followers are told. Questions that would wait for another mail go on.
    """
    kept: dict[tuple[str, str], Any] = {}
    steps: list[Step] = []
    left: deque[Any] = deque((event,))
    while left and len(steps) < MOST_STEPS:
        now = left.popleft()
        key = key_of(now)
        for stage in (stage for stage in stages if topic_of(now) in stage.reads):
            before = kept[stage.name, key] if (stage.name, key) in kept else look(stage.name, key)
            decision = stage.decide(now, before, views)
            kept[stage.name, key] = decision.state
            waits = isinstance(now, ThreadSought | OriginSought) and now in getattr(decision.state, "waiting", ())
            steps.append(Step(stage.name, key, now, before, decision.emit, waits))
            left.extend(emitted for emitted in decision.emit if _followed(emitted))
            if waits:
                left.append(chain.passed_on(now))
    return steps


def _followed(emitted: Emission) -> bool:
    return isinstance(emitted, Event) and topic_of(emitted) in FOLLOWED
