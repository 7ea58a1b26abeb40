"""The walls between packages: each contract of `lint-imports` is kept, and sees the fault planted against it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
VERDICT = re.compile(r"^(?P<name>.+?) (?P<verdict>KEPT|BROKEN)\b", re.MULTILINE)

SCHEMAS = "postroad_schemas stands on msgspec and the standard library alone"
WORKERS = "the six workers never import one another"
CORES = "cores are pure: no client library, clock, chance, log, file or socket, and no runner"
SHELLS = "shells are imported by shells, never by a core"
LAYERS = "each layer imports only those below it"
FAUST = "faust only in postroad.runtime.faust"
AIOKAFKA = "aiokafka only in the runners, and in the example for apps"
AIOHTTP = "aiohttp only in ingest's doors"
AIOSMTPD = "aiosmtpd only in ingest's doors"
IMAPCLIENT = "imapclient and poplib only in ingest's doors"
AIOSMTPLIB = "aiosmtplib only in dispatch's transports"
PROMETHEUS = "prometheus_client only where figures are served"
OPENTELEMETRY = "opentelemetry only where spans are made"
ALL = {SCHEMAS, WORKERS, CORES, SHELLS, LAYERS, FAUST, AIOKAFKA, AIOHTTP, AIOSMTPD, IMAPCLIENT, AIOSMTPLIB, PROMETHEUS}
ALL |= {OPENTELEMETRY}

PLANTED = [
    (SCHEMAS, "schemas/postroad_schemas/event.py", "import idna", "a client library in the events"),
    (WORKERS, "services/postroad/fanout/plan.py", "from postroad.bounces import fate", "fanout asks bounces"),
    (WORKERS, "services/postroad/ingest/worker.py", "import postroad.routing.rules", "a worker's shell asks another"),
    (CORES, "services/postroad/mail/status.py", "import time", "a clock in mail"),
    (CORES, "services/postroad/routing/rules.py", "import logging", "a log in routing"),
    (CORES, "services/postroad/loop_guard/budget.py", "import random", "chance in the guard"),
    (CORES, "services/postroad/bounces/blacklist.py", "from pathlib import Path", "files in bounces"),
    (CORES, "services/postroad/dispatch/plan.py", "import sqlite3", "a store in dispatch"),
    (CORES, "services/postroad/fanout/thread.py", "import asyncio", "waiting in fanout"),
    (CORES, "services/postroad/ingest/received.py", "import structlog", "a client library in ingest"),
    (CORES, "services/postroad/stage.py", "import os", "the environment in the seam"),
    (CORES, "services/postroad/window.py", "import uuid", "ids from thin air in the window"),
    (CORES, "services/postroad/bounces/fate.py", "from postroad.runtime import config", "settings in a core"),
    (SHELLS, "services/postroad/routing/rules.py", "import postroad.routing.worker", "a core looks at its shell"),
    (SHELLS, "services/postroad/dispatch/choose.py", "import postroad.dispatch.transports", "a core asks a server"),
    (LAYERS, "services/postroad/runtime/worker.py", "import postroad.catalogue.samples", "the ports look up"),
    (LAYERS, "services/postroad/mail/dsn.py", "import postroad.views.parameters", "mail looks at the directory"),
    (LAYERS, "services/postroad/tour/letters.py", "import postroad.simulate.lines", "the tour leans on simulate"),
    (FAUST, "services/postroad/runtime/memory.py", "import faust", "faust in another runner"),
    (FAUST, "services/postroad/cli/schemas.py", "import mode", "faust's services in the command"),
    (AIOKAFKA, "services/postroad/simulate/lines.py", "import aiokafka", "Kafka in a dry run"),
    (AIOHTTP, "services/postroad/cli/pipe.py", "from aiohttp import web", "a web server in the command"),
    (AIOSMTPD, "services/postroad/tour/letters.py", "import aiosmtpd", "a door in the tour"),
    (IMAPCLIENT, "services/postroad/cli/main.py", "import imapclient", "a mailbox's library in the command"),
    (AIOSMTPLIB, "services/postroad/cli/parse.py", "import aiosmtplib", "sending from the command"),
    (
        OPENTELEMETRY,
        "services/postroad/runtime/observe/watch.py",
        "import opentelemetry",
        "spans where events are counted",
    ),
    (PROMETHEUS, "services/postroad/runtime/observe/watch.py", "import prometheus_client", "the library in a runner"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages and the contracts, away from the repository."""
    folder = tmp_path_factory.mktemp("walls")
    sources = shutil.ignore_patterns("__pycache__")
    for package in ("services/postroad", "schemas/postroad_schemas"):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=sources)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return folder


def verdicts(folder: Path) -> dict[str, str]:
    """Each contract's name, and KEPT or BROKEN."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{folder / 'services'}:{folder / 'schemas'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "200",  # a name stays on one line
        },
        capture_output=True,
        text=True,
        check=False,
    )
    found = {match["name"]: match["verdict"] for match in VERDICT.finditer(run.stdout)}
    assert found, run.stdout + run.stderr
    assert (run.returncode == 0) is ("BROKEN" not in found.values())
    return found


@contextmanager
def planted(path: Path, line: str) -> Iterator[None]:
    sound = path.read_text("utf-8")
    path.write_text(f"{sound}\n{line}\n", "utf-8")
    try:
        yield
    finally:
        path.write_text(sound, "utf-8")


def test_walls_stand(copy: Path) -> None:
    assert verdicts(copy) == dict.fromkeys(ALL, "KEPT")


def test_every_wall_has_its_fault() -> None:
    assert {contract for contract, *_ in PLANTED} == ALL


@pytest.mark.parametrize(("contract", "file", "line"), [pytest.param(*row, id=words) for *row, words in PLANTED])
def test_a_fault_breaks_its_wall_alone(copy: Path, contract: str, file: str, line: str) -> None:
    with planted(copy / file, line):
        assert verdicts(copy) == dict.fromkeys(ALL, "KEPT") | {contract: "BROKEN"}
