import logging
import sys
import threading
from collections.abc import Iterator

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
