"""Real bounces: what was reached is not lost again."""

import pytest

from tests.benchmarks.bounces import CORPORA, false_alarms, score

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"the mail corpora are not at {CORPORA}")


@pytest.mark.parametrize(("family", "exact"), [("flufl", 112), ("cws", 119), ("crisp", 110)])
def test_recipients_permanence_and_original(family: str, exact: int) -> None:
    found = score(family)
    assert found.exact >= exact, found.wrong
    assert found.permanence == found.judged, found.wrong
    assert found.original == found.named, found.wrong


def test_ordinary_mails_are_no_bounces() -> None:
    assert false_alarms() == []
