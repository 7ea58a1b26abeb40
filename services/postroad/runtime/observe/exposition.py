"""The figures as Prometheus reads them. The client library is loaded here, so only where they are served."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from postroad.runtime.observe.figures import Figure, Histogram
from postroad.runtime.observe.metrics import CATALOGUE


class Figures(Collector):
    """Our catalogue, as the client library asks for it."""

    def collect(self) -> Iterator[Metric]:
        return map(family, CATALOGUE.values())


def family(figure: Figure) -> Metric:
    """One figure with all its series."""
    if isinstance(figure, Histogram):
        return _histogram(figure)
    kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    made = kind(figure.name, figure.meaning, labels=figure.labels)
    for values, value in figure.read().items():
        made.add_metric(list(values), value)
    return made


def _histogram(figure: Histogram) -> Metric:
    made = HistogramMetricFamily(figure.name, figure.meaning, labels=figure.labels)
    for values, (counts, total) in figure.read_series().items():
        upto, buckets = 0, []
        for bound, count in zip((*map(str, figure.bounds), "+Inf"), counts, strict=True):
            upto += count
            buckets.append((bound, float(upto)))
        made.add_metric(list(values), buckets, total)
    return made


def registry() -> CollectorRegistry:
    """Ours, and what is known of the process: memory, processor time, file descriptors."""
    made = CollectorRegistry()
    made.register(Figures())
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=made)
    return made


def exposed(made: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """The text for a client that accepts this, and its media type."""
    encode, media_type = choose_encoder(accept)
    return encode(made), media_type
