"""The six workers by name, each imported only when it is asked for."""

import importlib
from collections.abc import Sequence

from postroad.runtime.config import Config, ConfigError
from postroad.runtime.worker import Worker
from postroad_schemas import WORKERS


def load(name: str, config: Config) -> Worker:
    """`worker(config)` of `postroad.<name>.worker` where the worker is made by its settings, else its WORKER.

    Raises LookupError for a name that is none of the six.
    """
    if name not in WORKERS:
        raise LookupError(f"there is no worker {name!r}: it is one of {', '.join(WORKERS)}")
    module = importlib.import_module(f"postroad.{name}.worker")
    made = module.worker(config) if hasattr(module, "worker") else module.WORKER
    assert isinstance(made, Worker)
    return made


def load_all(config: Config) -> Sequence[Worker]:
    """All six. Raises ConfigError where the settings name a runner of no stage, or none that there is."""
    found = tuple(load(name, config) for name in WORKERS)
    stages = [stage.name for worker in found for stage in worker.stages]
    for stage, runner in config.kafka.runner.items():
        if stage not in stages:
            raise ConfigError(f"kafka.runner: there is no stage {stage!r} to give a runner: {', '.join(stages)}")
        if runner not in ("kafka", "faust"):
            raise ConfigError(f"kafka.runner: {stage} = {runner!r} is neither 'kafka' nor 'faust'")
    return found
