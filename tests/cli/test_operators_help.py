"""Every command for operators says in its first line what it does, and describes each argument."""

import os
from collections.abc import Callable

import pytest

from postroad.cli import alias, contact, domain, held, keys, params, smarthost
from tests.cli.installation import Said

APPS = (alias, contact, domain, held, keys, params, smarthost)
COMMANDS = [(module.app.name[0], name) for module in APPS for name in module.app if not name.startswith("-")]


@pytest.mark.parametrize(("app", "name"), COMMANDS, ids=" ".join)
def test_help(run: Callable[..., Said], app: str, name: str) -> None:
    said = run(app, name, "--help")
    lines = [line.strip() for line in said.out.splitlines() if line.strip()]
    assert (said.code, lines[0].startswith(f"Usage: postroad {app} {name}")) == (os.EX_OK, True)
    assert lines[1][0].isupper()
    assert lines[1].endswith(".")
    assert "--kafka" in said.out
    bare = [line for line in lines if line.startswith("│") and len(line.strip("│").split()) < 3]
    assert not bare, "an option without words"
