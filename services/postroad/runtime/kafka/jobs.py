"""Records on their way through a sender: which are done, and which must wait for their time."""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from aiokafka import TopicPartition

from postroad.runtime.step import Step
from postroad_schemas import TOPICS


class Offsets:
    """Which records of one topic partition are done."""

    def __init__(self, first: int) -> None:
        self._open: list[int] = []  # ascending, as they were read
        self._next = first

    def begin(self, offset: int) -> None:
        self._open.append(offset)
        self._next = offset + 1

    def done(self, offset: int) -> None:
        del self._open[bisect_left(self._open, offset)]

    @property
    def lowest(self) -> int:
        """The first offset that is not done: what may be committed."""
        return self._open[0] if self._open else self._next


@cache
def waits(topic: str) -> bool:
    """Whether a topic is a delay: every event on it has a time before which it must not be read.

    Its first record is then the next one due. Where only some events have such a time, they must not hold up the rest.
    """
    return all(
        any(field.name == "not_before" and field.required for field in msgspec.structs.fields(event))
        for event in TOPICS[topic].events
    )


@dataclass(slots=True)
class Job:
    """A record on its way. `key` differs from the record's for the keys that a tick finds due."""

    at: TopicPartition
    offset: int
    key: bytes
    event: Any
    message: Any


@dataclass(slots=True)
class Outcome:
    """What a job came to, waiting to be written."""

    job: Job
    step: Step
    keeps_row: bool = True  # a dead letter leaves the key's row as it is


@dataclass(slots=True)
class Line:
    """The jobs of one key, the first of them at work."""

    jobs: deque[Job] = field(default_factory=deque)
