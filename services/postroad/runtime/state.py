"""The live states of stages, read beside their workers: the embedded file's, or the changelogs of a cluster."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

import msgspec

from postroad.runtime.config import Config, Kafka
from postroad.runtime.embedded.log import read_states
from postroad.runtime.reading import Core, key_bytes, key_text
from postroad.runtime.worker import Unavailable


class States(Protocol):
    """All methods raise Unavailable. What a state is, is as of the call; nothing is changed."""

    def one(self, core: Core, key: str) -> Any:
        """The state of a key; the empty one where there is none."""
        ...

    def all(self, core: Core) -> dict[str, Any]:
        """Every state that is not empty, by key."""
        ...


def states(config: Config) -> States:
    """Those of the cluster if the settings name one, else of the embedded log."""
    return KafkaStates(config.kafka) if config.kafka.bootstrap else FileStates(Path(config.log.path))


class FileStates:
    """The file of `postroad up`, running or not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def one(self, core: Core, key: str) -> Any:
        if not self._path.exists():  # nothing ever ran here
            return core.state()
        wanted = key_bytes(key)
        return _state(core, read_states(self._path, core.name, wanted).get(wanted))

    def all(self, core: Core) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        return {key_text(key): _state(core, row) for key, row in read_states(self._path, core.name).items()}


class KafkaStates:
    """A cluster. A changelog is read to where it ends at the call; for one key its partition alone."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    def one(self, core: Core, key: str) -> Any:
        wanted = key_bytes(key)
        return _state(core, self._rows(core, wanted).get(wanted))

    def all(self, core: Core) -> dict[str, Any]:
        return {key_text(key): _state(core, row) for key, row in self._rows(core, None).items()}

    def _rows(self, core: Core, key: bytes | None) -> dict[bytes, bytes]:
        from postroad.runtime.kafka.changelog import Part
        from postroad.runtime.kafka.topics import changelog_of
        from postroad.runtime.kafka.whole import read_whole

        topic = changelog_of(core, self._kafka)
        part = Part()
        for written, value in asyncio.run(read_whole(self._kafka, topic, key)):
            if topic.endswith(".faust"):  # a table of Faust has nothing but rows
                part.put(written, value)
            else:
                part.take(written, value)
        return part.rows


def _state(core: Core, row: bytes | None) -> Any:
    if row is None:
        return core.state()
    try:
        return msgspec.msgpack.decode(row, type=core.state)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unavailable(f"a state of {core.name} cannot be read ({error}): is this the version that runs?") from error
