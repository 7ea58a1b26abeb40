"""Counters, gauges and histograms of a process, cheap enough to be counted for every event.

They are plain dictionaries: the client library reads them when somebody asks (`exposition`), and is not loaded before.
"""

import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Values = tuple[str, ...]  # of the labels, in their order
LIMIT = 300  # series of one figure; what comes beyond is counted as "other", whatever the world sends
OTHER = "other"
_lock = threading.Lock()


@dataclass(slots=True)
class Figure:
    """One entry of the catalogue. `known`: label values that stand at 0 from the start: a first time is seen then."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    known: Sequence[Values] = ()
    kind: ClassVar[Literal["counter", "gauge", "histogram"]] = "gauge"
    values: dict[Values, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As at the start of the process."""
        with _lock:
            self.values = dict.fromkeys(self.known if self.labels else ((),), 0.0)

    def read(self) -> dict[Values, float]:
        with _lock:
            return dict(self.values)

    def _bounded(self, values: Values) -> Values:
        if values in self.values or len(self.values) < LIMIT:
            return values
        return (OTHER,) * len(values)


@dataclass(slots=True)
class Counter(Figure):
    """Only grows. Names end in "_total"."""

    kind = "counter"

    def inc(self, *labels: str, by: float = 1.0) -> None:
        with _lock:
            at = self._bounded(labels)
            self.values[at] = self.values.get(at, 0.0) + by


@dataclass(slots=True)
class Gauge(Figure):
    """As it is now."""

    def set(self, value: float, *labels: str) -> None:
        with _lock:
            self.values[self._bounded(labels)] = value

    def add(self, by: float, *labels: str) -> None:
        with _lock:
            at = self._bounded(labels)
            self.values[at] = self.values.get(at, 0.0) + by

    def replace(self, values: Mapping[Values, float]) -> None:
        """All of it anew: what is not named stands at 0 where it is known, and else is gone."""
        bounded = dict(list(values.items())[:LIMIT])
        with _lock:
            self.values = {**dict.fromkeys(self.known if self.labels else ((),), 0.0), **bounded}


@dataclass(slots=True)
class Series:
    """One histogram of a `Histogram`."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    def observe(self, value: float) -> None:
        with _lock:
            self.counts[bisect_left(self.bounds, value)] += 1
            self.total += value


@dataclass(slots=True)
class Histogram(Figure):
    """How often up to which bound. `of` is for who observes often: it keeps what it is given."""

    kind = "histogram"
    bounds: tuple[float, ...] = ()
    series: dict[Values, Series] = field(default_factory=dict, init=False)

    def reset(self) -> None:
        with _lock:
            for one in self.series.values():
                one.counts[:], one.total = [0] * len(one.counts), 0.0
            for values in self.known:
                self.series.setdefault(values, self._new())

    def of(self, *labels: str) -> Series:
        with _lock:
            at = labels if labels in self.series or len(self.series) < LIMIT else (OTHER,) * len(labels)
            return self.series.setdefault(at, self._new())

    def read_series(self) -> dict[Values, tuple[list[int], float]]:
        """By label values: how many in each bucket, the last of them without bound, and the sum."""
        with _lock:
            return {values: (list(one.counts), one.total) for values, one in self.series.items()}

    def _new(self) -> Series:
        return Series(self.bounds, [0] * (len(self.bounds) + 1))
