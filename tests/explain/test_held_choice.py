"""Which held mails a filter means, and how people write ages and rates."""

from datetime import timedelta

import pytest

from postroad.explain.held import Filter, age, how_long, per_second
from postroad_schemas.mail import HeldMail
from tests.routing.mails import START, mail

NOW = START + timedelta(hours=3)


def held(name: str, rule: str, hours_ago: int, *to: str) -> HeldMail:
    return HeldMail(
        event_id=name,
        trace_id=name,
        occurred_at=NOW - timedelta(hours=hours_ago),
        mail=mail(name, to=to),
        rule=rule,
        reason="",
    )


WAITING = [
    held("young", "L1", 1, "sales@example.com"),
    held("old", "L1", 2, "Sales@Example.com", "x@example.com"),
    held("other", "R11", 2, "x@example.com"),
]


@pytest.mark.parametrize(
    ("meant", "names"),
    [
        pytest.param(Filter(), ["old", "other", "young"], id="all, the longest waiting first"),
        pytest.param(Filter(rule="L1"), ["old", "young"], id="by rule"),
        pytest.param(Filter(alias="SALES@example.com"), ["old", "young"], id="by recipient, however it is written"),
        pytest.param(Filter(waited=timedelta(hours=1)), ["old", "other"], id="exactly so long is not longer"),
        pytest.param(Filter(rule="L1", waited=timedelta(hours=1)), ["old"], id="all that is given must be so"),
        pytest.param(Filter(rule="l1"), [], id="a rule is written as it is told"),
    ],
)
def test_which_are_meant(meant: Filter, names: list[str]) -> None:
    by_id = {one.mail.event_id: one.event_id for one in WAITING}
    assert [by_id[one.mail.event_id] for one in meant.of(WAITING, NOW)] == names


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("30m", 1800), ("12h", 43_200), (" 2 d ", 172_800)],
    ids=lambda value: str(value),
)
def test_ages(written: str, seconds: int) -> None:
    assert age(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["", "h", "12", "1w", "-1h", "1h30m", "٣h", "9999999d"])
def test_no_ages(written: str) -> None:
    with pytest.raises(ValueError, match="write 30m, 12h or 2d"):
        age(written)


@pytest.mark.parametrize(("written", "rate"), [("5/s", 5), ("5", 5), ("0.5/s", 0.5)])
def test_rates(written: str, rate: float) -> None:
    assert per_second(written) == rate


@pytest.mark.parametrize("written", ["", "0", "-1/s", "5/m", "fast", "inf", "nan", "1e9"])
def test_no_rates(written: str) -> None:
    with pytest.raises(ValueError, match="such as 5/s"):
        per_second(written)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0s"), (-5, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (90_000, "1d")]
)
def test_how_long(seconds: int, told: str) -> None:
    assert how_long(timedelta(seconds=seconds)) == told
