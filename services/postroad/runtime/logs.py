"""JSON lines on standard error: ours and the libraries', and one for each decision. Addresses are redacted in them."""

import logging
import sys
import threading
from collections.abc import Iterable, MutableMapping
from datetime import datetime
from typing import Any, TextIO

import msgspec
import structlog

from postroad.runtime.config import Logs
from postroad.runtime.redaction import Redact, plain, redactor
from postroad.stage import Decision, Emission
from postroad_schemas import Event
from postroad_schemas.event import Ticked, Tombstone, tag_of
from postroad_schemas.mail import MailRefused
from postroad_schemas.message import MessageSettled
from postroad_schemas.outbound import DeliveryReported

log = structlog.get_logger("postroad")
DEFAULT = Logs()


class Line(msgspec.Struct, omit_defaults=True):
    """What is told of a decision: ids, names of the catalogue, rules; nothing that a mail says."""

    event: str  # "decided", or "published" by a door or a command
    level: str
    timestamp: datetime
    type: str  # of the event that was worked on
    event_id: str
    trace_id: str
    stage: str = ""
    rules: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    emitted: dict[str, int] = {}


class Decisions:
    """Writes them, one line each. A log that cannot be written to stops no mail."""

    def __init__(self, stream: TextIO | None, redact: Redact) -> None:
        self._stream = stream
        self._redact = redact
        self._encode = msgspec.json.Encoder().encode

    def decided(self, stage: str, event: Event, decision: Decision[Any], now: datetime, *, changed: bool) -> None:
        """A stage worked on an event. Of time that passed only what it led to is told."""
        emit = decision.emit
        if isinstance(event, Ticked):
            if not emit:
                return
            cause = next((each for each in emit if isinstance(each, Event)), event)
            trace_id = cause.trace_id
        else:
            trace_id = event.trace_id
        self._write(
            Line(
                event="decided",
                level="info",
                timestamp=now,
                type=tag_of(type(event)),
                event_id=event.event_id,
                trace_id=trace_id,
                stage=stage,
                rules=rules_of(emit),
                outcomes=outcomes_of(emit) or (("kept",) if changed else () if emit else ("no effect",)),
                emitted=_counted(emit),
            )
        )

    def published(self, emissions: Iterable[Emission], now: datetime) -> None:
        """A door took something in."""
        for it in emissions:
            if isinstance(it, Event):
                told = Line("published", "info", now, tag_of(type(it)), it.event_id, it.trace_id)
                self._write(told)

    def _write(self, line: Line) -> None:
        text = self._encode(line).decode()
        if "@" in text or "%40" in text:  # an app's own words for an id
            text = self._encode(plain(msgspec.to_builtins(line), self._redact)).decode()
        try:
            (self._stream or sys.stderr).write(f"{text}\n")
        except (OSError, ValueError):  # ValueError: it is closed
            return


decisions: Decisions | None = None  # of this process; None: they are not told


def rules_of(emissions: Iterable[Emission]) -> tuple[str, ...]:
    """The rules that decided, each once."""
    return tuple(dict.fromkeys(rule for it in emissions if (rule := getattr(it, "rule", ""))))


def outcomes_of(emissions: Iterable[Emission]) -> tuple[str, ...]:
    """What became of mails and messages, each once."""
    found: dict[str, None] = {}
    for it in emissions:
        match it:
            case MessageSettled(mail_id=mail_id) if mail_id:  # else a message of our own
                found[it.outcome] = None
            case DeliveryReported():
                found[it.action] = None
            case MailRefused():
                found.update(dict.fromkeys(refusal.reason for refusal in it.refusals))
    return tuple(found)


def _counted(emissions: Iterable[Emission]) -> dict[str, int]:
    """How many of which type."""
    found: dict[str, int] = {}
    for it in emissions:
        name = _name(it)
        found[name] = found.get(name, 0) + 1
    return found


def _name(emission: Emission) -> str:
    return f"{emission.topic} (ended)" if isinstance(emission, Tombstone) else tag_of(type(emission))


def configure(settings: Logs = DEFAULT, stream: TextIO | None = None) -> None:
    """From now on everything that is logged in this process goes to `stream`, standard error by default."""
    global decisions  # as logging itself: one for a process
    redact = redactor() if settings.addresses == "redacted" else str
    number = logging.getLevelNamesMapping()[settings.level]

    def told(_: Any, __: str, fields: MutableMapping[str, Any]) -> dict[str, Any]:
        return dict(plain(fields, redact))

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: list[Any] = [told, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.PrintLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=max(logging.WARNING, number), handlers=[handler], force=True)
    logging.getLogger("postroad").setLevel(number)
    logging.captureWarnings(capture=True)
    sys.excepthook = _last_words
    threading.excepthook = _thread_ended
    decisions = Decisions(stream, redact) if settings.decisions and number <= logging.INFO else None


def _last_words(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Python's own would tell what is in the error as it stands."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("fault", exc_info=(kind, error, trace))


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        log.critical("fault", exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback))
