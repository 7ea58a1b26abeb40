"""What the catalogue says of a topic."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

WORKERS = ("ingest", "routing", "loop_guard", "bounces", "fanout", "dispatch")

# O8: one due time per tier, so that the head of a tier is always the next one due.
TIERS: dict[str, timedelta | None] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "8h": timedelta(hours=8),
    "day": None,  # until the next UTC day (O5)
}


def normalise(address: str) -> str:
    """The key form of an address: lower case, domain in IDNA form (behaviour: "Normalised address").

    Writers of events pass addresses that are normalised already; this catches what they forget.
    """
    local, at, domain = address.strip().rpartition("@")
    if at and not domain.isascii():
        with contextlib.suppress(UnicodeError):
            domain = domain.lower().encode("idna").decode("ascii")
    return f"{local}{at}{domain}".lower()


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `group` names the topics that share keys and so must have as many partitions as one another."""

    name: str
    meaning: str
    key: str  # in words
    group: str
    events: dict[type, Callable[[Any], str]]  # each with what makes its key
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    table: bool = False  # compacted: the newest row of a key stands
    ticks: bool = False  # a stateful input: Ticked comes on it
    retention: timedelta = timedelta(days=7)  # of streams
