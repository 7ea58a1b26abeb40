"""Spans for OpenTelemetry, made from the ids that events have: no state, and the same spans from whoever makes them.

A span for each event that was published: its id is the first 8 octets of the event's, as the record's `traceparent`
says (W3C Trace Context 3.2), its parent the span of the event's cause. And below it a span for each step that worked on
the event, with the rule that decided. An app that reads a record goes on below the event's span.
"""

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from postroad import __version__
from postroad.runtime.config import ConfigError, Traces
from postroad.runtime.logs import outcomes_of, rules_of
from postroad.stage import Decision, Emission
from postroad_schemas import Event
from postroad_schemas.event import tag_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

QUEUE = 20_000  # spans; beyond it the oldest are dropped, mails never wait
QUEUE_LOG = "opentelemetry.sdk._shared_internal"
STOP_SECONDS = 2.0  # that the last of them have at the end
EXPORT_SECONDS = 5.0


class Spans:
    """Makes spans and hands them to a processor that must not block."""

    def __init__(self, processor: "SpanProcessor", service: str, share: float = 1.0) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

        names = {"service.name": f"postroad.{service}", "service.version": __version__}
        self._resource = Resource.create(names)
        self._scope = InstrumentationScope("postroad", __version__)
        self._span, self._context, self._kinds = ReadableSpan, SpanContext, SpanKind
        self._sampled = TraceFlags(TraceFlags.SAMPLED)
        self._below = int(share * 2**64)
        self._processor = processor

    def published(self, emissions: Iterable[Emission]) -> None:
        """Events that are on the log now."""
        now = time.time_ns()
        for it in emissions:
            if isinstance(it, Event) and (trace := self._trace(it)):
                tag = tag_of(type(it))
                attributes = {"messaging.system": "kafka", "postroad.event.id": it.event_id, "postroad.event.type": tag}
                parent = _number(it.cause_id[:16]) if it.cause_id else 0
                span = _number(it.event_id[:16])
                self._end(f"publish {tag}", trace, span, parent, attributes, now, now, producer=True)

    def stepped(self, stage: str, event: Event, decision: Decision[Any], began: int) -> None:
        """A stage or sender worked on an event, from `began` until now; nanoseconds since the epoch."""
        trace = self._trace(event)
        if not trace:
            return
        tag = tag_of(type(event))
        attributes: dict[str, Any] = {
            "postroad.stage": stage,
            "postroad.event.id": event.event_id,
            "postroad.event.type": tag,
            "postroad.rules": rules_of(decision.emit),
            "postroad.outcomes": outcomes_of(decision.emit),
            "postroad.emitted": len(decision.emit),
        }
        now = time.time_ns()
        own = _number(hashlib.sha256(f"{stage}\0{event.event_id}".encode()).hexdigest()[:16])
        parent = _number(event.event_id[:16])
        self._end(f"{stage} {tag}", trace, own, parent, attributes, began or now, now, producer=False)

    def _trace(self, event: Event) -> int:
        """0 for one that is not told, or whose ids are an app's own words: those are no trace."""
        trace = _number(event.trace_id) if len(event.trace_id) == 32 else 0
        told = trace and (trace & (2**64 - 1)) < self._below and _number(event.event_id[:16])
        return trace if told else 0

    def _end(
        self,
        name: str,
        trace: int,
        span: int,
        parent: int,
        attributes: Mapping[str, Any],
        began: int,
        ended: int,
        *,
        producer: bool,
    ) -> None:
        self._processor.on_end(
            self._span(
                name,
                context=self._context(trace, span, is_remote=False, trace_flags=self._sampled),
                parent=self._context(trace, parent, is_remote=True, trace_flags=self._sampled) if parent else None,
                resource=self._resource,
                attributes=attributes,
                kind=self._kinds.PRODUCER if producer else self._kinds.CONSUMER,
                start_time=began,
                end_time=ended,
                instrumentation_scope=self._scope,
            )
        )


spans: Spans | None = None  # of this process; None: they are not made


@contextlib.contextmanager
def exporting(settings: Traces, service: str) -> Iterator[None]:
    """Spans go to the endpoint inside the block, if there is one. Raises ConfigError with what to do."""
    global spans  # one for a process, as its logs
    if not settings.endpoint:
        yield
        return
    if not settings.endpoint.startswith(("http://", "https://")):
        raise ConfigError("[traces] endpoint is a URL such as http://127.0.0.1:4318/v1/traces")
    try:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError("[traces] needs OpenTelemetry: install postroad[workers,otel], or empty endpoint") from None
    processor = BatchSpanProcessor(_exporter(settings.endpoint), QUEUE, 1000, 512)
    logging.getLogger(QUEUE_LOG).setLevel(logging.ERROR)  # it tells of each span that is dropped
    spans = Spans(processor, service, settings.share)
    try:
        yield
    finally:
        spans = None
        ending = threading.Thread(target=processor.shutdown, daemon=True)
        ending.start()
        ending.join(STOP_SECONDS)  # a collector that is away keeps nobody from stopping


def _exporter(endpoint: str) -> "SpanExporter":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise ConfigError("[traces] needs OTLP: install postroad[workers,otel], or empty endpoint") from None
    return OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS)


def _number(digits: str) -> int:
    """Of hex digits; 0 for anything else, which no id may be (W3C Trace Context 3.2.2)."""
    try:
        return int(digits, 16)
    except ValueError:
        return 0
