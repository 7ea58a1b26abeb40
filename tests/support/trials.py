"""Rounds of the trial worker on a real Kafka, and their audit."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from postroad.runtime.config import Kafka
from postroad_schemas import Event
from tests.conformance.audit import Audit, compare, expect
from tests.conformance.stages import SENDER, STAGES, inputs, trial
from tests.support.kafka import Core, caught_up, cluster_settings, fresh_topics, identities, records, states, until

CORES: tuple[Core, ...] = (*STAGES, SENDER)
TOPICS = sorted({topic for core in CORES for topic in (*core.reads, *core.writes)})


async def begun(bootstrap: str, folder: Path, runner: str, **more: object) -> Kafka:
    """Settings with every stage on one runner, groups of its own, and empty topics."""
    groups = f"trial-{uuid4().hex[:8]}"  # those of the test before may still have members that were killed
    usual = {"prefix": groups, "runner": {stage.name: runner for stage in STAGES}}
    kafka = cluster_settings(bootstrap, **{**usual, **more})
    await fresh_topics(kafka, trial(folder / "calls"))
    return kafka


def past(rounds: int, first: int = 0) -> Sequence[Event]:
    """Rounds of events whose times lie behind us, so that everything falls due at the first tick."""
    return inputs(rounds, datetime.now(UTC) - timedelta(seconds=rounds + first + 10), first=first)


async def audited(kafka: Kafka, events: Sequence[Event], within: float = 60.0) -> Audit:
    """Waits until everything is done, sweeps included, and compares."""
    expected = expect(events)

    async def done() -> bool:
        found = identities(await records(kafka, *TOPICS))
        return not expected.records - set(found)

    await caught_up(kafka, *CORES, within=within)
    with contextlib.suppress(TimeoutError):  # the comparison tells what is missing
        await until(done, within / 2)
    audit = compare(expected, identities(await records(kafka, *TOPICS)), await states(kafka, *CORES))
    dead = {one.headers["event_id"] for one in await records(kafka, "trial.dead")}
    assert dead == {which.event_id.encode() for which in expected.dead}
    return audit
