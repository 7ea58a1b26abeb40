"""The embedded runner runs the trial stages right, in peace and when it is killed."""

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from postroad.runtime.config import Config
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad_schemas import TOPICS, read
from tests.conformance import embedded_program
from tests.conformance.audit import CORES, Identity, compare, expect, identity
from tests.conformance.stages import inputs, trial

ROOT = Path(__file__).parents[2]
KILLS = 10
ROUNDS = 1_500


def events(runner: Embedded) -> list[Any]:
    """Of streams all, of tables the rows that stand."""
    return [read(topic, it.value) for topic in TOPICS for it in runner.read(topic) if it.value is not None]


async def states(runner: Embedded) -> dict[tuple[str, str], Any]:
    return {(core.name, key): state for core in CORES for key, state in (await runner.states(core.name)).items()}


def run(folder: Path, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", embedded_program.__name__, str(folder), str(rounds)]
    paths = ":".join(str(ROOT / part) for part in ("services", "schemas", ""))
    return subprocess.Popen(
        command, cwd=ROOT, env={"PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def acknowledged(folder: Path) -> int:
    """Rounds that the program knows to be published."""
    file = folder / "acknowledged"
    return int(file.read_text("ascii")) if file.exists() else 0


async def repeats_of(folder: Path, rounds: int) -> dict[Identity, str]:
    """Nothing is wrong in the file. What is in the log more than once, with the trace it belongs to."""
    expected = expect(inputs(rounds, embedded_program.AT))
    runner = Embedded(folder / "log.sqlite", [trial(folder / "calls")], open_store("memory:"), Config())
    await runner.start()
    try:
        all_events, left = events(runner), await states(runner)
        dead = {
            Identity(headers["topic"].decode(), letter.key.decode(), headers["event_id"].decode())
            for letter in runner.read("trial.dead")
            if (headers := dict(letter.headers))
        }
    finally:
        await runner.stop()
    found = [identity(event) for event in all_events]
    tables = {topic for topic in TOPICS if TOPICS[topic].table}
    streams = {it for it in expected.records if it.topic not in tables}
    newest = {(it.topic, it.key) for it in expected.records if it.topic in tables}
    assert {(it.topic, it.key) for it in found if it.topic in tables} == newest
    audit = compare(expected, found, left)
    assert not audit.wrong, str(audit)
    assert not audit.unexpected, str(audit)
    assert not audit.lost & streams, str(audit)
    assert dead == expected.dead
    return {which: event.trace_id for which, event in zip(found, all_events, strict=True) if which in audit.repeats}


async def test_in_peace_everything_comes_out_once(tmp_path: Path) -> None:
    program = run(tmp_path, 200)
    assert program.wait(60) == 0
    repeats = await repeats_of(tmp_path, 200)
    assert not repeats
    calls = (tmp_path / "calls").read_text("ascii").splitlines()
    assert len(calls) == len(set(calls)) == 200 + 2 * (200 // 3)


async def test_ten_kills_lose_nothing_and_leave_the_right_states(tmp_path: Path) -> None:
    """Design promises 1 and 2: what was acknowledged comes out; a kill repeats only what was in flight."""
    chance = random.Random(3)
    killed = 0
    for _ in range(KILLS):
        program = run(tmp_path, ROUNDS)
        assert program.stdout is not None
        assert program.stdout.readline() == "working\n"
        goal = acknowledged(tmp_path) + chance.randrange(10, 110, 10)
        while acknowledged(tmp_path) < goal:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(chance.uniform(0, 0.02))
        program.send_signal(signal.SIGKILL)
        killed += program.wait(60) == -signal.SIGKILL
    assert killed == KILLS
    assert acknowledged(tmp_path) < ROUNDS, "the last kill came too late to mean anything"

    program = run(tmp_path, ROUNDS)
    assert program.wait(120) == 0
    repeats = await repeats_of(tmp_path, ROUNDS)
    published = {identity(event) for event in inputs(ROUNDS, embedded_program.AT)}
    again = {which.event_id for which in repeats if which in published}
    assert len(again) <= KILLS * embedded_program.TOGETHER * 6, "published again although it was acknowledged"
    assert set(repeats.values()) <= again, "a step is one transaction: it repeats nothing by itself"
    calls = Counter((tmp_path / "calls").read_text("ascii").splitlines())
    assert sum(calls.values()) - len(calls) <= KILLS * 50, "a call was repeated that was concluded"
