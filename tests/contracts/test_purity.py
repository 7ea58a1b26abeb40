"""What the walls cannot see: a core that asks the clock, the disk or the terminal by a name that needs no import."""

import ast
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SERVICES = REPOSITORY / "services"
CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
CLOCKS = {"now", "today", "utcnow"}  # of datetime and date
DOORS = {"open", "print", "input", "__import__", "exec", "eval"}
FILES = {"read_text", "read_bytes", "write_text", "write_bytes"}


def modules(contract: str, field: str) -> list[Path]:
    """The files of the modules that a contract names."""
    (found,) = [entry for entry in CONTRACTS if entry["id"] == contract]
    places = [SERVICES / name.replace(".", "/") for name in found[field]]
    return [
        path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")])
    ]


CORES = sorted(set(modules("cores", "source_modules")) - set(modules("shells", "protected_modules")))


def impure(source: str) -> list[str]:
    """Calls that a core may not make, with their lines."""
    return [
        f"line {node.lineno}: {name}()"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and (name := _forbidden(node.func))
    ]


def _forbidden(call: ast.expr) -> str:
    match call:
        case ast.Name(id=name) if name in DOORS:
            return name
        case ast.Attribute(attr=name) if name in CLOCKS | FILES:
            return name
        case _:
            return ""


@pytest.mark.parametrize("path", CORES, ids=lambda path: str(path.relative_to(SERVICES / "postroad")))
def test_a_core_asks_nothing_of_the_world(path: Path) -> None:
    assert impure(path.read_text("utf-8")) == []


def test_shells_are_known_by_name() -> None:
    """The list of shells is the contract's; a file that is renamed must be renamed there."""
    shells = modules("shells", "protected_modules")
    assert [path for path in shells if not path.is_file()] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("at = datetime.now(UTC)", ["line 1: now()"], id="the clock"),
        pytest.param("def f():\n    return date.today()", ["line 2: today()"], id="the day"),
        pytest.param("open('x')", ["line 1: open()"], id="a file"),
        pytest.param("print('x')", ["line 1: print()"], id="the terminal"),
        pytest.param("path.read_text()", ["line 1: read_text()"], id="a file's text"),
        pytest.param("now = event.occurred_at\nchain.open_for(now)", [], id="the event's time"),
    ],
)
def test_a_call_to_the_world_is_caught(source: str, found: list[str]) -> None:
    assert impure(source) == found
