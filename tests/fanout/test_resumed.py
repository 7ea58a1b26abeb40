"""A large thread is told to its end though the process ends in between (F6)."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from postroad.fanout.worker import WORKER as FANOUT
from postroad.runtime.config import Config
from postroad.runtime.embedded import Embedded, read_log
from postroad.runtime.objects import open_store
from postroad_schemas import read
from postroad_schemas.chatter import ThreadFollowed
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Follower
from tests.fanout.facts import ALICE, NOON, THREAD, by, says

FOLLOWERS = 5_000


def embedded(folder: Path) -> Embedded:
    return Embedded(folder / "log.sqlite", (FANOUT,), open_store("memory:"), Config(), grace=0.0)


def copies(folder: Path) -> list[OutboundSubmitted]:
    found = [read(it.topic, it.value or b"") for it in read_log(folder / "log.sqlite", "outbound.submitted")]
    return [event for event in found if isinstance(event, OutboundSubmitted)]


async def test_the_next_process_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    crowd = [f"member{number}@crowd.example" for number in range(FOLLOWERS)]
    members = tuple(Follower(address=address) for address in crowd)
    first = embedded(tmp_path)
    await first.start()
    await first.tools.publish(
        [ThreadFollowed(event_id="f", occurred_at=NOON, trace_id="t", thread=THREAD, followers=members)]
    )
    await first.idle()
    await first.tools.publish([says(by(ALICE))])
    begun = datetime.now(UTC)
    while not copies(tmp_path):
        assert (datetime.now(UTC) - begun).total_seconds() < 60
        await asyncio.sleep(0.001)
    await first.stop()
    assert 0 < len(copies(tmp_path)) < FOLLOWERS, "it ended in between"

    second = embedded(tmp_path)
    await second.start()
    await second.idle()
    await second.stop()
    told = copies(tmp_path)
    assert Counter(copy.recipient for copy in told) == Counter(crowd)
    assert len({copy.event_id for copy in told}) == FOLLOWERS
    assert len({copy.message_id for copy in told}) == 1
