"""Logs tell each decision by its ids, and no address, no subject, whatever is logged and however."""

import ast
import io
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from postroad.cli.demo import _tour
from postroad.runtime import logs
from postroad.runtime.config import Logs
from postroad.runtime.dead import letter
from postroad.runtime.embedded import Stored, read_log
from postroad.runtime.observe.watch import Watch
from postroad.runtime.redaction import LONGEST, plain, redactor
from postroad.runtime.step import Poison
from postroad.stage import Decision
from postroad_schemas import TOPICS, Event, Ticked, Tombstone, read
from postroad_schemas.address import AddressHeardFrom
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.wire import headers
from tests.runtime.running import START, heard

SERVICES = Path(__file__).parents[2] / "services"
WORD = re.compile(r"[\w.+-]+@[\w.-]+")


class State(msgspec.Struct, frozen=True):
    pass


def configured(**settings: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(Logs(**settings), stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


# Addresses

REDACT = redactor(b"a key")
MARY = REDACT("mary@x").removesuffix("@x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("no address", "no address", id="nothing to redact"),
        pytest.param("mary@example.com", f"{MARY}@example.com", id="the domain stays"),
        pytest.param("Mary@example.com", f"{MARY}@example.com", id="the same one is told alike, in any case"),
        pytest.param("to <mary@example.com>, all", f"to <{MARY}@example.com>, all", id="in angle brackets"),
        pytest.param('"mary"@example.com', f"{MARY}@example.com", id="quoted"),
        pytest.param("mailto:mary%40example.com", f"mailto:{MARY}%40example.com", id="percent-encoded"),
        pytest.param("mary@[192.0.2.1]", f"{MARY}@[192.0.2.1]", id="an address literal"),
        pytest.param("mary@", f"{MARY}@", id="without a domain"),
        pytest.param("mary＠example.com", f"{MARY}＠example.com", id="a full-width sign"),
        pytest.param("3 @ 4", "3 @ 4", id="a sign alone"),
    ],
)
def test_what_stands_for_an_address(text: str, told: str) -> None:
    assert REDACT(text) == told


@pytest.mark.parametrize(
    "local",
    [
        pytest.param("o'brien", id="an apostrophe"),
        pytest.param("mary+tag", id="a sub-address"),
        pytest.param("b=mary=example.com", id="VERP"),
        pytest.param(".mary..smith.", id="dots where none may be"),
        pytest.param('"mary \\" smith"', id="quotes in quotes"),
        pytest.param("münster", id="not ASCII"),
        pytest.param("(mary)smith", id="a comment"),
        pytest.param("mary\\", id="a backslash"),
        pytest.param("\udce9mary", id="an octet that is no letter"),
    ],
)
def test_nothing_of_a_local_part_stays(local: str) -> None:
    assert re.fullmatch(r"to <a:[0-9a-f]{6}>@example\.org \(4\)", REDACT(f"to {local}@example.org (4)"))


def test_another_process_has_other_hashes() -> None:
    assert redactor()("mary@example.com") != redactor()("mary@example.com")


@pytest.mark.parametrize("text", ["x" * 200_000, '"\\' * 100_000, "@" * 200_000, '"' * 200_000, "%4" * 100_000])
def test_a_hostile_text_costs_little_and_is_cut(text: str) -> None:
    assert len(REDACT(f"{text}@example.org")) <= LONGEST * 12  # of "@" each becomes a hash


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"mary@example.com": 1}, id="the name of a field"),
        pytest.param([{"to": ("x", {"mary@example.com"})}], id="deep"),
        pytest.param(b"to mary@example.com", id="octets"),
        pytest.param(ValueError("no mary@example.com"), id="an error"),
        pytest.param(heard(1, "mary@example.com"), id="an event"),
        pytest.param({"subject": "mary writes"}, id="a subject"),
        pytest.param({"deep": {"Subject": b"mary writes"}}, id="a subject within"),
    ],
)
def test_values_of_every_kind(value: object) -> None:
    assert "mary" not in json.dumps(plain(value, REDACT))


# Log calls


class Call(NamedTuple):
    """A call of a log in our code."""

    place: str
    method: str
    structured: bool
    words: str
    arguments: tuple[str, ...]  # names of fields, or one for each place in the format


def calls() -> Iterator[Call]:
    for path in sorted(SERVICES.rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id == "log" and node.func.attr in METHODS and node.args:
                    named = tuple(it.arg or "more" for it in node.keywords if it.arg != "exc_info")
                    first = node.args[0]
                    words = str(first.value) if isinstance(first, ast.Constant) else "{}"
                    structured = "structlog.get_logger" in text
                    places = named if structured else tuple("%" for _ in node.args[1:])
                    yield Call(f"{path.name}:{node.lineno}", node.func.attr, structured, words, places)


METHODS = ("debug", "info", "warning", "error", "exception", "critical")
CALLS = tuple(calls())
LOCALS = st.text(st.characters(exclude_characters='\r\n \t"<>[],;:@\\', exclude_categories=["Z", "C"]), min_size=1)


def test_the_log_calls_are_found() -> None:
    found = {call.place.partition(":")[0] for call in CALLS}
    assert len(CALLS) > 50
    assert {"process.py", "session.py", "mailboxes.py", "runner.py", "connection.py"} <= found


@settings(max_examples=30)
@given(local=LOCALS.map("canary{}".format), domain=st.sampled_from(["example.com", "[192.0.2.1]", "exämple.de", ""]))
def test_no_log_call_tells_an_address(local: str, domain: str) -> None:
    """Each call of our code, with an address in all that it is given, and in the error that it tells of."""
    stream = configured(level="DEBUG")
    address = f"{local}@{domain}"
    for call in CALLS:
        try:
            raise ValueError(f"550 <{address}>: no such user")
        except ValueError as error:
            texts = [f"{type(error).__name__}: {error}", address, f"cannot mail {address}; try later"]
            if call.structured:
                given_ = {name: texts[place % 3] for place, name in enumerate(call.arguments)}
                words = call.words.replace("{}", address)
                getattr(structlog.get_logger("postroad.test"), call.method)(words, **given_)
            else:
                numbers = re.findall(r"%\d*([sdg])", call.words)
                values = [texts[place % 3] if kind == "s" else 1 for place, kind in enumerate(numbers)]
                getattr(logging.getLogger("postroad.test"), call.method)(call.words, *values)
    text = stream.getvalue()
    assert len(text.splitlines()) == len(CALLS)
    assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
    assert "canary" not in text.casefold()


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda: logging.getLogger("a.library").warning("lost %s", "mary@x.org"), id="a library"),
        pytest.param(lambda: logging.getLogger("asyncio").error("never retrieved", exc_info=fault()), id="asyncio"),
        pytest.param(lambda: sys.excepthook(ValueError, fault(), None), id="an error that ends the process"),
        pytest.param(lambda: ended(fault()), id="an error that ends a thread"),
    ],
)
def test_what_others_say_is_redacted_too(say: Callable[[], None]) -> None:
    stream = configured()
    say()
    [line] = lines(stream)
    assert "mary" not in str(line)
    assert "@x.org" in str(line)


def fault() -> ValueError:
    return ValueError("no mary@x.org")


def ended(error: Exception) -> None:
    thread = threading.Thread(target=raising, args=(error,))
    thread.start()
    thread.join()


def raising(error: Exception) -> None:
    raise error


def test_addresses_in_the_clear_where_asked_for_but_never_a_subject() -> None:
    stream = configured(addresses="clear")
    structlog.get_logger().warning("refused", recipient="mary@x.org", subject="Order 5")
    [line] = lines(stream)
    assert (line["recipient"], line["subject"]) == ("mary@x.org", "(not told)")


@pytest.mark.parametrize(("level", "told"), [("DEBUG", 4), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_levels_hold_for_both_kinds_of_logs(level: str, told: int) -> None:
    stream = configured(level=level)
    for log in (structlog.get_logger(), logging.getLogger("postroad.runtime")):
        for method in ("debug", "info", "warning", "error"):
            getattr(log, method)("words")
    assert len(lines(stream)) == 2 * told


# Decisions

SETTLED = MessageSettled(
    event_id="b" * 32, occurred_at=START, trace_id="a" * 32, settled="<1@x.org>", mail_id="c", outcome=Outcome.POSTED
)


def decided(event: Event, decision: Decision[State], *, changed: bool = True, **settings: Any) -> list[dict[str, Any]]:
    stream = configured(**settings)
    Watch("trial").taken(event, decision, START, changed=changed)
    return lines(stream)


def test_a_decision_is_one_line_with_its_ids() -> None:
    settled = msgspec.structs.replace(SETTLED, rule="R9")
    [line] = decided(heard(1, "mary@x.org"), Decision(State(), (settled, settled, Tombstone("held", "x"))))
    assert line == {
        "event": "decided",
        "level": "info",
        "timestamp": "2026-03-01T00:00:00Z",
        "stage": "trial",
        "type": "address.heard_from",
        "event_id": f"{1:032x}",
        "trace_id": f"{1:032x}",
        "rules": ["R9"],
        "outcomes": [Outcome.POSTED],
        "emitted": {"message.settled": 2, "held (ended)": 1},
    }


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [pytest.param(True, "kept", id="it is remembered"), pytest.param(False, "no effect", id="a repeat")],
)
def test_what_is_told_of_a_decision_without_events(changed: bool, outcome: str) -> None:
    [line] = decided(heard(1), Decision(State()), changed=changed)
    assert line["outcomes"] == [outcome]


@pytest.mark.parametrize(
    "settings",
    [pytest.param({"decisions": False}, id="not asked for"), pytest.param({"level": "WARNING"}, id="level")],
)
def test_decisions_that_are_not_told(settings: dict[str, Any]) -> None:
    assert decided(heard(1), Decision(State()), **settings) == []


def test_an_id_that_is_an_address_is_redacted() -> None:
    event = AddressHeardFrom(event_id="mary@x.org", occurred_at=START, trace_id="for mary@x.org", address="x@x.org")
    [line] = decided(event, Decision(State()))
    assert "mary" not in str(line)


def test_time_that_passes_is_told_by_what_it_leads_to() -> None:
    stream = configured()
    tick = Ticked(event_id="f" * 32, occurred_at=START, trace_id="f" * 32, stage="trial")
    watch = Watch("trial")
    watch.swept(tick, Decision(State()), START)
    watch.swept(tick, Decision(State(), (SETTLED,)), START)
    [line] = lines(stream)
    assert (line["type"], line["trace_id"]) == ("ticked", SETTLED.trace_id)


def test_a_log_that_cannot_be_written_to_stops_no_mail() -> None:
    stream = configured()
    stream.close()
    Watch("trial").taken(heard(1), Decision(State()), datetime.now(UTC), changed=True)


def test_a_dead_letter_is_told_by_its_place_and_ids_not_by_what_it_quotes() -> None:
    stream = configured()
    event = heard(1, "mary@x.org")
    stored = Stored("address.observed", 7, b"mary@x.org", b"{", 1.0, headers(event))
    letter("bounces", "addresses", stored, Poison("raised", ValueError("mary writes")), START)
    [line] = lines(stream)
    assert "mary" not in str(line)
    assert line | {"timestamp": ""} == {
        "event": "buried",
        "level": "warning",
        "timestamp": "",
        "worker": "bounces",
        "group": "addresses",
        "reason": "raised",
        "topic": "address.observed",
        "partition": 0,
        "offset": 7,
        "event_id": event.event_id,
        "trace_id": event.trace_id,
    }


# The whole


def texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


async def test_the_tour_tells_all_decisions_and_no_address(tmp_path: Path) -> None:
    """Real mails through all six workers: posts, replies, notices, a bounce, a loop."""
    stream = configured(level="DEBUG")
    await _tour(tmp_path, Console(file=io.StringIO()))
    events: dict[str, Event] = {}
    addresses: set[str] = set()
    subjects: set[str] = set()
    for topic in TOPICS:
        for stored in read_log(tmp_path / "postroad.sqlite", topic):
            assert stored.value is not None
            document = json.loads(stored.value)
            addresses.update(word for text in texts(document) for word in WORD.findall(text))
            subjects.add(document.get("subject") or "")
            found = read(topic, stored.value)
            if isinstance(found, Event) and not TOPICS[topic].table:
                events[found.event_id] = found
    text = stream.getvalue()
    told = {line["event_id"]: line["trace_id"] for line in lines(stream) if line["event"] == "decided"}
    for_workers = {it.event_id: it.trace_id for it in events.values() if not is_for_apps(it)}
    assert told == for_workers
    assert len(addresses) > 20
    assert len(subjects) > 3
    assert [it for it in addresses if it in text] == []
    assert [it for it in subjects - {""} if it in text] == []


def is_for_apps(event: Event) -> bool:
    return str(type(event).__struct_config__.tag).startswith("notification.")
