"""Golden states: one of every core, as version 1 wrote it. `python -m tests.upgrade.states` adds what is missing.

Beside each stands what is in it, by name. A golden file is never written anew: former states are read for ever.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from postroad.catalogue.samples import sample
from postroad.runtime.config import Config
from postroad.runtime.kafka.topics import Core, cores_of
from postroad.runtime.kafka.workers import load_all

FOLDER = Path(__file__).parent / "states"


def cores() -> Iterator[Core]:
    """All stages and senders of the six workers."""
    for worker in load_all(Config()):
        yield from cores_of(worker)


def file_of(core: Core, version: int = 1) -> Path:
    return FOLDER / f"{core.name}.{version}.msgpack"


def read_as(kind: type[Any], row: bytes) -> Any:
    """As every runner reads a state. Raises msgspec.ValidationError."""
    return msgspec.msgpack.Decoder(kind).decode(row)


def named(value: Any) -> Any:
    """A state with the names of its fields, however it is laid out: a place in a list may be another field's later."""
    fields = getattr(value, "__struct_fields__", getattr(value, "_fields", None))
    if fields is not None:
        return {field: named(getattr(value, field)) for field in fields}
    match value:
        case tuple() | list() | set() | frozenset():
            return [named(each) for each in value]
        case dict():
            return {str(key): named(each) for key, each in value.items()}
        case _:
            return msgspec.to_builtins(value)


def lost(kind: type[Any], row: bytes, kept: Any) -> list[str]:
    """Where what was kept, as `named` tells it, does not come back as it was."""
    return list(_missing(kept, named(read_as(kind, row)), "$"))


def _missing(kept: Any, again: Any, place: str) -> Iterator[str]:
    match kept, again:
        case dict(), dict():
            for name, value in kept.items():
                yield from _missing(value, again.get(name), f"{place}.{name}")
        case list(), list() if len(kept) == len(again):
            for at, value in enumerate(kept):
                yield from _missing(value, again[at], f"{place}[{at}]")
        case _:
            if kept != again:
                yield place


def write_missing() -> list[Path]:
    written = []
    for core in cores():
        if not file_of(core).exists():
            made = sample(core.state)
            file_of(core).write_bytes(msgspec.msgpack.encode(made))
            file_of(core).with_suffix(".json").write_bytes(msgspec.json.encode(named(made)))
            written.append(file_of(core))
    return written


if __name__ == "__main__":
    print("\n".join(map(str, write_missing())) or "nothing is missing")
