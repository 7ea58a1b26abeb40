"""The embedded runner's promises beside the conformance suite: a full disk, calls, time, poison, retention."""

import asyncio
import contextlib
import resource
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroad import __version__
from postroad.runtime.embedded import backlog
from postroad.runtime.worker import Unavailable
from postroad.stage import Decision, Stage
from postroad.views import Views
from postroad_schemas import Record, Tombstone, record
from tests.conformance.stages import (
    ATTEMPTS,
    CLOSING,
    COUNTING,
    FRAGILE,
    RETRY_AFTER,
    SHUT_AFTER,
)
from tests.runtime.running import START, Phone, Time, blacklisted, heard, of_type, running, submitted


@contextlib.contextmanager
def no_room() -> Any:
    """As on a full disk: no file of this process can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def until(true: Callable[[], bool]) -> None:
    """Looks again and again; the test's time-out ends it."""
    while True:
        if true():
            return
        await asyncio.sleep(0.001)


async def test_a_full_disk_refuses_what_is_published_and_does_nothing_of_it(path: Path) -> None:
    async with running(path, COUNTING) as runner:
        await runner.publish([heard(1)])
        await runner.idle()
        with no_room(), pytest.raises(Unavailable, match="free disk space"):
            await runner.publish([heard(2), blacklisted("b@example.org")])
        assert "b@example.org" not in runner.views.blacklisted
        assert [stored.value for stored in runner.read("address.observed")] == [record(heard(1)).value]

        await runner.publish([heard(3)])
        await runner.idle()
        assert (await runner.state("counting", "a@example.org")).seen == {heard(1).event_id: 1, heard(3).event_id: 2}


async def test_a_step_waits_while_the_disk_is_full_and_is_done_once_there_is_room(path: Path) -> None:
    phone = Phone()
    phone.open.clear()
    async with running(path, phone=phone) as runner:
        await runner.publish([submitted(1)])
        await until(lambda: bool(phone.calls))
        with no_room():
            phone.open.set()
            with pytest.raises(Unavailable):
                await runner.publish([submitted(2)])
            assert list(runner.read("notification.updated")) == []
        await runner.idle()
        assert len(list(runner.read("notification.updated"))) == 1
        assert len(phone.calls) == 1, "the call is not repeated, only its conclusion"


async def test_the_newest_row_of_one_transaction_stands(path: Path) -> None:
    async with running(path) as runner:
        gone, row = Tombstone("suppressions", "b@example.org"), blacklisted("b@example.org")
        await runner.publish([row, gone])
        assert list(runner.read("suppressions")) == []
        await runner.publish([row, gone, row])
        assert len(list(runner.read("suppressions"))) == 1


async def test_a_reader_that_falls_far_behind_reads_everything_in_order(path: Path) -> None:
    events = [heard(n, f"{n % 50}@example.org") for n in range(backlog.IN_MEMORY + 2 * backlog.PAGE + 1)]
    seen: list[str] = []

    def note(event: Any, state: Any, _: Views) -> Decision[Any]:
        seen.append(event.event_id)
        return Decision(state)

    async with running(path, Stage("noting", "trial", ("address.observed",), (), COUNTING.state, note)) as runner:
        await runner.publish(events[:10])
        await runner.idle()
        await runner.publish(events[10:])
        await runner.publish([heard(99_999)])
        await runner.idle()
    assert seen == [event.event_id for event in (*events, heard(99_999))]


async def test_calls_run_side_by_side_but_one_at_a_time_for_a_key(path: Path) -> None:
    phone = Phone()
    phone.open.clear()
    async with running(path, phone=phone) as runner:
        await runner.publish([submitted(n, f"now{n % 60}@example.org") for n in range(120)])
        await until(lambda: len(phone.calls) >= 50)
        phone.open.set()
        await runner.idle()
        assert phone.most["all"] == 50
        assert max(count for key, count in phone.most.items() if key != "all") == 1
        assert len(phone.calls) == len(list(runner.read("notification.updated"))) == 120
    assert phone.closed


async def test_what_was_concluded_before_a_crash_is_not_called_for_again(path: Path) -> None:
    """The first call hangs, so the position stays before it; what is concluded above it is known all the same."""
    phone = Phone(only="slow@example.org")
    phone.open.clear()
    async with running(path, phone=phone, grace=0.1) as runner:
        await runner.publish([submitted(1, "slow@example.org"), *(submitted(n) for n in range(2, 12))])
        await until(lambda: len(list(runner.read("notification.updated"))) == 10)

    again = Phone()
    async with running(path, phone=again) as runner:
        await runner.idle()
        assert len(list(runner.read("notification.updated"))) == 11, "nor is it told again"
    assert [call.recipient for call in again.calls] == ["slow@example.org"]


async def test_a_deferred_message_waits_for_its_time(path: Path) -> None:
    clock, phone = Time(), Phone()
    async with running(path, phone=phone, clock=clock) as runner:
        await runner.publish([submitted(1, "later@example.org"), submitted(2)])
        await runner.idle()
        assert [(call.recipient, call.number) for call in phone.calls] == [
            ("later@example.org", 1),
            ("now@example.org", 1),
        ]
        for number in range(2, ATTEMPTS + 1):
            clock.now += RETRY_AFTER
            await runner.idle()
            assert phone.calls[-1].number == number


async def test_a_call_is_made_again_while_the_world_is_down_and_buried_when_it_has_a_fault(path: Path) -> None:
    phone = Phone()
    phone.troubles = [KeyError("a fault of the caller"), Unavailable("the store is down")]
    async with running(path, phone=phone) as runner:
        await runner.publish([submitted(1)])
        await runner.idle()
        (letter,) = runner.read("trial.dead")
        assert dict(letter.headers)["error"] == b"KeyError: 'a fault of the caller'"
        assert len(phone.calls) == 2


async def test_a_tick_sweeps_what_is_due_and_nothing_else(path: Path) -> None:
    clock = Time()
    async with running(path, CLOSING, clock=clock) as runner:
        await runner.publish(of_type("ThreadClosed", rounds=3))
        await runner.idle()
        clock.now = START + SHUT_AFTER + timedelta(seconds=1)
        runner.look()
        await runner.idle()
        assert len(list(runner.read("closed-threads"))) == 2
        assert len((await runner.state("closing", "crm/0")).until) == 1
        clock.now += timedelta(seconds=1)
        runner.look()
        await runner.idle()
        assert await runner.states("closing") == {}


async def test_what_cannot_be_worked_on_is_buried_with_its_reason_and_the_line_goes_on(path: Path) -> None:
    broken = Record("thread.sought", b"\xff crm", b'{"type": "no.such"}')
    events = of_type("FollowerSought", rounds=14)
    async with running(path, FRAGILE) as runner:
        await runner.append([broken])
        await runner.publish(events)
        await runner.idle()
        unreadable, raised = runner.read("trial.dead")
        assert len((await runner.state("fragile", "crm/0")).ids) == 13
    told = dict(unreadable.headers)
    assert (unreadable.key, unreadable.value) == (broken.key, broken.value)
    assert {name: told[name] for name in ("reason", "topic", "offset", "attempts", "group", "version")} == {
        "reason": b"unknown_type",
        "topic": b"thread.sought",
        "offset": b"1",
        "attempts": b"1",
        "group": b"fragile",
        "version": __version__.encode(),
    }
    assert told["first_failed"] == START.isoformat().encode()
    assert raised.value == record(events[12]).value
    assert dict(raised.headers)["reason"] == b"raised"
    assert dict(raised.headers)["error"] == b"ValueError: a core with a fault"
    assert dict(raised.headers)["event_id"] == events[12].event_id.encode()


async def test_more_than_a_hundred_dead_letters_in_a_row_stop_the_runner(path: Path) -> None:
    """Promise 3: rather than bury everything. What lies behind stays where it is."""
    broken = Record("thread.sought", b"crm", b"{}")
    async with running(path, FRAGILE) as runner:
        await runner.append([broken] * 150)
        with pytest.raises(Exception, match="100 records in a row"):
            await asyncio.wait_for(runner.failed(), 10)
        with pytest.raises(Unavailable, match="stopped"):
            await runner.publish([heard(1)])
        assert len(list(runner.read("trial.dead"))) == 100
    async with running(path, FRAGILE) as runner:
        await runner.idle()
        assert len(list(runner.read("trial.dead"))) == 150


async def test_a_hundred_dead_letters_with_a_good_one_between_stop_nothing(path: Path) -> None:
    broken = Record("thread.sought", b"crm", b"{}")
    async with running(path, FRAGILE) as runner:
        await runner.append([*[broken] * 100, record(of_type("FollowerSought")[0]), *[broken] * 100])
        await runner.idle()
        assert len(list(runner.read("trial.dead"))) == 200


async def test_old_records_are_deleted_but_not_before_they_were_read(path: Path) -> None:
    """Streams are kept as long as the catalogue says: seven days for these."""
    clock, phone = Time(), Phone(only="slow@example.org")
    phone.open.clear()
    async with running(path, COUNTING, phone=phone, clock=clock) as runner:
        await runner.publish([heard(1), submitted(1, "slow@example.org")])
        await until(lambda: bool(phone.calls) and bool(list(runner.read("suppressions"))))
        clock.now += timedelta(days=7, seconds=1)
        await runner.publish([heard(2), submitted(2)])
        await until(lambda: len(phone.calls) == 2)
        await runner.forget_old()
        assert [stored.offset for stored in runner.read("address.observed")] == [2]
        assert [stored.offset for stored in runner.read("outbound.submitted")] == [1, 2]

        phone.open.set()
        await runner.idle()
        await runner.publish([heard(3), submitted(3)])
        await runner.idle()
        await runner.forget_old()
        assert [stored.offset for stored in runner.read("outbound.submitted")] == [2, 3]
    async with running(path, COUNTING, clock=clock) as runner:
        clock.now += timedelta(days=8)
        await runner.forget_old()
        assert list(runner.read("address.observed")) == []
        await runner.publish([heard(4)])
        await runner.idle()
        assert [stored.offset for stored in runner.read("address.observed")] == [4], (
            "offsets go on after an empty topic"
        )
        assert len((await runner.state("counting", "a@example.org")).seen) == 4
