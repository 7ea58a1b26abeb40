"""Options that several commands share."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter, Token

from postroad.runtime.config import Config, load


def _path(_: object, tokens: Sequence[Token]) -> Path | None:
    """A variable that is set to nothing is not set."""
    [token] = tokens
    return Path(token.value) if token.value or token.source != "env" else None


Bootstrap = Annotated[str, Parameter(name="--kafka", help="A cluster, HOST:PORT; without it the embedded log.")]
Settings = Annotated[
    Path | None,
    Parameter(
        name="--config",
        env_var="POSTROAD_CONFIG",
        converter=_path,
        help="Settings; without them everything has its default.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON object a line.")]


def settings_of(path: Path | None, bootstrap: str = "") -> Config:
    """The settings of a file, with the cluster of the command line over them. Raises ConfigError."""
    hush()
    found = load(path)[0] if path else Config()
    if not bootstrap:
        return found
    return msgspec.structs.replace(found, kafka=msgspec.structs.replace(found.kafka, bootstrap=bootstrap))


def hush() -> None:
    """What Kafka's client would say of a cluster that is away, the command says in one line."""
    client = logging.getLogger("aiokafka")
    client.addHandler(logging.NullHandler())
    client.propagate = False
