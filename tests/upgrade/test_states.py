"""States of a former version are read for ever: what a new worker finds at its keys was written by an old one."""

from typing import Any

import msgspec
import pytest

from postroad.runtime.kafka.topics import Core
from postroad.runtime.step import Stepper
from postroad.views import Views
from tests.upgrade.states import FOLDER, cores, file_of, lost, read_as

CORES = [pytest.param(core, id=core.name) for core in cores()]


@pytest.mark.parametrize("core", CORES)
def test_every_core_has_a_golden_state(core: Core) -> None:
    assert file_of(core).exists(), "run `python -m tests.upgrade.states`, and keep what it wrote for ever"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.msgpack")), ids=lambda path: path.stem)
def test_a_state_comes_back(path: Any) -> None:
    """Also of a stage that is gone: its name must not be taken by another."""
    core = next(core for core in cores() if core.name == path.stem.partition(".")[0])
    assert lost(core.state, path.read_bytes(), msgspec.json.decode(path.with_suffix(".json").read_bytes())) == []


@pytest.mark.parametrize("core", CORES)
def test_a_state_of_the_next_version_is_read(core: Core) -> None:
    """Rollback: fields that this version does not know are passed over, whichever way the state is laid out."""
    row = max(FOLDER.glob(f"{core.name}.*.msgpack")).read_bytes()  # as this version writes it
    assert Stepper(core, Views()).state(newer(row)) == read_as(core.state, row)


def newer(row: bytes) -> bytes:
    """A state as a version with one more field writes it."""
    found = msgspec.msgpack.decode(row)
    return msgspec.msgpack.encode([*found, "new"] if isinstance(found, list) else {**found, "new": "new"})


class Kept(msgspec.Struct, frozen=True):
    name: str
    days: int = 0


class InOrder(msgspec.Struct, frozen=True, array_like=True):
    name: str
    days: int = 0


KEPT = {"name": "a", "days": 1}
NAMED, PLACED = msgspec.msgpack.encode(Kept("a", 1)), msgspec.msgpack.encode(InOrder("a", 1))


@pytest.mark.parametrize(
    ("row", "fields", "array", "found"),
    [
        pytest.param(NAMED, [("name", str), ("days", int, 0), ("more", int, 0)], False, [], id="a field is added"),
        pytest.param(PLACED, [("name", str), ("days", int, 0), ("more", int, 0)], True, [], id="at the end"),
        pytest.param(PLACED, [("name", str), ("more", int, 0), ("days", int, 0)], True, ["$.days"], id="in the middle"),
        pytest.param(NAMED, [("name", str)], False, ["$.days"], id="a field is gone"),
        pytest.param(NAMED, [("name", str), ("day", int, 0)], False, ["$.days"], id="a field has another name"),
        pytest.param(NAMED, [("name", str), ("days", str, "")], False, None, id="a field has another type"),
        pytest.param(NAMED, [("name", str), ("days", int), ("more", int)], False, None, id="no default"),
    ],
)
def test_a_change_that_forgets_is_caught(row: bytes, fields: list[Any], array: bool, found: list[str] | None) -> None:
    kind = msgspec.defstruct("Changed", fields, array_like=array, frozen=True)
    if found is None:
        with pytest.raises(msgspec.ValidationError):
            lost(kind, row, KEPT)
    else:
        assert lost(kind, row, KEPT) == found
