"""Every command for operators says in its first line what it does, and describes each argument."""

import os
from collections.abc import Callable, Iterator

import pytest
from cyclopts import App

from postroad.cli import alias, contact, dead, doctor, domain, held, keys, outbound, params, smarthost, suppression
from tests.cli.installation import Said

APPS = (alias, contact, dead, doctor, domain, held, keys, outbound, params, smarthost, suppression)


def commands(app: App, *words: str) -> Iterator[tuple[str, ...]]:
    """Every command below an app, by its words."""
    below = [name for name in app if not name.startswith("-")]
    for name in below:
        yield from commands(app[name], *words, name)
    if not below:
        yield words


COMMANDS = [words for module in APPS for words in commands(module.app, module.app.name[0])]


def rows_of(lines: list[str]) -> list[str]:
    """The options, each with what stands below it on a narrow terminal."""
    rows: list[str] = []
    for line in lines:
        if line.startswith("│"):
            text = line.strip("│")
            if text.startswith("   ") and rows:
                rows[-1] += text
            else:
                rows.append(text)
    return rows


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help(run: Callable[..., Said], words: tuple[str, ...]) -> None:
    said = run(*words, "--help")
    lines = [line.strip() for line in said.out.splitlines() if line.strip()]
    assert (said.code, lines[0].startswith(f"Usage: postroad {' '.join(words)}")) == (os.EX_OK, True)
    summary = said.out.strip().split("\n\n")[1].strip()  # may go over two lines
    assert summary[0].isupper()
    assert summary.endswith(".")
    assert "--kafka" in said.out
    bare = [row for row in rows_of(lines) if len(row.split()) < 3]
    assert not bare, "an option without words"
