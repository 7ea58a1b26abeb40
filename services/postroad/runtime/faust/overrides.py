"""What is changed in Faust 0.15.3, because stock it loses events. Tests compare the source of what is changed here.

- `_getmany` gets a frozen copy of the active partitions, and none for none: a live set that turns empty in mid-fetch
  means "no filter" to aiokafka, whose records are then dropped while the position moves on.
- After a recovery the partitions are resumed last. Stock resumes, then seeks, then clears the queues.
- The producer is idempotent: an outage longer than the request time-out lost an event otherwise.
- Only what was finished is acknowledged. `take_events` acknowledges its batch also when the agent is cancelled in it,
  and streams acknowledge what they skip.
- Tables give the futures of their changelog records, so that they can be awaited.
"""

from collections.abc import Mapping
from typing import Any

from faust.tables import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message


class GuardedConsumer(driver.Consumer):  # type: ignore[misc]
    """Fetches for what is active at the call; acknowledges what was finished."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._finished: set[tuple[str, int, int, int | None]] = set()

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
        return bool(super().ack(message))


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
