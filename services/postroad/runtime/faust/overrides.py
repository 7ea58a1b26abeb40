"""What is changed in Faust 0.15.3, because stock it loses events. Tests compare the source of what is changed here.

- `_getmany` gets a frozen copy of the active partitions, and none for none: a live set that turns empty in mid-fetch
  means "no filter" to aiokafka, whose records are then dropped while the position moves on.
- After a recovery the partitions are resumed last. Stock resumes, then seeks, then clears the queues.
- The producer is idempotent: an outage longer than the request time-out lost an event otherwise.
- Only what was finished is acknowledged. `take_events` acknowledges its batch also when the agent is cancelled in it,
  and streams acknowledge what they skip.
- Records are taken in the order of their offsets and committed up to the first that is not finished. Stock takes a
  jump for a gap that needs no work, commits past one unfinished event behind the committed offset, and past any number
  where nothing was committed yet: a fetch that a rebalance overtook lost what it skipped.
- Tables give the futures of their changelog records, so that they can be awaited.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError
from faust.tables import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

log = structlog.get_logger("postroad.faust")


class GuardedConsumer(driver.Consumer):  # type: ignore[misc]
    """Fetches for what is active at the call; acknowledges what was finished."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._finished: set[tuple[str, int, int, int | None]] = set()
        self._next: dict[TP, int] = {}  # the first that is not finished: up to there is committed
        self._done: dict[TP, set[int]] = {}  # finished, from there on
        self._expected: dict[TP, int] = {}  # the next to be taken

    async def perform_seek(self) -> None:
        """To what is committed, else to the beginning: from there on every record is taken, and in order."""
        await super().perform_seek()
        sources = {at for at in self.assignment() if self.app.topics.acks_enabled_for(at.topic)}
        unknown = {at for at in sources if self._read_offset.get(at) is None}
        first = dict(await self.earliest_offsets(*unknown)) if unknown else {}
        start = {at: self._read_offset[at] if at not in unknown else first[at] for at in sources}
        self._next, self._expected = dict(start), dict(start)
        self._done = {at: set() for at in sources}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Passes over what does not come next, and fetches again from there."""
        astray: set[TP] = set()
        try:
            async for at, message in super().getmany(timeout):
                expected = self._expected.get(at)
                if expected is None or message.offset == expected:
                    if expected is not None:
                        self._expected[at] = expected + 1
                    yield at, message
                elif message.offset > expected and at not in astray:
                    astray.add(at)
                    await self._find_again(at, expected)
        except IllegalStateError as error:  # a partition was revoked under the fetch: what is left of it comes again
            log.info("fetch overtaken", error=str(error))

    async def _find_again(self, at: TP, expected: int) -> None:
        """A record was skipped; or retention deleted it, then its work is gone and the rest goes on."""
        first = (await self.earliest_offsets(at))[at]
        if first > expected:
            log.error("records were deleted before they were read", topic=at.topic, partition=at.partition, first=first)
            self._next[at], self._expected[at] = max(first, self._next[at]), first
        log.warning("reading again", topic=at.topic, partition=at.partition, offset=self._expected[at])
        await self._seek(at, self._expected[at])

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        if active_partitions is not None:
            active_partitions = frozenset(active_partitions)  # type: ignore[assignment]
            if not active_partitions:
                return {}
        return await super()._getmany(active_partitions, timeout)

    def finish(self, message: Message) -> None:
        """Its outputs and its row are acknowledged by the broker: it may be committed."""
        self._finished.add(_identity(message))

    def ack(self, message: Message) -> bool:
        if _identity(message) not in self._finished:
            return False
        self._finished.discard(_identity(message))
        if message.offset >= self._next.get(message.tp, message.offset):
            self._done.setdefault(message.tp, set()).add(message.offset)
        return bool(super().ack(message))

    def _new_offset(self, at: TP) -> int | None:
        """Behind the last of those that are finished without a gap; None when there is nothing new to commit."""
        self._acked[at].clear()
        self._acked_index[at].clear()
        start = self._next.get(at)
        if start is None:
            return None
        done, end = self._done[at], start
        while end in done:
            done.discard(end)
            end += 1
        self._next[at] = end
        return end if end > start else None


class GuardedProducer(driver.Producer):  # type: ignore[misc]
    def _settings_extra(self) -> Mapping[str, Any]:
        return {**super()._settings_extra(), "enable_idempotence": True, "acks": "all"}


class GuardedTransport(driver.Transport):  # type: ignore[misc]
    Consumer = GuardedConsumer
    Producer = GuardedProducer


class GuardedRecovery(Recovery):  # type: ignore[misc]
    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        consumer = self.app.consumer
        deferred: list[set[TP]] = []
        consumer.resume_partitions = lambda partitions: deferred.append(set(partitions))
        try:
            await super().on_recovery_completed(generation_id)
        finally:
            del consumer.resume_partitions  # the class's own again
        for partitions in deferred:
            consumer.resume_partitions(partitions)


class GuardedTables(TableManager):  # type: ignore[misc]
    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:  # type: ignore[has-type]
            self._recovery = GuardedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class KeptTable(Table):  # type: ignore[misc]
    """A table whose changelog records can be awaited."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent: list[Any] = []

    def send_changelog(self, *args: Any, **kwargs: Any) -> Any:
        future = super().send_changelog(*args, **kwargs)
        self._sent.append(future)
        return future

    def sent(self) -> list[Any]:
        """The futures since the last call."""
        futures, self._sent = self._sent, []
        return futures


def _identity(message: Message) -> tuple[str, int, int, int | None]:
    return message.topic, message.partition, message.offset, message.generation_id
