"""A real Prometheus on the loopback, and its unit tests of alerts; Debian's package `prometheus` has both programs."""

import contextlib
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroad.runtime.broker_files.loopback import free_ports

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="prometheus and promtool are not installed: queries and alerts are not tried on a real Prometheus",
)
REPOSITORY = Path(__file__).parents[2]
ALERTS = REPOSITORY / "deploy/prometheus/alerts.yaml"


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **words: str) -> Any:
        with urllib.request.urlopen(f"{self._url}/{path}?{urllib.parse.urlencode(words)}", timeout=60) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Label values and value of each series, now."""
        found = self.ask("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]


@contextlib.contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    """Scrapes one port of ours every second and knows our alerts."""
    port = free_ports(1)[0]
    settings = folder / "prometheus.yaml"
    settings.write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{ALERTS}']\n"
        f"scrape_configs: [{{job_name: postroad, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    )
    command = [
        "prometheus",
        f"--config.file={settings}",
        f"--storage.tsdb.path={folder}/series",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        made = Prometheus(port)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                if made.query("up == 1"):
                    break
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < deadline, "Prometheus has scraped nothing"
            time.sleep(0.2)
        yield made
    finally:
        process.terminate()
        process.wait(60)
