"""Dead letters: bytes as they were, the reason in headers, and the limit on runs of them."""

from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from postroad import __version__
from postroad.runtime.dead import ERROR_LIMIT, PoisonRun, TooMuchPoison, letter
from postroad.runtime.step import Poison

NOW = datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)
POISON = Poison("invalid", ValueError("not JSON"))


class Source(NamedTuple):
    topic: str = "mail.routed"
    partition: int = 3
    offset: int = 77
    timestamp: int = 1_700_000_000_000
    key: bytes | None = b"k"
    value: bytes | None = b"\xff\x00"
    headers: tuple[tuple[str, bytes], ...] = (("event_id", b"e"), ("traceparent", b"t"))


def headers(source: Source, poison: Poison = POISON) -> dict[str, bytes]:
    return dict(letter("loop_guard", "postroad.budgets", source, poison, NOW).headers)


def test_a_letter_has_the_records_own_bytes() -> None:
    made = letter("loop_guard", "g", Source(), POISON, NOW)

    assert (made.topic, made.key, made.value) == ("loop_guard.dead", b"k", b"\xff\x00")


def test_a_letter_says_where_it_was_and_why_it_is_here() -> None:
    assert headers(Source()) == {
        "event_id": b"e",
        "traceparent": b"t",
        "reason": b"invalid",
        "error": b"ValueError: not JSON",
        "topic": b"mail.routed",
        "partition": b"3",
        "offset": b"77",
        "timestamp": b"1700000000000",
        "attempts": b"1",
        "first_failed": b"2026-11-02T03:04:05+00:00",
        "group": b"postroad.budgets",
        "version": __version__.encode(),
    }


def test_a_second_burial_counts_and_keeps_the_first_time() -> None:
    again = Source(headers=(("attempts", b"2"), ("first_failed", b"2026-01-01T00:00:00+00:00"), ("reason", b"raised")))
    found = letter("w", "g", again, POISON, NOW).headers

    assert [name for name, _ in found].count("reason") == 1
    assert dict(found)["attempts"] == b"3"
    assert dict(found)["first_failed"] == b"2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("source", "poison"),
    [
        pytest.param(Source(headers=(("attempts", b"\xb2x"),)), POISON, id="attempts that are no number"),
        pytest.param(Source(), Poison("raised", ValueError("ü" * 9999)), id="an endless message"),
        pytest.param(Source(), Poison("raised", ValueError("\udcff")), id="a message with half a character"),
        pytest.param(Source(key=None, value=None), POISON, id="neither key nor value, which no producer takes"),
    ],
)
def test_every_record_can_be_buried(source: Source, poison: Poison) -> None:
    made = letter("w", "g", source, poison, NOW)

    assert len(dict(made.headers)["error"]) <= ERROR_LIMIT
    assert dict(made.headers)["attempts"] == b"1"
    assert made.key is not None


def test_a_hundred_in_a_row_stop_the_worker() -> None:
    run = PoisonRun()
    for _ in range(100):
        run.bad(Source(), POISON)

    with pytest.raises(TooMuchPoison, match=r"mail\.routed/3 at offset 77"):
        run.bad(Source(), POISON)


def test_a_good_one_between_them_begins_the_run_anew() -> None:
    run = PoisonRun()
    for _ in range(5):
        for _ in range(100):
            run.bad(Source(), POISON)
        run.good()

    assert run.length == 0
