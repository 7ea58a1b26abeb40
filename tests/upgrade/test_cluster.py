"""Old and new workers as processes of their own code, side by side on a real broker: in, alone, and back again.

In the order of deploy/README.md nothing that either version writes is a dead letter of the other. What an app of the
next version publishes too early is passed over by workers of this one, and comes back by `postroad dead retry`.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from postroad import __version__
from postroad.bounces.addresses import ADDRESSES
from postroad.fanout.threads import THREADS
from postroad.loop_guard.budgets import BUDGETS
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Config, Kafka
from postroad.runtime.kafka.topics import Core, changelog_of, cores_of, partitions_of
from postroad.runtime.kafka.workers import load, load_all
from tests.support.kafka import fresh_topics, put, records, states
from tests.support.six import WORKERS, Six, ended, until
from tests.support.smtp_sink import SmtpSink
from tests.support.thread_loop import in_thread
from tests.upgrade.next_version import NEW_TYPE, ROOT, WEIGHT, next_version, paths, weighed, weights
from tests.upgrade.story import CHATTY, LIMIT, PEOPLE, Story, at_rest, audit, follow, logs_of_addresses

READERS, WRITERS = ("bounces", "dispatch", "fanout"), ("loop_guard", "routing", "ingest")
SESSION = 10.0  # seconds: nine processes on a small machine may all start at once
EARLY = [f"early/{number}" for number in range(24)]


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with in_thread(SmtpSink()) as started:
        yield started


@pytest.fixture
def versions(tmp_path: Path, broker: Cluster, sink: SmtpSink) -> Iterator[tuple[Six, Six]]:
    """This version with its topics, none of its workers up; and the next one."""
    kafka = Kafka(bootstrap=broker.bootstrap, partitions=4, replication=1)
    asyncio.run(fresh_topics(kafka, *load_all(Config())))
    folders = [tmp_path / name for name in ("old", "new")]
    for folder in folders:
        folder.mkdir()
    code = next_version(tmp_path / "code")
    old = Six(folders[0], broker.bootstrap, sink.port, session=SESSION, path=paths(ROOT))
    new = Six(folders[1], broker.bootstrap, sink.port, session=SESSION, path=paths(code), beside=old)
    with ended(old), ended(new):
        yield old, new


@pytest.mark.broker
@pytest.mark.slow
def test_the_next_version_comes_in_beside_this_one_and_goes_again(versions: tuple[Six, Six], sink: SmtpSink) -> None:
    old, new = versions
    kafka = Kafka(bootstrap=old.bootstrap)
    join(old, WORKERS)
    old.postroad("apply", str(old.settings))
    story = Story(old)
    story.moment(old.publish)
    follow(old, story.opened[0])

    new.postroad("topics", "apply", "--config", str(new.settings))
    with story.going_on():
        join(new, READERS)
        asyncio.run(put(kafka, *map(weighed, EARLY)))
        story.moment(old.publish)
        until("not all that came early is taken", lambda: len(dead(kafka)) + understood(kafka) == len(EARLY))
        leave(old, READERS)
        join(new, WRITERS)
        story.go_through(old, new)
        dozen = story.moment(new.publish)
        at_rest(old)
        story.go_through(new)
        leave(old, WRITERS)
    story.moment(new.publish)
    at_rest(old)
    assert versions_of(old, dozen) == {"this", "next"}
    early = dead(kafka)
    assert set(early) == {(NEW_TYPE, "unknown_type", __version__)}
    assert len(early) < len(EARLY), "either version has worked on some"

    new.postroad("dead", "retry", "--reason", "unknown_type", "--rate", "100/s", "--config", str(new.settings))
    until("not all is understood", lambda: understood(kafka) == len(EARLY))
    assert all(weights_of(kafka, ADDRESSES)[person] for person in PEOPLE)
    assert weights_of(kafka, BUDGETS)

    with story.going_on():
        join(old, WRITERS)
        story.go_through(old, new)
        dozen = story.moment(old.publish)
        at_rest(old)
        story.go_through(old)
        leave(new, WRITERS)
        at_rest(old)
        join(old, READERS)
        story.moment(old.publish)
        leave(new, READERS)
    story.moment(old.publish)
    at_rest(old)
    assert versions_of(old, dozen) == {"this", "next"}

    audit(old, story, sink)
    assert dead(kafka) == early, "no others"
    assert understood(kafka) == len(EARLY), "what this version does not write it leaves as it is"
    addresses = logs_of_addresses(story.moments).items()
    until("failures are lost", lambda: asyncio.run(states(kafka, ADDRESSES)).items() >= addresses)
    until("mails are miscounted", lambda: counted(kafka) == (LIMIT, len(story.chatty) - LIMIT))


def join(system: Six, names: Sequence[str]) -> None:
    """Starts workers; returns when each has its share of every stage's partitions, and the door is open."""
    before = {name: len(system.log(name)) for name in names}
    for name in names:
        system.start(name)
    for name in names:
        stages = {core.name for core in cores_of(load(name, Config())) if partitions_of(core.reads[0], Kafka()) > 1}
        try:
            until("", lambda name=name, stages=stages: stages <= shares(system.log(name)[before[name] :]))
        except TimeoutError:
            raise AssertionError(f"{name} has no share:\n{system.log(name)[before[name] :][-3000:]}") from None
    if "ingest" in names:
        system.wait_for_door()


def shares(log: str) -> set[str]:
    """The stages that were given partitions."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{") and line.endswith("}")]
    return {line["stage"] for line in lines if line["event"] == "assigned" and line["partitions"]}


def leave(system: Six, names: Sequence[str]) -> None:
    """SIGTERM to each, all at once; none has ended by itself before."""
    with ThreadPoolExecutor(len(names)) as pool:
        codes = dict(zip(names, pool.map(system.terminate, names), strict=True))
    assert set(codes.values()) == {0}, (codes, system.logs())


def versions_of(system: Six, opening: Sequence[str]) -> set[str]:
    """Which versions of the loop guard passed these mails on from their first budget: this one drops the new field."""
    found = asyncio.run(records(Kafka(bootstrap=system.bootstrap), "mail.routed"))
    events = [json.loads(record.value or b"{}") for record in found]
    passed = [it for it in events if it["type"] == "mail.routed" and it["position"] and it["message_id"] in opening]
    return {"next" if "weight" in event else "this" for event in passed}


def dead(kafka: Kafka) -> list[tuple[str, str, str]]:
    """All dead letters: of which type, why, and which version buried them."""
    found = asyncio.run(records(kafka, *(f"{name}.dead" for name in WORKERS)))
    letters = [record for record in found if record.value is not None]  # without value: a letter was sent back
    headers = [(record.headers["reason"].decode(), record.headers["version"].decode()) for record in letters]
    return [(json.loads(it.value or b"")["type"], *said) for it, said in zip(letters, headers, strict=True)]


def counted(kafka: Kafka) -> tuple[int, int]:
    """How many mails of the chatty author the loop guard let pass, and how many it held."""
    ledger: Any = asyncio.run(states(kafka, BUDGETS))[BUDGETS.name, f"author sales@example.com {CHATTY}"]
    return len(ledger.recent.entries), len(ledger.blocked)


def understood(kafka: Kafka) -> int:
    """How many of the early ones the next version has in its states."""
    return list(weights_of(kafka, THREADS).values()).count(WEIGHT)


def weights_of(kafka: Kafka, core: Core) -> dict[str, int]:
    rows = {record.key or b"": record.value for record in asyncio.run(records(kafka, changelog_of(core, kafka)))}
    kept = {key: row for key, row in rows.items() if row and not key.startswith(b"\x00")}
    return {key.decode(): weight for key, weight in weights(kept, core).items()}
