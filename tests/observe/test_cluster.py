"""Workers on a real Kafka: ready when assigned and recovered, with figures of what Kafka alone has."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from postroad.runtime.broker import Cluster
from postroad.runtime.broker_files.loopback import free_ports
from tests.support.six import COMMAND, Six, until

pytestmark = [pytest.mark.broker, pytest.mark.slow]
WORKERS = ("routing", "loop_guard", "ingest")


class Observed:
    """Three workers, each with a port: a mail's way to its outcome. loop_guard runs on Faust."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.six = Six(folder, bootstrap, relay_port=1)
        self.ports = {name: free_ports(1)[0] for name in WORKERS}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Returns when all are ready and the directory is declared."""
        self.six.postroad("topics", "apply", "--config", str(self.six.settings))
        for name in WORKERS:
            self.begin(name)
        for name in WORKERS:
            until(f"{name} ready", lambda name=name: self.get(name, "/readyz") == (200, "ready\n"))
        self.six.postroad("apply", str(self.six.settings))

    def begin(self, name: str) -> None:
        command = (*COMMAND, "worker", name, "--config", str(self.six.settings))
        with (self.six.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                (*command, "--metrics-port", str(self.ports[name])), stdout=log, stderr=log
            )

    def end(self, name: str) -> None:
        self._processes[name].terminate()
        self._processes[name].wait(60)

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def get(self, name: str, page: str) -> tuple[int, str]:
        """0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}{page}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def figure(self, name: str, figure: str, **labels: str) -> float:
        """The sum of a figure's series with these labels."""
        families = text_string_to_metric_families(self.get(name, "/metrics")[1])
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == figure and labels.items() <= sample.labels.items()
        )


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    cluster = Cluster.start(folder / "broker", 1)
    made = Observed(folder, cluster.bootstrap)
    try:
        made.start()
        for number in range(3):
            made.six.send(number)
        made.six.send(0)  # the same mail again
        until("settled", lambda: made.figure("routing", "postroad_mails_settled_total", outcome="duplicate") == 1)
        until("let through", lambda: made.figure("loop_guard", "postroad_mails_settled_total") == 3)
        yield made
    finally:
        made.stop()
        cluster.stop(grace=1.0)


@pytest.mark.parametrize(
    ("worker", "figure", "labels", "least"),
    [
        pytest.param("ingest", "postroad_mails_accepted_total", {"door": "smtp"}, 4, id="accepted"),
        pytest.param("ingest", "postroad_store_seconds_count", {"operation": "put"}, 4, id="stored"),
        pytest.param("ingest", "postroad_directory_version", {}, 1, id="ingest sees the directory"),
        pytest.param("routing", "postroad_event_age_seconds_count", {"stage": "routing"}, 4, id="routed"),
        pytest.param("routing", "postroad_event_age_seconds_count", {"stage": "gate"}, 1, id="the gate"),
        pytest.param("routing", "postroad_rebalances_total", {"stage": "routing"}, 1, id="assigned"),
        pytest.param("routing", "postroad_recovery_seconds", {"stage": "routing"}, 0.0001, id="recovered"),
        pytest.param("routing", "postroad_directory_version", {}, 1, id="routing sees the directory"),
        pytest.param("loop_guard", "postroad_event_age_seconds_count", {"stage": "budgets"}, 3, id="Faust's stage"),
        pytest.param("loop_guard", "postroad_recovery_seconds", {"stage": "budgets"}, 0.0001, id="Faust recovered"),
        pytest.param("loop_guard", "postroad_rebalances_total", {"stage": "budgets"}, 1, id="Faust assigned"),
        pytest.param("loop_guard", "postroad_events_published_total", {"type": "record.requested"}, 3, id="published"),
    ],
)
def test_a_worker_tells(observed: Observed, worker: str, figure: str, labels: dict[str, str], least: float) -> None:
    # A gauge is as old as the last beat, and each worker reads the directory by itself.
    until(f"{figure} of {worker}", lambda: observed.figure(worker, figure, **labels) >= least, 20)


@pytest.mark.parametrize("worker", WORKERS)
def test_at_rest_nothing_waits_and_views_are_fresh(observed: Observed, worker: str) -> None:
    until("at rest", lambda: observed.figure(worker, "postroad_events_waiting") == 0, 20)
    until("nothing late", lambda: observed.figure(worker, "postroad_events_waiting_oldest_seconds") == 0, 20)
    until("all settled", lambda: observed.figure(worker, "postroad_mails_unsettled") == 0, 20)
    until("fresh", lambda: observed.figure(worker, "postroad_views_age_seconds") < 5, 20)


def test_what_is_held_is_counted_by_routing(observed: Observed) -> None:
    """L7: an answer by a machine opens no record."""
    observed.six.send(51, Auto_Submitted="auto-replied")
    until("held", lambda: observed.figure("routing", "postroad_held_mails", rule="L7") == 1, 20)


def test_what_was_acknowledged_and_has_no_outcome_is_told(observed: Observed) -> None:
    """Routing has passed it on, and the loop guard is away."""
    observed.end("loop_guard")
    observed.six.send(60)
    until("unsettled", lambda: observed.figure("routing", "postroad_mails_unsettled") == 1, 20)
    until("older", lambda: observed.figure("routing", "postroad_mails_unsettled_oldest_seconds") > 2, 20)
    observed.begin("loop_guard")
    until("settled", lambda: observed.figure("routing", "postroad_mails_unsettled") == 0)
    until("none is old", lambda: observed.figure("routing", "postroad_mails_unsettled_oldest_seconds") == 0, 20)
