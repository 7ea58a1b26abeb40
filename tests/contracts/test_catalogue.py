"""The catalogue says who writes and reads each topic, and the six workers do just that; each guard sees its fault."""

import ast
import importlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad.runtime.worker import Sending, Worker
from postroad.stage import Decision, Sender, Stage
from postroad.views import Views
from postroad_schemas import TOPICS, WORKERS, Event
from tests.schemas.values import values

SERVICES = Path(__file__).parents[2] / "services/postroad"
OUTSIDE = {"apps", "operators"}  # who else writes and reads
STREAM_OF = {event.__name__: topic.name for topic in TOPICS.values() if not topic.table for event in topic.events}

Core: TypeAlias = Stage[Any] | Sender[Any, Any, Any]


def load(name: str) -> Worker:
    worker = importlib.import_module(f"postroad.{name}.worker").WORKER
    assert isinstance(worker, Worker)
    return worker


def cores(worker: Worker) -> list[Core]:
    return [*worker.stages, *(sending.sender for sending in worker.sendings)]


ALL_CORES = [pytest.param(core, id=f"{name}: {core.name}") for name in WORKERS for core in cores(load(name))]


@cache
def built(name: str) -> frozenset[str]:
    """The streams of the events that a worker's code makes: doors do not declare what they write."""
    calls = (
        node.func
        for path in (SERVICES / name).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    )
    names = {call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls}
    return frozenset(STREAM_OF[made] for made in names & STREAM_OF.keys())


def reads(worker: Worker) -> set[str]:
    return {topic for core in cores(worker) for topic in (*core.reads, *core.tables)} | set(worker.tables)


def writes(worker: Worker) -> set[str]:
    declared = {topic for core in cores(worker) for topic in core.writes}
    return declared | built(worker.name) if worker.doors else declared


def mismatches(worker: Worker) -> set[str]:
    """What worker and catalogue say differently, one sentence each."""
    name = worker.name
    listed_reads = {topic.name for topic in TOPICS.values() if name in topic.readers}
    listed_writes = {topic.name for topic in TOPICS.values() if name in topic.writers}
    return {
        *(f"{name} reads {topic}, which is not in the catalogue" for topic in reads(worker) - listed_reads),
        *(f"{name} writes {topic}, which is not in the catalogue" for topic in writes(worker) - listed_writes),
        *(f"the catalogue has {name} read {topic}, and nothing of it does" for topic in listed_reads - reads(worker)),
        *(
            f"the catalogue has {name} write {topic}, and nothing of it does"
            for topic in listed_writes - writes(worker)
        ),
    }


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_reads_and_writes_what_the_catalogue_says(name: str) -> None:
    assert mismatches(load(name)) == set()


@pytest.mark.parametrize(
    ("reads", "writes", "tables", "found"),
    [
        pytest.param(["mail.routed"], [], [], "fanout reads mail.routed", id="reads what others read"),
        pytest.param([], ["mail.routed"], [], "fanout writes mail.routed", id="writes what others write"),
        pytest.param([], [], ["held"], "fanout reads held", id="looks at a table"),
        pytest.param(["no.topic"], [], [], "fanout reads no.topic", id="reads what is no topic"),
    ],
)
def test_a_stage_beside_the_catalogue_is_caught(
    reads: list[str], writes: list[str], tables: list[str], found: str
) -> None:
    worker = load("fanout")
    stage = pretended(reads=tuple(reads), writes=tuple(writes), tables=tuple(tables))
    more = mismatches(replace(worker, stages=(*worker.stages, stage))) - mismatches(worker)
    assert more == {f"{found}, which is not in the catalogue"}


def test_a_topic_that_nobody_reads_or_writes_any_more_is_caught() -> None:
    worker = load("bounces")
    more = mismatches(replace(worker, stages=worker.stages[1:])) - mismatches(worker)
    assert "the catalogue has bounces read delivery.reported, and nothing of it does" in more
    assert "the catalogue has bounces write notification.updated, and nothing of it does" in more


@pytest.mark.parametrize("name", WORKERS)
def test_what_a_worker_makes_it_declares(name: str) -> None:
    assert built(name) - writes(load(name)) == set()


@pytest.mark.parametrize("name", WORKERS)
def test_parts_of_a_worker_bear_its_name(name: str) -> None:
    worker = load(name)
    assert {worker.name, *(core.worker for core in cores(worker))} == {name}


def test_names_of_stages_are_unique() -> None:
    """They name changelogs and consumer groups."""
    names = [core.name for name in WORKERS for core in cores(load(name))]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_somebody_known_writes_and_reads_each_topic(topic: Any) -> None:
    assert topic.writers
    assert topic.readers
    assert {*topic.writers, *topic.readers} <= {*WORKERS, *OUTSIDE}


def misgrouped(core: Core) -> str:
    """Why a stage cannot run: its keys would be on different partitions, or its ticks would not come."""
    groups = {TOPICS[topic].group for topic in core.reads}
    if len(groups) != 1:
        return f"reads several groups: {', '.join(sorted(groups))}"
    if core.sweep and not any(TOPICS[topic].ticks for topic in core.reads):
        return "is swept, and no tick comes on what it reads"
    return ""


@pytest.mark.parametrize("core", ALL_CORES)
def test_what_a_stage_reads_has_the_same_keys(core: Core) -> None:
    assert misgrouped(core) == ""


def test_a_stage_of_two_groups_or_without_ticks_is_caught() -> None:
    assert misgrouped(pretended(reads=("mail.received", "mail.routed"))) == "reads several groups: budget, message"
    stage = pretended(reads=("thread.sought",))
    swept = replace(stage, sweep=stage.decide)
    assert misgrouped(swept) == "is swept, and no tick comes on what it reads"


def unkeepable(kind: type[msgspec.Struct]) -> str:
    """Why a changelog cannot keep this state: empty, it must exist, equal itself and come back from msgpack."""
    try:
        empty = kind()
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(empty), type=kind)
    except (TypeError, msgspec.ValidationError) as error:
        return str(error)
    return "" if empty == kind() == again else "an empty state is not the same as another"


@pytest.mark.parametrize("core", ALL_CORES)
def test_empty_state_is_kept(core: Core) -> None:
    assert unkeepable(core.state) == ""


class Required(msgspec.Struct, frozen=True):
    address: str


class Opaque(msgspec.Struct, frozen=True):
    pattern: re.Pattern[str] = re.compile("")


class Unlike(msgspec.Struct, frozen=True, eq=False):
    count: int = 0


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param(Required, "Missing required argument", id="no empty state"),
        pytest.param(Opaque, "unsupported", id="what msgpack cannot carry"),
        pytest.param(Unlike, "not the same", id="empty states that differ"),
    ],
)
def test_a_state_that_cannot_be_kept_is_caught(kind: type[msgspec.Struct], words: str) -> None:
    assert words in unkeepable(kind)


@pytest.mark.parametrize("core", ALL_CORES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.data())
def test_any_state_comes_back_from_its_changelog(core: Core, drawn: st.DataObject) -> None:
    state = drawn.draw(values(core.state))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=core.state) == state


class Counted(msgspec.Struct, frozen=True):
    count: int = 0


def pretended(
    *, reads: tuple[str, ...] = (), writes: tuple[str, ...] = (), tables: tuple[str, ...] = ()
) -> Stage[Counted]:
    def decide(event: Event, state: Counted, views: Views) -> Decision[Counted]:
        return Decision(state)

    return Stage("pretended", "fanout", reads, writes, Counted, decide, tables)


def test_a_sender_counts_like_a_stage() -> None:
    worker = load("dispatch")
    sendings = tuple(
        Sending(replace(sending.sender, reads=(*sending.sender.reads, "mail.received")), sending.open)
        for sending in worker.sendings
    )
    assert sendings
    more = mismatches(replace(worker, sendings=sendings)) - mismatches(worker)
    assert more == {"dispatch reads mail.received, which is not in the catalogue"}
