"""What the catalogue says of a topic."""

import unicodedata
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
    """The key form of an address: lower case, domain in A-labels (RFC 5890; "ß" stays itself, as IDNA 2008 has it).

    Writers of events pass addresses that are normalised already; this catches what they forget.
    """
    local, at, domain = address.strip().lower().rpartition("@")
    return f"{local}{at}{_a_labels(domain) if at else domain}"


def _a_labels(domain: str) -> str:
    if domain.isascii() or len(domain) > 253:  # RFC 1035 2.3.4: no domain, whatever it is
        return domain
    labels = unicodedata.normalize("NFKC", domain).lower().replace("\u3002", ".").split(".")
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)


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
