"""The trial worker on a real Kafka, its stages on the engine or on Faust: killed, frozen, rebalanced, audited."""

import asyncio
import contextlib
import random
import signal
from pathlib import Path

import pytest

from postroad.runtime.broker import Cluster
from postroad_schemas import Event
from tests.support.broker import leader_of
from tests.support.kafka import publish
from tests.support.trial_worker import Program, programs
from tests.support.trials import CORES, audited, begun, past

pytestmark = [pytest.mark.broker, pytest.mark.slow]
BOTH = pytest.mark.parametrize("runner", ["kafka", "faust"])


@BOTH
async def test_every_stage_and_the_sender_come_out_exact(broker: Cluster, tmp_path: Path, runner: str) -> None:
    kafka = await begun(broker.bootstrap, tmp_path, runner)
    events = past(80)
    await publish(kafka, events)
    with programs(tmp_path, kafka) as started:
        program = started.start()
        audit = await audited(kafka, events)
        assert program.stop() == 0

    assert audit.clean, str(audit)
    assert not audit.repeats


@BOTH
async def test_kill_9_in_the_middle_of_work_loses_nothing(broker: Cluster, tmp_path: Path, runner: str) -> None:
    kafka = await begun(broker.bootstrap, tmp_path, runner)
    chance = random.Random(5)
    everything: list[Event] = []
    with programs(tmp_path, kafka) as started:
        for kill in range(5):
            events = past(60, first=60 * kill)
            program = started.start()
            await publish(kafka, events)
            everything += events
            program.wait_for("recovered", times=len(CORES))
            await asyncio.sleep(chance.uniform(0, 0.6))
            program.kill()
        started.start()
        audit = await audited(kafka, everything)

    assert audit.clean, str(audit)


@BOTH
async def test_rebalances_between_two_workers_lose_nothing(broker: Cluster, tmp_path: Path, runner: str) -> None:
    kafka = await begun(broker.bootstrap, tmp_path, runner)
    everything: list[Event] = []
    with programs(tmp_path, kafka) as started:
        live: list[Program] = [started.start(), started.start()]
        for turn in range(4):
            live[-1].wait_for("recovered", times=len(CORES))
            events = past(60, first=60 * turn)
            await publish(kafka, events)
            everything += events
            gone = live.pop(0)
            if turn % 2:
                gone.kill()
            else:
                assert gone.stop() == 0
            live.append(started.start())
        audit = await audited(kafka, everything)

    assert audit.clean, str(audit)


async def test_a_frozen_process_changes_nothing_when_it_wakes(broker: Cluster, tmp_path: Path) -> None:
    kafka = await begun(broker.bootstrap, tmp_path, "kafka")
    everything: list[Event] = []
    with programs(tmp_path, kafka) as started:
        first = started.start()
        first.wait_for("recovered", times=len(CORES))
        second = started.start()
        second.wait_for("recovered", times=len(CORES))
        for turn in range(2):
            events = past(100, first=100 * turn)
            await publish(kafka, events)
            everything += events
            first.signal(signal.SIGSTOP)
            await asyncio.sleep(4.5)  # the session is 3 s
            first.signal(signal.SIGCONT)
            await asyncio.sleep(0.5)
        audit = await audited(kafka, everything)

    assert audit.clean, str(audit)


@BOTH
async def test_three_nodes_lose_nothing_when_a_leader_dies(three_nodes: Cluster, tmp_path: Path, runner: str) -> None:
    kafka = await begun(three_nodes.bootstrap, tmp_path, runner, replication=3)
    with contextlib.ExitStack() as stack:
        started = stack.enter_context(programs(tmp_path, kafka, watch=15.0))
        first = started.start()
        first.wait_for("recovered", times=len(CORES))
        if runner == "faust":  # its watchdog may end the process, and somebody must start it again
            stack.enter_context(first.supervised(started))
        events = past(60)
        await publish(kafka, events)
        leader = await leader_of(three_nodes.bootstrap, "address.observed")
        three_nodes.kill(leader)
        try:
            more = past(60, first=60)
            await publish(kafka, more)
            await leader_of(three_nodes.bootstrap, "address.observed", other_than=leader)
        finally:
            three_nodes.start_node(leader)
        audit = await audited(kafka, [*events, *more], within=120.0)

    assert audit.clean, str(audit)
