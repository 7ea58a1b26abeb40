"""What a batch of Faust's is made of, and what it comes to."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from postroad.runtime.step import Step


class Read(NamedTuple):
    """A record as Faust read it."""

    topic: str
    partition: int
    offset: int
    timestamp: int  # milliseconds
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    event: Any  # Faust's


class Decided(NamedTuple):
    """What a batch comes to: its outputs, and the row each key ends with, beside an event of its partition."""

    steps: list[Step]
    rows: dict[bytes, tuple[bytes | None, Any]]


def read_of(event: Any) -> Read:
    message = event.message
    found = message.headers or ()
    pairs = list(found.items()) if isinstance(found, Mapping) else list(found)
    moment = int((message.timestamp or time.time()) * 1000)
    return Read(message.topic, message.partition, message.offset, moment, message.key, message.value, pairs, event)
