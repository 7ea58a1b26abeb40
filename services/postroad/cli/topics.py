"""`postroad topics`: the catalogue of topics against a Kafka cluster."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import msgspec

from postroad.cli.options import Settings, hush
from postroad.cli.worker import Bootstrap, refused, settings_of
from postroad.runtime.config import Config, ConfigError
from postroad.runtime.worker import Unavailable

Partitions = Annotated[int | None, cyclopts.Parameter(help="Of every stream. Cannot be changed later.")]
Replication = Annotated[int | None, cyclopts.Parameter(help="Copies of everything: 3, or 1 on a single node.")]
AsJson = Annotated[bool, cyclopts.Parameter(name="--json", negative="", help="Print JSON, for programs.")]

app = cyclopts.App(
    name="topics",
    help="""Make the topics of a cluster what the catalogue says.

    `plan` shows what `apply` would do; `check` is for deployments: its exit code is 0 only when nothing differs.""",
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints of each difference."""

    topic: str
    change: str
    refused: bool


@app.command
def plan(
    *,
    kafka: Bootstrap = "",
    config: Settings = None,
    partitions: Partitions = None,
    replication: Replication = None,
    json: AsJson = False,
) -> int:
    """Show what `apply` would do."""

    async def run(settings: Config) -> int:
        changes = await _differences(settings)
        _show(changes, json, "nothing to do: all topics are as they must be")
        return os.EX_OK

    return _answering(run, config, kafka, partitions, replication)


@app.command
def apply(
    *,
    kafka: Bootstrap = "",
    config: Settings = None,
    partitions: Partitions = None,
    replication: Replication = None,
    json: AsJson = False,
) -> int:
    """Create the topics that are missing and set what differs.

    The number of partitions of a topic is never changed: its keys would move away from their state.
    """

    async def run(settings: Config) -> int:
        from postroad.runtime.kafka import topics

        changes = await _differences(settings)
        await topics.apply(settings.kafka, changes)
        _show(changes, json, "nothing to do: all topics are as they must be")
        return os.EX_CONFIG if any(change.refused for change in changes) else os.EX_OK

    return _answering(run, config, kafka, partitions, replication)


@app.command
def check(
    *,
    kafka: Bootstrap = "",
    config: Settings = None,
    partitions: Partitions = None,
    replication: Replication = None,
    json: AsJson = False,
) -> int:
    """Show what differs; exit code 78 when anything does."""

    async def run(settings: Config) -> int:
        changes = await _differences(settings)
        _show(changes, json, "all topics are as they must be")
        return os.EX_CONFIG if changes else os.EX_OK

    return _answering(run, config, kafka, partitions, replication)


async def _differences(settings: Config) -> Sequence[Any]:
    from postroad.runtime.kafka import topics, workers

    wanted = topics.wanted(settings.kafka, workers.load_all(settings))
    return topics.changes(wanted, await topics.look(settings.kafka, wanted))


def _show(changes: Sequence[Any], json: bool, nothing: str) -> None:
    lines = [Line(topic=change.topic.name, change=change.words, refused=change.refused) for change in changes]
    if json:
        print(msgspec.json.encode(lines).decode())
    elif not lines:
        print(nothing)
    for line in [] if json else lines:
        print(f"{line.topic}: {'not done: ' if line.refused else ''}{line.change}")


def _answering(
    command: Callable[[Config], Any],
    config: Path | None,
    kafka: str,
    partitions: int | None,
    replication: int | None,
) -> int:
    hush()
    try:
        settings = settings_of(config, kafka, partitions=partitions, replication=replication)
        code: int = asyncio.run(command(settings))
    except (ConfigError, ValueError) as error:
        return refused("topics", str(error), os.EX_CONFIG)
    except Unavailable as error:
        return refused("topics", f"{error} `postroad broker start` starts one", os.EX_UNAVAILABLE)
    return code
