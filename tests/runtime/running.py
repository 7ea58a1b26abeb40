"""An embedded runner of a test: its clock, its sender's world, its events."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from postroad.runtime.config import Config
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad.runtime.worker import Door, Sending, Tools, Worker
from postroad.stage import Stage
from postroad_schemas import Event
from postroad_schemas.address import AddressBlacklisted, AddressHeardFrom
from postroad_schemas.outbound import OutboundSubmitted
from tests.conformance.stages import SENDER, Attempt, answer, inputs

START = datetime(2026, 3, 1, tzinfo=UTC)


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Phone:
    """A sender's world that can be made to wait, for one recipient or all; knows what went on at once."""

    def __init__(self, only: str = "") -> None:
        self._only = only
        self.open = asyncio.Event()
        self.open.set()
        self.calls: list[Attempt] = []
        self.busy: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.troubles: list[Exception] = []
        self.closed = False

    async def __call__(self, request: Attempt) -> int:
        self.calls.append(request)
        self.busy.update((request.recipient, "all"))
        self.most |= self.busy
        try:
            if self._only in ("", request.recipient):
                await self.open.wait()
            if self.troubles:
                raise self.troubles.pop()
            return answer(request)
        finally:
            self.busy.subtract((request.recipient, "all"))

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def running(
    path: Path,
    *stages: Stage[Any],
    phone: Phone | None = None,
    clock: Callable[[], datetime] | None = None,
    doors: Sequence[Callable[[Tools], Door]] = (),
    grace: float = 5,
) -> AsyncIterator[Embedded]:
    sendings = (Sending(SENDER, lambda _: phone),) if phone else ()
    worker = Worker("trial", stages, sendings, tuple(doors))
    runner = Embedded(path, [worker], open_store("memory:"), Config(), clock or Time(), tick=3600, grace=grace)
    await runner.start()
    try:
        yield runner
    finally:
        await runner.stop()


def heard(number: int, address: str = "a@example.org") -> AddressHeardFrom:
    return AddressHeardFrom(event_id=f"{number:032x}", occurred_at=START, trace_id=f"{number:032x}", address=address)


def submitted(number: int, recipient: str = "now@example.org") -> OutboundSubmitted:
    identity = f"{number:032x}"
    return OutboundSubmitted(
        event_id=identity, occurred_at=START, trace_id=identity, recipient=recipient, message_id=f"<{number}@out>"
    )


def blacklisted(address: str) -> AddressBlacklisted:
    return AddressBlacklisted(event_id=address, occurred_at=START, trace_id="", address=address, rule="B5")


def of_type(kind: str, rounds: int = 1) -> list[Event]:
    return [event for event in inputs(rounds, START, keys=1) if type(event).__name__ == kind]
