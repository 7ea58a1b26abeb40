"""What the embedded runner tells: what waits before stages and senders, and since when."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from postroad.runtime.embedded import Embedded
from postroad.runtime.observe import metrics
from postroad.runtime.observe.watch import Standing
from postroad_schemas import Record
from tests.conformance.stages import COUNTING, SENDER
from tests.runtime.running import START, Phone, Time, heard, running, submitted

NOW = START.timestamp()


def standing(runner: Embedded, core: str, topic: str, now: float = NOW) -> Standing:
    [reader] = [reader for reader in runner.readers if reader.core.name == core]
    [found] = [one for one in reader.standing(now) if one.topic == topic]
    return found


async def test_at_rest_nothing_waits(tmp_path: Path) -> None:
    async with running(tmp_path / "log", COUNTING, phone=Phone()) as runner:
        await runner.publish([heard(1), submitted(2)])
        await runner.idle()
        assert standing(runner, COUNTING.name, "address.observed") == Standing("address.observed", 0)
        assert standing(runner, SENDER.name, "outbound.submitted") == Standing("outbound.submitted", 0)


async def test_a_call_that_hangs_is_told_with_the_time_it_came(tmp_path: Path) -> None:
    phone = Phone()
    phone.open.clear()
    async with running(tmp_path / "log", phone=phone, grace=0.1) as runner:
        await runner.publish([submitted(number, f"{number}@example.org") for number in range(3)])
        while not phone.calls:  # noqa: ASYNC110  # the runner tells nobody that it calls
            await asyncio.sleep(0.01)
        waiting = standing(runner, SENDER.name, "outbound.submitted")
        assert (waiting.waiting, waiting.since, waiting.due) == (3, NOW, None)
        phone.open.set()
        await runner.idle()
        assert standing(runner, SENDER.name, "outbound.submitted").waiting == 0


async def test_a_published_event_counts_once_it_is_written_and_a_dead_letter_counts(tmp_path: Path) -> None:
    published = metrics.PUBLISHED.read()["address.heard_from",]
    dead = metrics.DEAD_LETTERS.read().get(("trial", "invalid"), 0)
    async with running(tmp_path / "log", COUNTING) as runner:
        await runner.publish([heard(1), heard(2)])
        await runner.append([Record("address.observed", b"x", b"no event")])
        await runner.idle()
    assert metrics.PUBLISHED.read()["address.heard_from",] == published + 2
    assert metrics.DEAD_LETTERS.read()["trial", "invalid"] == dead + 1


async def test_ages_go_by_the_runners_clock(tmp_path: Path) -> None:
    clock = Time()
    clock.now = START + timedelta(seconds=30)
    before = metrics.AGE.read_series().get((COUNTING.name,), ([], 0.0))[1]
    async with running(tmp_path / "log", COUNTING, clock=clock) as runner:
        await runner.publish([heard(1)])
        await runner.idle()
    assert metrics.AGE.read_series()[COUNTING.name,][1] == pytest.approx(before + 30)
