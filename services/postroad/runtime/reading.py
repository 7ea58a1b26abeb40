"""What the embedded runners agree on: what a reader is, which events wait, and how a tick looks."""

from datetime import datetime
from typing import Any, TypeAlias

from postroad.stage import Sender, Stage
from postroad_schemas import Ticked, event_id
from postroad_schemas.outbound import OutboundDeferred

Core: TypeAlias = Stage[Any] | Sender[Any, Any, Any]


def waits_until(event: object) -> datetime | None:
    """Deferred messages are read when their time has come (O8); everything else at once.

    An OutboundGranted for another day is read at once too: what becomes of it is its sender's decision.
    """
    return event.not_before if isinstance(event, OutboundDeferred) else None


def tick(core: Core, at: datetime) -> Ticked:
    """Time has come to `at` for the keys of a core."""
    identity = event_id("ticked", core.name, at.isoformat())
    return Ticked(event_id=identity, occurred_at=at, trace_id=identity, stage=core.name)


def key_bytes(key: str) -> bytes:
    """A key as it lies in the log."""
    return key.encode("utf-8", "surrogatepass")


def key_text(key: bytes) -> str:
    """A key as events and tables have it. Bytes that are no key of ours do not fail."""
    try:
        return key.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return key.decode("utf-8", "backslashreplace")
