"""The image: what is copied is there, what is ignored is not needed, and nobody is root."""

import json
import re
import subprocess
import sys
import time
import tomllib
from importlib.metadata import packages_distributions

import pytest

from postroad import __version__
from postroad.catalogue.pods import DOORS, KEPT, METRICS, USER
from postroad.runtime.observe.health import DEAD_AFTER, Health
from postroad.runtime.observe.server import Server
from tests.deploy.documents import DEPLOY

ROOT = DEPLOY.parent
SOURCES = ROOT / "services/postroad"
TEXT = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
LINES = [tuple(line.split(maxsplit=1)) for line in TEXT.splitlines() if line and not line.startswith("#")]
IMPORTED = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)


def of(instruction: str) -> list[str]:
    return [rest for word, rest in LINES if word == instruction]


def plain(name: str) -> str:
    """The name of a distribution, as names are compared."""
    return name.lower().replace("_", "-")


def test_what_is_copied_is_there_and_gets_past_the_ignore_file() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    copied = {name for rest in of("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}


def test_what_is_installed_is_all_that_the_distribution_is_made_of() -> None:
    made = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = re.search(r"\[tool.hatch.build.targets.wheel\]\npackages = (\[.*\])", made)
    assert packages is not None
    copied = " ".join(of("COPY"))
    assert [name for name in json.loads(packages[1]) if name not in copied] == []
    assert f'version = "{__version__}"' in made


def test_each_package_that_is_installed_is_imported() -> None:
    """What only tests need has no place in it, and may have no wheel to install."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    chosen = next(found[1] for rest in of("RUN") if (found := re.search(r"'\.\[([\w,]+)\]'", rest)))
    asked = {plain(re.split(r"[^\w.-]", it)[0]) for extra in chosen.split(",") for it in extras[extra]}
    bringing = packages_distributions()
    imported = {name for path in SOURCES.rglob("*.py") for name in IMPORTED.findall(path.read_text("utf-8"))}
    assert asked - {plain(it) for name in imported for it in bringing.get(name, ())} == set()


def test_all_that_it_runs_is_compiled_once_and_for_all() -> None:
    """No process of ours could keep what it compiled, and layers round the times by which it is known to be stale."""
    (version,) = {it.removeprefix("python:").partition("-slim")[0] for it in of("FROM")}
    (compiling,) = (it for it in of("RUN") if "compileall" in it)
    assert {"unchecked-hash", "/opt/postroad", f"/usr/local/lib/python{version}"} <= set(compiling.split())
    assert f"'{version}/" in compiling  # what is passed over


def test_it_runs_as_nobody_in_particular_on_fixed_versions() -> None:
    assert of("USER") == [f"{USER}:{USER}"]
    assert [it for it in of("FROM") if not re.match(r"python:3\.\d+-slim-\w+( AS build)?$", it)] == []
    assert of("EXPOSE") == [" ".join(map(str, (*DOORS.values(), METRICS)))]
    assert any(f"-o {USER} -g {USER} {KEPT}" in it for it in of("RUN"))
    assert json.loads(of("ENTRYPOINT")[0]) == ["postroad"]


@pytest.mark.parametrize(
    ("silent", "healthy"),
    [
        pytest.param(0.0, True, id="the event loop was heard of"),
        pytest.param(2 * DEAD_AFTER, False, id="it stands still"),
        pytest.param(None, False, id="nobody listens"),
    ],
)
def test_its_health_check_sees_what_the_process_says(silent: float | None, healthy: bool) -> None:
    """The command as it is written, but for the port."""
    python, *flags, program = json.loads(of("HEALTHCHECK")[0].partition(" CMD ")[2])
    assert (python, flags[-1], program.count(str(METRICS))) == ("python", "-c", 1)
    server = Server("127.0.0.1", 0, Health(beat=time.monotonic() - (silent or 0.0)))
    server.start()
    if silent is None:
        server.stop()
    command = [sys.executable, *flags, program.replace(str(METRICS), str(server.port))]
    assert (subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0) is healthy
    if silent is not None:
        server.stop()
