"""Figures: what is counted is exposed, and no label that the world sends can fill the memory."""

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from postroad.runtime.observe.exposition import exposed, family, registry
from postroad.runtime.observe.figures import LIMIT, OTHER, Counter, Gauge, Histogram
from postroad.runtime.observe.metrics import CATALOGUE


def test_a_counter_stands_at_0_where_its_labels_are_known() -> None:
    counter = Counter("postroad_seen_total", "Seen", ("door",), [("smtp",), ("lmtp",)])
    assert counter.read() == {("smtp",): 0, ("lmtp",): 0}
    counter.inc("smtp")
    counter.inc("http", by=2)
    assert counter.read() == {("smtp",): 1, ("lmtp",): 0, ("http",): 2}
    counter.reset()
    assert counter.read() == {("smtp",): 0, ("lmtp",): 0}


@pytest.mark.parametrize(
    ("add", "read"),
    [
        pytest.param(lambda f, at: f.inc(at), lambda f: f.read(), id="a counter"),
        pytest.param(lambda f, at: f.of(at).observe(1), lambda f: f.read_series(), id="a histogram"),
        pytest.param(lambda f, at: f.set(1, at), lambda f: f.read(), id="a gauge"),
    ],
)
def test_beyond_the_limit_all_labels_are_one(add: object, read: object, request: pytest.FixtureRequest) -> None:
    kind = {"a counter": Counter, "a histogram": Histogram, "a gauge": Gauge}[request.node.callspec.id]
    figure = kind("postroad_seen", "Seen", ("server",))
    for number in range(LIMIT + 50):
        add(figure, f"server{number}")  # type: ignore[operator]
    found = read(figure)  # type: ignore[operator]
    assert len(found) == LIMIT + 1
    assert (OTHER,) in found


def test_a_gauge_that_is_set_anew_forgets_what_is_gone() -> None:
    gauge = Gauge("postroad_waiting", "Waiting", ("step",), [("1m",)])
    gauge.set(3, "5m")
    gauge.add(-1, "5m")
    assert gauge.read() == {("1m",): 0, ("5m",): 2}
    gauge.replace({("1h",): 4})
    assert gauge.read() == {("1m",): 0, ("1h",): 4}


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        pytest.param(0.05, 0, id="in the first"),
        pytest.param(0.1, 0, id="exactly on a bound is below it"),
        pytest.param(0.2, 1, id="between"),
        pytest.param(9, 2, id="beyond the last bound"),
    ],
)
def test_a_histogram_counts_each_value_in_one_bucket(value: float, bucket: int) -> None:
    histogram = Histogram("postroad_seconds", "Time", ("stage",), bounds=(0.1, 1.0))
    histogram.of("routing").observe(value)
    counts, total = histogram.read_series()["routing",]
    assert [place for place, count in enumerate(counts) if count] == [bucket]
    assert total == value


def test_threads_lose_no_count() -> None:
    counter = Counter("postroad_seen_total", "Seen", ("door",))

    def work() -> None:
        for _ in range(20_000):
            counter.inc("smtp")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read() == {("smtp",): 80_000}


def test_a_histogram_is_exposed_with_growing_buckets() -> None:
    histogram = Histogram("postroad_seconds", "Time", ("stage",), bounds=(0.1, 1.0))
    for value in (0.05, 0.5, 5.0):
        histogram.of("routing").observe(value)
    samples = {sample.name + sample.labels.get("le", ""): sample.value for sample in family(histogram).samples}
    assert samples == {
        "postroad_seconds_bucket0.1": 1,
        "postroad_seconds_bucket1.0": 2,
        "postroad_seconds_bucket+Inf": 3,
        "postroad_seconds_count": 3,
        "postroad_seconds_sum": 5.55,
    }


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        pytest.param("", "text/plain", id="Prometheus text"),
        pytest.param("application/openmetrics-text; version=1.0.0", "application/openmetrics-text", id="OpenMetrics"),
    ],
)
def test_the_whole_catalogue_is_exposed(accept: str, media_type: str) -> None:
    body, said = exposed(registry(), accept)
    assert said.startswith(media_type)
    found = {one.name: one for one in text_string_to_metric_families(body.decode())}
    assert {name.removesuffix("_total") for name in CATALOGUE} <= {name.removesuffix("_total") for name in found}
    assert "process_cpu_seconds" in found or "process_cpu_seconds_total" in found
