"""What the runners of stages and of senders have alike: session after session, and how they stand."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from postroad.runtime.dead import TooMuchPoison
from postroad.runtime.kafka.session import Membership, Session
from postroad.runtime.kafka.trouble import words
from postroad.runtime.observe import metrics
from postroad.runtime.observe.watch import Standing, Watch
from postroad.runtime.worker import Unavailable

log = structlog.get_logger("postroad.kafka")
BACKOFF = (0.2, 5.0)  # seconds, first and longest


def utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Counts:
    """What a runner did, for logs, metrics and tests."""

    events: int = 0
    batches: int = 0
    buried: int = 0
    sessions: int = 0


class Runner:
    """Runs one stage or sender in sessions, one after the other. `patience`: seconds to go on while none holds."""

    def __init__(self, membership: Membership, patience: float) -> None:
        self.membership = membership
        self.stopping = asyncio.Event()
        self.counts = Counts()
        self.watch = Watch(membership.name)
        self._patience = patience
        self._session: Session | None = None

    def session(self) -> Session:
        """A new one, not begun."""
        raise NotImplementedError

    def stop(self) -> None:
        """What is under way is finished."""
        self.stopping.set()

    @property
    def ready(self) -> bool:
        """Assigned and recovered; also when there are more members than partitions."""
        session = self._session
        return session is not None and session.epoch > 0 and all(part.ready for part in session.parts.values())

    def standing(self, now: float) -> Iterable[Standing]:
        """What waits in each topic. Nothing before the first session."""
        return self._session.standing(now) if self._session else ()

    async def run(self) -> None:
        """Returns after `stop`. Raises TooMuchPoison, and Unavailable when no session held for `patience` seconds."""
        name, pause, good = self.membership.name, BACKOFF[0], time.monotonic()
        while not self.stopping.is_set():
            self.counts.sessions += 1
            self._session = session = self.session()
            try:
                await session.run()
            except (asyncio.CancelledError, TooMuchPoison):
                raise
            except Exception as error:
                now = time.monotonic()
                metrics.LOG_FAILURES.inc("session")
                if session.held:
                    good, pause = now, BACKOFF[0]
                if now - good > self._patience:
                    trouble = words(error, self.membership.kafka)
                    raise Unavailable(f"{name}: no work for {self._patience:g} s: {trouble}") from error
                log.warning("session ended", stage=name, error=f"{type(error).__name__}: {error}", again_in=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), pause)
                pause = min(pause * 2, BACKOFF[1])
