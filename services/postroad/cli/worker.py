"""`postroad worker`: one of the six workers, on a Kafka cluster."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec

from postroad.cli.options import Settings
from postroad.runtime.config import Config, ConfigError, load
from postroad_schemas import WORKERS

Bootstrap = Annotated[
    str,
    cyclopts.Parameter(
        name="--kafka", help="The cluster, as HOST:PORT; several with commas. By default `bootstrap` of the settings."
    ),
]
MetricsPort = Annotated[
    int | None,
    cyclopts.Parameter(
        name="--metrics-port",
        help="Where /metrics, /healthz and /readyz are answered; 0: nowhere. By default `port` of [metrics].",
        validator=cyclopts.validators.Number(gte=0, lte=65535),
    ),
]

app = cyclopts.App(
    name="worker",
    help="""Run one worker of a cluster, until SIGTERM.

    The topics must be there first: `postroad topics apply`. Several processes of one worker share its partitions.""",
)


@app.default
def worker(name: str, /, *, kafka: Bootstrap = "", config: Settings = None, metrics_port: MetricsPort = None) -> int:
    """Run one worker.

    Parameters
    ----------
    name
        ingest, routing, loop_guard, bounces, fanout or dispatch.
    """
    if name not in WORKERS:
        return refused("worker", f"there is no worker {name!r}: it is one of {', '.join(WORKERS)}", os.EX_USAGE)
    try:
        settings = settings_of(config, kafka)
        if metrics_port is not None:
            served = msgspec.structs.replace(settings.metrics, port=metrics_port)
            settings = msgspec.structs.replace(settings, metrics=served)
    except ConfigError as error:
        return refused("worker", str(error), os.EX_CONFIG)

    from postroad.runtime import logs, process
    from postroad.runtime.kafka.workers import load as load_worker
    from postroad.runtime.observe.observer import Observer

    logs.configure(settings.logs)
    observer = Observer(name, settings.metrics)
    return asyncio.run(process.run(load_worker(name, settings), settings, observer=observer))


def settings_of(path: Path | None, bootstrap: str = "", **kafka: int | None) -> Config:
    """The settings of a file with what was said on the command line over them. Raises ConfigError."""
    found = load(path)[0] if path else Config()
    over = {name: value for name, value in {"bootstrap": bootstrap or None, **kafka}.items() if value is not None}
    found = msgspec.structs.replace(found, kafka=msgspec.structs.replace(found.kafka, **over))
    if not found.kafka.bootstrap:
        raise ConfigError("which Kafka? Give --kafka HOST:PORT, or `bootstrap` under [kafka] in the settings")
    return found


def refused(command: str, words: str, code: int) -> int:
    """Trouble is one line on standard error and an exit code."""
    print(f"postroad {command}: {words}", file=sys.stderr)
    return code
