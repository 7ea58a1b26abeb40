"""Spans follow from the ids of events: every trace is one tree, and `traceparent` names a span that there is."""

import asyncio
import io
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind
from rich.console import Console

from postroad.cli.demo import _tour
from postroad.runtime import tracing
from postroad.runtime.config import ConfigError, Traces
from postroad.runtime.embedded import read_log
from postroad.runtime.observe.events import count
from postroad.runtime.observe.watch import Watch
from postroad.runtime.tracing import Spans, exporting
from postroad.stage import Decision, descent
from postroad_schemas import TOPICS, Event, event_id, read
from postroad_schemas.address import AddressBlacklisted, AddressHeardFrom
from postroad_schemas.outbound import Action, DeliveryReported, Source
from postroad_schemas.wire import headers
from tests.runtime.running import START, heard


class State(msgspec.Struct, frozen=True):
    pass


class Kept(SpanProcessor):
    """Where spans are looked at."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept()
    monkeypatch.setattr(tracing, "spans", Spans(kept, "trial"))
    return kept


def ids(span: ReadableSpan) -> tuple[int, int, int]:
    """Trace, own, parent."""
    assert span.context is not None
    return span.context.trace_id, span.context.span_id, span.parent.span_id if span.parent else 0


def first(address: str = "mary@example.com") -> AddressHeardFrom:
    identity = event_id("first", address)
    return AddressHeardFrom(event_id=identity, occurred_at=START, trace_id=identity, address=address)


def reported(cause: Event) -> DeliveryReported:
    return DeliveryReported(
        **descent(cause, "report"), notification_id="n", recipient="x@x.org", action=Action.RELAYED, source=Source.SMTP
    )


def test_a_step_stands_below_its_event_and_what_follows_below_that(kept: Kept) -> None:
    event = first()
    follows = reported(event)
    count([event])
    began = time.time_ns()
    Watch("trial").taken(event, Decision(State(), (follows,)), START, changed=True, began=began)
    count([follows])
    published, step, followed = kept.spans
    assert [span.name for span in kept.spans] == [
        "publish address.heard_from",
        "trial address.heard_from",
        "publish delivery.reported",
    ]
    assert [span.kind for span in kept.spans] == [SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.PRODUCER]
    trace, root, above = ids(published)
    assert (f"{trace:032x}", f"{root:016x}", above) == (event.trace_id, event.event_id[:16], 0)
    assert (ids(step)[0], ids(step)[2]) == (trace, root)
    assert ids(followed) == (trace, int(follows.event_id[:16], 16), root)
    assert step.start_time == began
    assert step.end_time is not None
    assert step.end_time >= began
    assert dict(step.attributes or {}) == {
        "postroad.stage": "trial",
        "postroad.event.id": event.event_id,
        "postroad.event.type": "address.heard_from",
        "postroad.rules": (),
        "postroad.outcomes": ("relayed",),
        "postroad.emitted": 1,
    }


def test_a_repeat_has_the_same_spans(kept: Kept) -> None:
    for _ in range(2):
        Watch("trial").taken(first(), Decision(State()), START, changed=False)
    assert ids(kept.spans[0]) == ids(kept.spans[1])


@pytest.mark.parametrize(
    ("event_id", "trace_id"),
    [
        pytest.param("mary@example.com", "a" * 32, id="an event id of an app's own words"),
        pytest.param("a" * 32, "for mary", id="a trace id of an app's own words"),
        pytest.param("a" * 32, "", id="no trace id"),
        pytest.param("a" * 32, "0" * 32, id="the trace id that W3C forbids"),
        pytest.param("0" * 32, "a" * 32, id="the span id that W3C forbids"),
    ],
)
def test_ids_that_are_no_trace_make_no_span(kept: Kept, event_id: str, trace_id: str) -> None:
    event = AddressHeardFrom(event_id=event_id, occurred_at=START, trace_id=trace_id, address="mary@example.com")
    count([event])
    Watch("trial").taken(event, Decision(State()), START, changed=True)
    assert kept.spans == []


def test_a_span_tells_no_address(kept: Kept) -> None:
    row = AddressBlacklisted(event_id="a" * 32, occurred_at=START, trace_id="b" * 32, address="x@x.org", rule="B5")
    count([row])
    [span] = kept.spans
    assert "x@x.org" not in str(span.to_json())


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 220, 380), (1.0, 1000, 1000)])
def test_a_share_of_the_traces_each_of_them_whole(
    monkeypatch: pytest.MonkeyPatch, share: float, least: int, most: int
) -> None:
    kept = Kept()
    monkeypatch.setattr(tracing, "spans", Spans(kept, "trial", share))
    for number in range(1000):
        event = first(str(number))
        count([event, reported(event)])
    by_trace = Counter(ids(span)[0] for span in kept.spans)
    assert least <= len(by_trace) <= most
    assert set(by_trace.values()) <= {2}


async def test_the_traces_of_the_tour_are_trees(kept: Kept, tmp_path: Path) -> None:
    await _tour(tmp_path, Console(file=io.StringIO()))
    spans = {ids(span)[1]: span for span in kept.spans}
    roots = [span for span in kept.spans if span.parent is None]
    assert {span.name for span in roots} >= {"publish mail.received", "publish row.proposed", "publish chatter.posted"}
    # What a command hands to a running system, and ticks, are not published by it.
    orphans = [span.name for span in kept.spans if span.parent and span.parent.span_id not in spans]
    assert orphans == []
    assert all(ids(spans[span.parent.span_id])[0] == ids(span)[0] for span in kept.spans if span.parent)
    for topic in TOPICS.values():
        for stored in [] if topic.table else read_log(tmp_path / "postroad.sqlite", topic.name):
            assert stored.value is not None
            _, trace, parent, flags = dict(headers(read(topic.name, stored.value)))["traceparent"].split(b"-")
            assert (ids(spans[int(parent, 16)])[0], flags) == (int(trace, 16), b"01")
    told = json.dumps([span.to_json() for span in kept.spans])
    assert "customer.example" not in told


# To a collector


@contextmanager
def collector(taken: list[ExportTraceServiceRequest]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_reach_a_collector() -> None:
    taken: list[ExportTraceServiceRequest] = []
    with collector(taken) as url:
        with exporting(Traces(endpoint=url), "routing"):
            count([first()])
        assert tracing.spans is None
    [resource] = [each for request in taken for each in request.resource_spans]
    assert {it.key: it.value.string_value for it in resource.resource.attributes}["service.name"] == "postroad.routing"
    [span] = resource.scope_spans[0].spans
    assert (span.trace_id.hex(), span.span_id.hex()) == (first().trace_id, first().event_id[:16])


def test_a_collector_that_is_away_holds_up_nobody() -> None:
    with collector([]) as url:
        pass
    began = time.monotonic()
    with exporting(Traces(endpoint=url), "routing"):
        for number in range(30_000):  # more than wait for it
            count([heard(2**80 + number)])
    assert time.monotonic() - began < 60


def test_off_by_default() -> None:
    with exporting(Traces(), "routing"):
        assert tracing.spans is None


def test_without_opentelemetry_nothing_of_it_is_loaded() -> None:
    """A worker without traces starts without the extra."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from postroad.runtime import process, tracing\nprint(tracing.spans)"
    )
    done = asyncio.run(_python(program))
    assert done == "None"


async def _python(program: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={"PYTHONPATH": ":".join(sys.path)}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode().strip()


@pytest.mark.parametrize(
    ("endpoint", "absent", "words"),
    [
        pytest.param("collector:4318", "", "endpoint is a URL such as", id="no URL"),
        pytest.param("http://127.0.0.1:1/", "opentelemetry.sdk.trace.export", "otel", id="no SDK"),
        pytest.param(
            "http://127.0.0.1:1/", "opentelemetry.exporter.otlp.proto.http.trace_exporter", "otel", id="no exporter"
        ),
    ],
)
def test_what_is_wrong_with_the_settings(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, absent: str, words: str
) -> None:
    if absent:
        monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(ConfigError, match=words), exporting(Traces(endpoint=endpoint), "routing"):
        pass
