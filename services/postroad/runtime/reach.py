"""How commands reach an installation beside its workers: its log and tables, embedded or on Kafka."""

import asyncio
import fcntl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from postroad.runtime.config import Config
from postroad.runtime.embedded import Stored, hand_in, read_log
from postroad.runtime.letters import Letter
from postroad.runtime.worker import NotThere
from postroad.stage import Emission
from postroad_schemas import Record, Unreadable, read, record

if TYPE_CHECKING:
    from postroad.runtime.kafka.publisher import Publisher


class Seen(NamedTuple):
    """One record: its event, or None where a row ended."""

    topic: str
    key: str
    event: Any
    offset: int = 0  # in the embedded log; offsets begin with 1


class Reach(Protocol):
    """All methods raise Unavailable."""

    def publish(self, emissions: Sequence[Emission]) -> None:
        """Durable on return."""
        ...

    def records(self, topic: str) -> Iterator[Seen]:
        """What a stream holds, or the rows of a table. What cannot be read is passed over."""
        ...

    def letters(self, worker: str) -> Iterator[Letter]:
        """Everything in a worker's dead letters, and what ended them."""
        ...

    def hand_back(self, records: Sequence[Record]) -> None:
        """Records as they lie on the log. Durable on return."""
        ...

    def answers(self) -> bool:
        """False if no worker runs, so that nobody answers what is published now."""
        ...


def reach(config: Config) -> Reach:
    """Kafka if the settings name a cluster, else the embedded log."""
    return KafkaReach(config) if config.kafka.bootstrap else FileReach(Path(config.log.path))


def rows(reached: Reach, table: str) -> dict[str, Any]:
    """A table as it stands: the newest row of each key."""
    found: dict[str, Any] = {}
    for seen in reached.records(table):
        if seen.event is None:
            found.pop(seen.key, None)
        else:
            found[seen.key] = seen.event
    return found


class FileReach:
    """The file of `postroad up`, running or not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, emissions: Sequence[Emission]) -> None:
        self.hand_back([record(emission) for emission in emissions])

    def hand_back(self, records: Sequence[Record]) -> None:
        hand_in(self._path, records)

    def records(self, topic: str, after: int = 0) -> Iterator[Seen]:
        """Only what lies behind an offset."""
        for stored in self._stored(topic, after):
            yield from _seen(topic, stored.key, stored.value, stored.offset)

    def letters(self, worker: str) -> Iterator[Letter]:
        for it in self._stored(f"{worker}.dead"):
            yield Letter(worker, 0, it.offset, datetime.fromtimestamp(it.at, UTC), it.key, it.value, it.headers)

    def _stored(self, topic: str, after: int = 0) -> Iterator[Stored]:
        if not self._path.exists():
            raise NotThere(f"{self._path} is not there: start `postroad up` once, or name its settings with --config")
        return read_log(self._path, topic, after)

    def answers(self) -> bool:
        """Whoever runs on the file holds its lock."""
        try:
            with self._path.with_name(f"{self._path.name}.lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except OSError:
            return True


class KafkaReach:
    """A cluster. Topics are read from their beginning to where they end at the call."""

    def __init__(self, config: Config) -> None:
        self._kafka = config.kafka

    def publish(self, emissions: Sequence[Emission]) -> None:
        asyncio.run(self._by_publisher(lambda publisher: publisher(emissions)))

    def hand_back(self, records: Sequence[Record]) -> None:
        asyncio.run(self._by_publisher(lambda publisher: publisher.send(records)))

    async def _by_publisher(self, act: "Callable[[Publisher], Awaitable[None]]") -> None:
        from postroad.runtime.kafka.publisher import Publisher

        publisher = Publisher(self._kafka, "command")
        await publisher.start()
        try:
            await act(publisher)
        finally:
            await publisher.stop()

    def letters(self, worker: str) -> Iterator[Letter]:
        from postroad.runtime.kafka.whole import read_records

        for it in asyncio.run(read_records(self._kafka, f"{worker}.dead")):
            at = datetime.fromtimestamp(it.timestamp / 1000, UTC)
            yield Letter(worker, it.partition, it.offset, at, it.key or b"", it.value, tuple(it.headers))

    def records(self, topic: str) -> Iterator[Seen]:
        from postroad.runtime.kafka.whole import read_whole

        for key, value in asyncio.run(read_whole(self._kafka, topic)):
            yield from _seen(topic, key, value)

    def answers(self) -> bool:
        """Nobody knows."""
        return True


def _seen(topic: str, key: bytes, value: bytes | None, offset: int = 0) -> Iterator[Seen]:
    try:
        event = None if value is None else read(topic, value)
        yield Seen(topic, key.decode("utf-8", "surrogatepass"), event, offset)
    except (Unreadable, UnicodeDecodeError):
        return
