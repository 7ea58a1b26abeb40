"""Dead letters: a record that cannot be worked on, its bytes untouched, with the reason in headers."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

import structlog

from postroad import __version__
from postroad.runtime.observe import metrics
from postroad.runtime.step import Poison
from postroad_schemas import Record

log = structlog.get_logger("postroad.dead")
ERROR_LIMIT = 512  # bytes of the header that says what went wrong
RUN_LIMIT = 100  # so many dead letters in a row are not the records' fault
KEPT = ("attempts", "first_failed")  # from an earlier burial
OURS = frozenset(("reason", "error", "topic", "partition", "offset", "timestamp", "group", "version", *KEPT))


class Source(Protocol):
    """A record as it was read."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


class TooMuchPoison(Exception):  # noqa: N818
    """More dead letters in a row than records can be at fault for: the worker stops, the rest stays where it is."""


class PoisonRun:
    """Counts dead letters in a row."""

    def __init__(self, limit: int = RUN_LIMIT) -> None:
        self.length = 0
        self._limit = limit

    def good(self) -> None:
        self.length = 0

    def bad(self, source: Source, poison: Poison) -> None:
        """Raises TooMuchPoison when it is one too many."""
        self.length += 1
        if self.length > self._limit:
            raise TooMuchPoison(
                f"{self._limit} records in a row cannot be worked on, the next is {source.topic}/{source.partition} "
                f"at offset {source.offset} ({poison.reason}: {poison}): the worker, not the records, is at fault"
            )


def letter(worker: str, group: str, source: Source, poison: Poison, now: datetime) -> Record:
    """The record for `<worker>.dead`; key and value as they were, its own headers kept beside ours. It is counted."""
    metrics.DEAD_LETTERS.inc(worker, poison.reason)
    before = dict(source.headers or ())
    moment = now.astimezone(UTC).isoformat().encode()
    log.warning(
        "buried",
        worker=worker,
        group=group,
        reason=poison.reason,  # what it quotes of the record stays in the letter
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
        event_id=before.get("event_id", b"").decode("ascii", "replace"),
        trace_id=_trace(before.get("traceparent", b"")),
    )
    ours = {
        "reason": poison.reason.encode(),
        "error": str(poison).encode("utf-8", "replace")[:ERROR_LIMIT],
        "topic": source.topic.encode(),
        "partition": b"%d" % source.partition,
        "offset": b"%d" % source.offset,
        "timestamp": b"%d" % source.timestamp,
        "attempts": b"%d" % (_number(before.get("attempts")) + 1),
        "first_failed": before.get("first_failed") or moment,
        "group": group.encode(),
        "version": __version__.encode(),
    }
    kept = tuple((name, content) for name, content in source.headers or () if name not in OURS)
    key = b"" if source.key is None else source.key
    return Record(f"{worker}.dead", key, source.value, (*kept, *ours.items()))


def _trace(parent: bytes) -> str:
    """The trace-id in a `traceparent` (W3C Trace Context 3.2)."""
    parts = parent.decode("ascii", "replace").split("-")
    return parts[1] if len(parts) > 1 else ""


def _number(header: bytes | None) -> int:
    return int(header) if header is not None and header.isdigit() else 0
