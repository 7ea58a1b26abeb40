"""Senders on a real broker: many keys at once, one call at a time for each, delays, crashes and revocations."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from postroad.runtime.broker import Cluster
from postroad.runtime.config import Kafka
from postroad.runtime.kafka.sending import SenderRunner
from postroad.runtime.worker import Sending, Unavailable, Worker
from postroad.stage import Call, Decision, Sender
from postroad.views import Views
from postroad_schemas import Record, Ticked, event_id
from postroad_schemas.chatter import NotificationSent
from postroad_schemas.outbound import OutboundDeferred, OutboundSubmitted
from postroad_schemas.values import Reply
from tests.kafka.test_engine import running
from tests.support.kafka import caught_up, cluster_settings, fresh_topics, publish, put, records, states, until

AT = datetime(2026, 11, 1, tzinfo=UTC)


class Done(msgspec.Struct, frozen=True):
    ids: tuple[str, ...] = ()
    until: datetime | None = None


def begin(event: Any, state: Done, _: Views, now: datetime) -> Decision[Done] | Call[str]:
    if isinstance(event, OutboundDeferred):
        event = event.submission
    return Decision(state) if event.event_id in state.ids else Call(event.event_id)


def conclude(event: Any, request: str, code: int, state: Done, _: Views, now: datetime) -> Decision[Done]:
    sent = NotificationSent(
        event_id=event_id(request, "sent"),
        occurred_at=AT,
        trace_id=request,
        notification_id=request,
        recipient="",
        reply=Reply(code=code),
    )
    return Decision(Done((*state.ids, request), now), (sent,))


def forget(tick: Ticked, state: Done, _: Views) -> Decision[Done]:
    return Decision(Done(state.ids))


SENDER = Sender(
    "posting",
    "trial",
    ("outbound.submitted", "outbound.deferred.1m"),
    ("notification.updated",),
    Done,
    begin,
    conclude,
    due=lambda state: state.until,
    sweep=forget,
    changelog="outbound.settled",
)


def submitted(number: int, key: str) -> OutboundSubmitted:
    return OutboundSubmitted(
        event_id=f"{key}-{number}", occurred_at=AT, trace_id="t", recipient=f"{key}@example.org", message_id="<m@x>"
    )


class World:
    """Answers after a while, unless told otherwise; remembers who asked and how many at once."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.asked: list[str] = []
        self.now: Counter[str] = Counter()
        self.most_of_a_key = self.most = 0
        self.answer: Callable[[str], int] = lambda _: 250
        self._seconds = seconds

    async def __call__(self, request: str) -> int:
        key = request.split("-")[0]
        self.asked.append(request)
        self.now[key] += 1
        self.most_of_a_key = max(self.most_of_a_key, self.now[key])
        self.most = max(self.most, self.now.total())
        try:
            await asyncio.sleep(self._seconds)
            return self.answer(request)
        finally:
            self.now[key] -= 1

    async def close(self) -> None:
        """Nothing is open."""


async def begun(broker: Cluster) -> Kafka:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, Worker("trial", (), (Sending(SENDER, lambda _: World()),)))
    return kafka


def runner(kafka: Kafka, world: World, **more: Any) -> SenderRunner:
    return SenderRunner(SENDER, world, kafka, Views(), **{"tick": 60.0, **more})


async def sent(kafka: Kafka) -> list[str]:
    found = await records(kafka, "notification.updated")
    return [msgspec.json.decode(one.value or b"", type=NotificationSent).notification_id for one in found]


@pytest.mark.broker
async def test_keys_run_at_once_and_each_keys_calls_in_their_order(broker: Cluster) -> None:
    kafka, world = await begun(broker), World()
    await publish(kafka, [submitted(n, f"k{key}") for n in range(10) for key in range(40)])

    async with running(runner(kafka, world)):  # type: ignore[arg-type]
        await caught_up(kafka, SENDER)

    assert len(world.asked) == 400
    assert world.most_of_a_key == 1
    assert world.most > 10
    for key in range(40):
        mine = [asked for asked in world.asked if asked.startswith(f"k{key}-")]
        assert mine == [f"k{key}-{n}" for n in range(10)]
    assert sorted(await sent(kafka)) == sorted(world.asked)
    assert all(state.ids == tuple(f"k{k}-{n}" for n in range(10)) for k, state in numbered(await states(kafka, SENDER)))


def numbered(found: dict[tuple[str, str], Any]) -> list[tuple[int, Any]]:
    return [(int(key.split("@")[0][1:]), state) for (_, key), state in found.items()]


@pytest.mark.broker
async def test_a_slow_key_holds_up_nobody_but_the_committed_offset(broker: Cluster) -> None:
    kafka, world, hold = await begun(broker), World(0.0), asyncio.Event()

    async def call(request: str) -> int:
        if request == "slow-0":
            await hold.wait()
        return await world(request)

    call.close = world.close  # type: ignore[attr-defined]
    await publish(kafka, [submitted(0, "slow"), submitted(1, "slow"), *(submitted(n, "quick") for n in range(50))])
    sender = SenderRunner(SENDER, call, kafka, Views())  # type: ignore[arg-type]

    async with running(sender):  # type: ignore[arg-type]

        async def others_done() -> bool:
            return len(await sent(kafka)) == 50

        await until(others_done, 20)
        assert "slow-1" not in world.asked
        hold.set()
        await caught_up(kafka, SENDER)

    assert len(await sent(kafka)) == 52


@pytest.mark.broker
async def test_what_was_concluded_is_not_called_for_again_after_a_restart(broker: Cluster) -> None:
    kafka, world, hold = await begun(broker), World(0.0), asyncio.Event()

    async def call(request: str) -> int:
        if request == "slow-0" and world.asked.count("slow-0") == 0:
            world.asked.append("slow-0")
            await hold.wait()
        return await world(request)

    call.close = world.close  # type: ignore[attr-defined]
    await publish(kafka, [submitted(0, "slow"), *(submitted(n, f"k{n}") for n in range(30))])
    sender = SenderRunner(SENDER, call, kafka, Views(), grace=0.2)  # type: ignore[arg-type]
    async with running(sender):  # type: ignore[arg-type]

        async def others_done() -> bool:
            return len(await sent(kafka)) == 30

        await until(others_done, 20)

    async with running(runner(kafka, world)):  # type: ignore[arg-type]
        await caught_up(kafka, SENDER)

    times = Counter(world.asked)
    assert times.pop("slow-0") == 2  # it was in flight
    assert set(times.values()) == {1}


@pytest.mark.broker
async def test_a_delay_is_read_when_its_head_is_due(broker: Cluster) -> None:
    kafka, world = await begun(broker), World(0.0)
    now = datetime.now(UTC)
    deferred = [
        OutboundDeferred(
            event_id=f"d{n}",
            occurred_at=AT,
            trace_id="t",
            submission=submitted(n, "a"),
            step="1m",
            attempt=1,
            not_before=now + timedelta(seconds=9 if n else 8),
            first_attempt_at=AT,
        )
        for n in range(2)
    ]
    await publish(kafka, [*deferred, submitted(9, "b")])

    async with running(runner(kafka, world)):  # type: ignore[arg-type]

        async def first() -> bool:
            return world.asked == ["b-9"]

        await until(first, 7.0)
        await caught_up(kafka, SENDER, within=30)

    assert world.asked == ["b-9", "a-0", "a-1"]
    assert datetime.now(UTC) >= deferred[1].not_before


@pytest.mark.broker
async def test_ticks_sweep_what_is_due_and_poison_is_buried(broker: Cluster) -> None:
    kafka, world = await begun(broker), World(0.0)
    world.answer = lambda request: int(request) if request.startswith("bad") else 250
    await publish(kafka, [submitted(1, "a"), submitted(2, "bad"), submitted(3, "c")])
    await put(kafka, Record("outbound.submitted", b"a@example.org", b"no JSON"))

    async with running(runner(kafka, world, tick=0.5)):  # type: ignore[arg-type]

        async def swept() -> bool:
            found = await states(kafka, SENDER)
            return len(found) == 2 and all(state.until is None for state in found.values())  # type: ignore[attr-defined]

        await until(swept, 20)

    dead = await records(kafka, "trial.dead")
    assert sorted(one.headers["reason"] for one in dead) == [b"invalid", b"raised"]


@pytest.mark.broker
async def test_a_caller_whose_world_is_down_ends_the_runner_and_loses_nothing(broker: Cluster) -> None:
    kafka, world = await begun(broker), World(0.0)

    def down(_: str) -> int:
        raise Unavailable("the store is away")

    world.answer = down
    await publish(kafka, [submitted(1, "a")])
    async with running(runner(kafka, world, patience=0.0)) as (task,):  # type: ignore[arg-type]

        async def tried() -> bool:
            return len(world.asked) >= 2

        await until(tried, 20)
        assert not await sent(kafka)
        world.answer = lambda _: 250
        await caught_up(kafka, SENDER)
        assert not task.done()

    assert await sent(kafka) == ["a-1"]


@pytest.mark.broker
async def test_two_members_share_the_partitions_and_call_once(broker: Cluster) -> None:
    kafka, one, two = await begun(broker), World(), World()
    await publish(kafka, [submitted(n, f"k{n}") for n in range(200)])

    async with running(runner(kafka, one)):  # type: ignore[arg-type]
        async with running(runner(kafka, two)):  # type: ignore[arg-type]
            await publish(kafka, [submitted(n, f"k{n}") for n in range(200, 400)])
            await caught_up(kafka, SENDER)
        await publish(kafka, [submitted(n, f"k{n}") for n in range(400, 450)])
        await caught_up(kafka, SENDER)

    times = Counter([*one.asked, *two.asked])
    assert len(times) == 450
    assert set(times.values()) == {1}
