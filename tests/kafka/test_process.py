"""A worker as a process: the order of its start and its end, and its exit codes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from postroad.cli.worker import app
from postroad.runtime import logs
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Config, Kafka, Store
from postroad.runtime.kafka.engine import Engine
from postroad.runtime.kafka.workers import load_all
from postroad.runtime.process import Times, run
from postroad.runtime.worker import Sending, Tools, Unavailable, Worker
from postroad_schemas import WORKERS, Record
from postroad_schemas.directory import Contact
from tests.conformance.stages import COUNTING, SENDER, STAGES, World, trial
from tests.kafka.test_engine import heard
from tests.support.kafka import cluster_settings, fresh_topics, no_topics, publish, put, records, until
from tests.support.trial_worker import ROOT, no_store, programs

NOWHERE = Kafka(bootstrap="127.0.0.1:9")
SOON = Times(tick=1.0, start=1.0, patience=3.0)


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """What the log tells."""
    logs.configure()
    return capfd


class Room:
    """A door, and what was done to it and its neighbours, in order."""

    def __init__(self, told: list[str], tools: Tools) -> None:
        self._told = told
        self.tools = tools

    async def start(self) -> None:
        self._told.append(f"door opens on {len(self.tools.views.contacts)} contacts")
        await self.tools.publish(heard(range(2)))

    async def stop(self) -> None:
        await self.tools.publish(heard(range(2, 4)))
        self._told.append("door is closed")


class Voice(World):
    def __init__(self, path: Path, told: list[str]) -> None:
        super().__init__(path)
        self._told = told

    async def close(self) -> None:
        self._told.append("caller is closed")
        await super().close()


async def ready_to_stop(kafka: Kafka, number: int) -> None:
    async def published() -> bool:
        return len(await records(kafka, "address.observed")) >= number

    await until(published)


@pytest.mark.broker
async def test_doors_open_last_on_full_tables_and_close_first(
    broker: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, told = cluster_settings(broker.bootstrap), []  # type: tuple[Kafka, list[str]]
    stopped = Engine.stop

    def stop(engine: Any) -> None:
        told.append("stage is told to stop")
        stopped(engine)

    monkeypatch.setattr(Engine, "stop", stop)
    worker = Worker(
        "trial",
        (COUNTING,),
        (Sending(SENDER, lambda _: Voice(tmp_path / "calls", told)),),
        (lambda tools: Room(told, tools),),
        tables=("contacts",),
    )
    await fresh_topics(kafka, worker)
    await publish(kafka, [Contact(contact_id=f"{n}", addresses=()) for n in range(7)])

    task = asyncio.create_task(run(worker, Config(kafka=kafka), no_store, SOON))
    await ready_to_stop(kafka, 2)
    begun = time.monotonic()
    os.kill(os.getpid(), signal.SIGTERM)

    assert await task == os.EX_OK
    assert time.monotonic() - begun < 60
    assert told == ["door opens on 7 contacts", "door is closed", "stage is told to stop", "caller is closed"]
    assert len(await records(kafka, "address.observed")) == 4


@pytest.mark.broker
async def test_missing_topics_are_said_with_what_to_run(broker: Cluster, told: pytest.CaptureFixture[str]) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await no_topics(kafka)

    assert await run(Worker("trial", (COUNTING,)), Config(kafka=kafka), no_store, SOON) == os.EX_CONFIG
    assert f"run `postroad topics apply --kafka {broker.bootstrap}`" in told.readouterr().err


async def test_a_missing_broker_is_waited_for_with_one_line(told: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()

    code = await run(Worker("trial", (COUNTING,)), Config(kafka=NOWHERE), no_store, Times(start=2.5))

    assert code == os.EX_UNAVAILABLE
    assert 2.0 < time.monotonic() - begun < 30.0
    assert told.readouterr().err.count("waiting for Kafka") == 1


async def test_it_can_be_stopped_while_it_waits() -> None:
    task = asyncio.create_task(run(Worker("trial", (COUNTING,)), Config(kafka=NOWHERE), no_store))
    await asyncio.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)

    assert await asyncio.wait_for(task, 60) == os.EX_OK


@pytest.mark.broker
@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        pytest.param("file:{file}/objects", os.EX_CANTCREAT, "name a folder in [store] url", id="a file is in the way"),
        pytest.param("floppy:{file}", os.EX_CONFIG, "is no object store", id="no such kind"),
    ],
)
async def test_doors_do_not_open_on_a_store_that_cannot_be_used(
    broker: Cluster, told: pytest.CaptureFixture[str], tmp_path: Path, url: str, code: int, words: str
) -> None:
    (tmp_path / "file").touch()
    config = Config(kafka=cluster_settings(broker.bootstrap), store=Store(url=url.format(file=tmp_path / "file")))
    doors: list[str] = []
    worker = Worker("trial", doors=(lambda tools: Room(doors, tools),))

    assert await run(worker, config, times=SOON) == code
    assert words in told.readouterr().err
    assert not doors


@pytest.mark.broker
async def test_doors_open_while_the_store_is_away(broker: Cluster, told: pytest.CaptureFixture[str]) -> None:
    kafka, doors = cluster_settings(broker.bootstrap), []  # type: tuple[Kafka, list[str]]
    await fresh_topics(kafka, Worker("trial", (COUNTING,)))
    worker = Worker("trial", doors=(lambda tools: Room(doors, tools),))
    task = asyncio.create_task(run(worker, Config(kafka=kafka), no_store, SOON))
    await ready_to_stop(kafka, 2)
    os.kill(os.getpid(), signal.SIGTERM)

    assert await task == os.EX_OK
    assert doors == ["door opens on 0 contacts", "door is closed"]
    (line,) = [line for line in told.readouterr().err.splitlines() if "no object store" in line]
    assert "the trial stores nothing" in line


@pytest.mark.broker
async def test_a_runner_that_is_none_is_refused(broker: Cluster, told: pytest.CaptureFixture[str]) -> None:
    kafka = cluster_settings(broker.bootstrap, runner={"counting": "spark"})
    await fresh_topics(kafka, Worker("trial", (COUNTING,)))

    assert await run(Worker("trial", (COUNTING,)), Config(kafka=kafka), no_store, SOON) == os.EX_CONFIG
    assert "'spark' is neither 'kafka' nor 'faust'" in told.readouterr().err


@pytest.mark.broker
async def test_a_bad_deploy_ends_the_process(broker: Cluster) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, Worker("trial", (COUNTING,)))
    await put(kafka, *(Record("address.observed", b"k", b"%d" % n) for n in range(150)))

    assert await run(Worker("trial", (COUNTING,)), Config(kafka=kafka), no_store, SOON) == os.EX_SOFTWARE


@pytest.mark.broker
@pytest.mark.slow
async def test_a_broker_that_stays_away_ends_stages_but_not_doors(broker: Cluster, tmp_path: Path) -> None:
    kafka = cluster_settings(broker.bootstrap, request=2.0)
    told: list[str] = []
    refused: list[str] = []

    class Porter(Room):
        async def stop(self) -> None:
            try:
                await self.tools.publish(heard([9]))
            except Unavailable:
                refused.append("not now")

    doors = Worker("trial", doors=(lambda tools: Porter(told, tools),))
    await fresh_topics(kafka, Worker("trial", (COUNTING,)))
    staying = asyncio.create_task(run(doors, Config(kafka=kafka), no_store, SOON))
    await ready_to_stop(kafka, 2)
    with programs(tmp_path, kafka, patience=3.0) as started:
        program = started.start("counting")
        program.wait_for("recovered")
        broker.kill(1)
        try:
            code = await asyncio.to_thread(program.child.wait, 40)
            assert not staying.done()
            os.kill(os.getpid(), signal.SIGTERM)
            assert await staying == os.EX_OK
        finally:
            await asyncio.to_thread(broker.start_node, 1)

    assert code == os.EX_UNAVAILABLE
    assert refused == ["not now"]


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("runner", ["kafka", "faust"])
async def test_sigterm_under_load_ends_in_time_with_0(broker: Cluster, tmp_path: Path, runner: str) -> None:
    kafka = cluster_settings(broker.bootstrap, runner={stage.name: runner for stage in STAGES})
    await fresh_topics(kafka, trial(tmp_path / "calls"))
    with programs(tmp_path, kafka) as started:
        program = started.start()
        program.wait_for("recovered", times=len(STAGES) + 1)
        await publish(kafka, heard(range(3000)))
        begun = time.monotonic()
        assert program.stop() == 0

    assert time.monotonic() - begun < 60


@pytest.mark.broker
@pytest.mark.slow
async def test_each_of_the_six_starts_and_stops(broker: Cluster, tmp_path: Path) -> None:
    kafka = cluster_settings(broker.bootstrap)
    await fresh_topics(kafka, *load_all(Config()))
    file = tmp_path / "postroad.toml"
    file.write_text(f'[store]\nurl = "file:{tmp_path}/objects"\n[smtp]\nport = 0\n[kafka]\nreplication = 1\n', "utf-8")

    for name in WORKERS:
        log = tmp_path / f"{name}.log"
        child = command(["worker", name, "--kafka", broker.bootstrap, "--config", str(file)], log)

        async def started(log: Path = log) -> bool:
            return said(log, '"event": "started"')

        try:
            await until(started, 30)
            child.terminate()
            assert await asyncio.to_thread(child.wait, 15) == os.EX_OK, log.read_text()[-2000:]
        finally:
            child.kill()


def said(log: Path, words: str) -> bool:
    return words in log.read_text("utf-8")


def command(arguments: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    program = f"import sys; from postroad.cli.{arguments[0]} import app; sys.exit(app(sys.argv[1:]))"
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments[1:]],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "services:schemas"},
            stdout=output,
            stderr=output,
        )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["router"], os.EX_USAGE, "it is one of ingest, routing", id="no such worker"),
        pytest.param(["routing"], os.EX_CONFIG, "Give --kafka HOST:PORT", id="no cluster"),
        pytest.param(["routing", "--config", "/no/such"], os.EX_CONFIG, "/no/such", id="no settings file"),
    ],
)
def test_trouble_is_one_line(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app(arguments, result_action="return_value") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
