import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from postroad.runtime import logs

pytest_plugins = ["tests.support.broker"]

# On a machine under load an example may take any time: speed is measured elsewhere.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Logs are the process's, and commands configure them: other tests shall have theirs."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    yield
    if not structlog.is_configured():
        return
    logging.captureWarnings(capture=False)
    root.handlers[:], level, sys.excepthook, threading.excepthook = kept
    root.setLevel(level)
    logging.getLogger("postroad").setLevel(logging.NOTSET)
    structlog.reset_defaults()
    logs.decisions = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spreads the files that take long evenly among the others: two processes share them, and neither is left alone."""
    files: dict[bool, dict[Path, None]] = {True: {}, False: {}}
    long = {item.path for item in items if item.get_closest_marker("broker") or item.get_closest_marker("slow")}
    for item in items:
        files[item.path in long][item.path] = None
    files[True] = dict.fromkeys(reversed(files[True]))  # the longest of all come late in the alphabet
    turn = {path: number / len(group) for group in files.values() for number, path in enumerate(group)}
    items.sort(key=lambda item: (turn[item.path], item.path))
