"""What must come out of the trial worker, computed from what went in alone, and how a run differs from it."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from postroad.stage import Call, Decision, Emission, Sender, Stage
from postroad.views import Views
from postroad_schemas import Event, Ticked, Tombstone, key_of, topic_of
from tests.conformance.stages import SENDER, STAGES, answer

Core: TypeAlias = Stage[Any] | Sender[Any, Any, Any]
CORES: tuple[Core, ...] = (*STAGES, SENDER)
LAST = datetime(9999, 1, 1, tzinfo=UTC)  # by then everything has fallen due


class Identity(NamedTuple):
    """One record: a repeat has the same identity. Rows without event id have an empty one."""

    topic: str
    key: str
    event_id: str


@dataclass(frozen=True)
class Expected:
    """Every record but ticks, those that went in among them; the states that are left; the dead letters."""

    records: set[Identity] = field(default_factory=set)
    states: dict[tuple[str, str], msgspec.Struct] = field(default_factory=dict)
    dead: set[Identity] = field(default_factory=set)


@dataclass(frozen=True)
class Audit:
    """Nothing of it may be there, but for repeats where a runner may repeat."""

    lost: frozenset[Identity]
    unexpected: frozenset[Identity]
    repeats: Mapping[Identity, int]
    wrong: Mapping[tuple[str, str], tuple[msgspec.Struct | None, msgspec.Struct | None]]  # expected, found

    @property
    def clean(self) -> bool:
        return not (self.lost or self.unexpected or self.wrong)

    def __str__(self) -> str:
        return (
            f"lost {len(self.lost)} {sorted(self.lost)[:3]}, unexpected {len(self.unexpected)} "
            f"{sorted(self.unexpected)[:3]}, wrong states {len(self.wrong)} {list(self.wrong.items())[:1]}, "
            f"repeats {sum(self.repeats.values())}"
        )


def identity(emission: Emission) -> Identity:
    if isinstance(emission, Tombstone):
        return Identity(emission.topic, emission.key, "")
    event_id = emission.event_id if isinstance(emission, Event) else ""
    return Identity(topic_of(emission), key_of(emission), event_id)


def expect(events: Sequence[Event]) -> Expected:
    """Runs the trial's stages over the events, which are in the order of their keys, and waits for all that is due."""
    expected = Expected()
    queue: deque[Emission] = deque(events)
    while queue:
        _take(queue, expected)
        if not queue:
            queue.extend(_sweep(expected))
    return expected


def compare(expected: Expected, records: Iterable[Identity], states: Mapping[tuple[str, str], msgspec.Struct]) -> Audit:
    """`records` as in the topics (no ticks, no dead letters), `states` by stage and key, without empty ones."""
    found = Counter(records)
    return Audit(
        lost=frozenset(expected.records - found.keys()),
        unexpected=frozenset(found.keys() - expected.records),
        repeats={record: times - 1 for record, times in found.items() if times > 1},
        wrong={
            where: (expected.states.get(where), states.get(where))
            for where in expected.states.keys() | states.keys()
            if expected.states.get(where) != states.get(where)
        },
    )


def _take(queue: deque[Emission], expected: Expected) -> None:
    emission = queue.popleft()
    which = identity(emission)
    expected.records.add(which)
    for core in CORES:
        if which.topic not in core.reads:
            continue
        state = expected.states.get((core.name, which.key), core.state())
        try:
            decision = _decide(core, emission, state)
        except ValueError:
            expected.dead.add(which)
        else:
            queue.extend(_keep(core, which.key, decision, expected))


def _decide(core: Core, emission: Any, state: Any) -> Decision[Any]:
    if isinstance(core, Stage):
        return core.decide(emission, state, Views())
    begun = SENDER.begin(emission, state, Views(), emission.occurred_at)
    if isinstance(begun, Call):
        reply = answer(begun.request)
        return SENDER.conclude(emission, begun.request, reply, state, Views(), emission.occurred_at)
    return begun


def _keep(core: Core, key: str, decision: Decision[Any], expected: Expected) -> tuple[Emission, ...]:
    if decision.state == core.state():
        expected.states.pop((core.name, key), None)
    else:
        expected.states[core.name, key] = decision.state
    return decision.emit


def _sweep(expected: Expected) -> list[Emission]:
    swept: list[Emission] = []
    for core in STAGES:
        for key in [key for name, key in expected.states if name == core.name]:
            state: Any = expected.states[core.name, key]
            if core.due is None or core.sweep is None or core.due(state) is None:
                continue
            tick = Ticked(event_id="", occurred_at=LAST, trace_id="", stage=core.name)
            swept.extend(_keep(core, key, core.sweep(tick, state, Views()), expected))
    return swept
