"""Each story is told again with topics read in other orders: what it comes to must be the same.

And whatever is told, every acceptance ends in exactly one outcome (R16).
"""

from collections.abc import Iterator

import pytest

from tests.support.scenario import Story, told_again

SEEDS = (1, 7, 23)


@pytest.fixture
def story() -> Iterator[Story]:
    told = Story()
    yield told
    ends = told.ends()
    assert not ends["dead"]
    accepted = sorted(event["event_id"] for event in told.events("mail.received"))
    assert sorted(event["mail_id"] for event in told.events("message.settled") if event["mail_id"]) == accepted
    for seed in SEEDS:
        assert told_again(told.lines, seed).ends() == ends, f"shuffled by {seed}"
