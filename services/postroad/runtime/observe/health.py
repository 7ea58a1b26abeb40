"""Whether the process lives, and whether it is ready: set by the event loop, read by the thread that answers."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from postroad.runtime.observe import metrics

EVERY = 1.0  # seconds between two heartbeats
DEAD_AFTER = 10.0  # seconds without one
Condition = Callable[[], bool]


@dataclass(slots=True)
class Health:
    """`waits_for`: what is missing until it is ready, in words."""

    beat: float = field(default_factory=time.monotonic)
    waits_for: tuple[str, ...] = ("the start",)
    stopping: bool = False

    def silent(self) -> float:
        """Seconds since the event loop was last heard of."""
        return time.monotonic() - self.beat

    @property
    def alive(self) -> bool:
        return self.silent() < DEAD_AFTER

    @property
    def missing(self) -> tuple[str, ...]:
        """Why it is not ready; empty: it is."""
        if self.stopping:
            return ("it stops",)
        return self.waits_for if self.alive else (f"the event loop has stood still for {self.silent():.0f} s",)


async def beat(
    health: Health, conditions: Mapping[str, Condition], sample: Callable[[], None], every: float = EVERY
) -> None:
    """The event loop's heartbeat, until cancelled; samples the gauges with it."""
    while True:
        health.beat = begun = time.monotonic()
        health.waits_for = tuple(what for what, met in conditions.items() if not met())
        metrics.READY.set(0.0 if health.missing else 1.0)
        sample()
        await asyncio.sleep(every)
        metrics.LOOP_LATE.set(max(0.0, time.monotonic() - begun - every))
