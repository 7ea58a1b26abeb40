"""What an app installs: the events stand on msgspec and the standard library, and nothing else comes with them."""

import ast
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import msgspec
import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "schemas/postroad_schemas"
STANDARD = sys.stdlib_module_names

APP = """
import sys
sys.path.append(sys.argv[1])
from datetime import UTC, datetime
from postroad_schemas import read, record
from postroad_schemas.chatter import ThreadClosed

event = ThreadClosed(event_id="a" * 32, trace_id="a" * 32, occurred_at=datetime(2026, 11, 24, tzinfo=UTC), thread="t/1")
topic, key, value, headers = record(event)
assert read(topic, value) == event
print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"__main__"}))
"""


def imported(source: str) -> set[str]:
    """The top-level packages that a module's text names, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def foreign(source: str) -> set[str]:
    return imported(source) - STANDARD - {"msgspec", "postroad_schemas"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_events_import_msgspec_and_the_standard_library(path: Path) -> None:
    assert foreign(path.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("import structlog", {"structlog"}, id="a package"),
        pytest.param("from aiokafka.errors import KafkaError", {"aiokafka"}, id="a part of one"),
        pytest.param("def late():\n    import postroad.mail", {"postroad"}, id="ours, inside a function"),
        pytest.param("import json, idna as i", {"idna"}, id="the second of a line"),
        pytest.param("from . import event\nimport msgspec.json", set(), id="what is allowed"),
    ],
)
def test_another_import_is_caught(source: str, found: set[str]) -> None:
    assert foreign(source) == found


def test_without_extras_msgspec_alone_is_installed() -> None:
    base = [line for line in metadata.requires("postroad") or () if "extra ==" not in line]
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert base == declared
    assert [line.partition(">")[0] for line in base] == ["msgspec"]
    assert [line for line in metadata.requires("msgspec") or () if "extra ==" not in line] == []


def test_the_wheel_holds_both_packages() -> None:
    document = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wheel = document["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(wheel) == {"services/postroad", "schemas/postroad_schemas"}
    assert (PACKAGE / "py.typed").is_file()


def test_an_app_runs_with_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "postroad_schemas", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "msgspec").symlink_to(Path(msgspec.__file__).parent)
    alone = [sys.executable, "-I", "-S", "-B", "-c", APP, str(tmp_path)]  # no site-packages, no environment
    run = subprocess.run(alone, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.stderr == ""
    assert run.stdout.split() == ["msgspec", "postroad_schemas"]
