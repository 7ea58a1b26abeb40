"""Mails accepted in one breath: whichever worker is quicker, they come to the same (R1, R16, L1)."""

from typing import Any

import pytest

from tests.support.scenario import Story

SEEDS = pytest.mark.parametrize("seed", [None, *range(8)])
SAME = {"headers": {"Message-ID": "<same@example.org>"}}
JOBS = {"address": "jobs@example.com", "record_type": "hr.applicant"}


def at_once(seed: int | None, *mails: dict[str, Any]) -> Story:
    """A story in which these mails, accepted a second apart, are all taken before any is read."""
    door, story = Story(), Story(shuffle=seed)
    for mail in mails:
        door.mail(**mail)
        door.wait(seconds=1)
    story.apply(alias=[JOBS])
    story.at_once(*door.events("mail.received"))
    story.wait(minutes=11)
    return story


def test_an_answer_waits_for_the_outcome_of_what_it_answers() -> None:
    story = at_once(None, {}, {"to": "catchall@example.com", "headers": {"In-Reply-To": "<1@example.org>"}})
    assert story.settled("<2@example.org>") == ["delivered R3"]
    assert story.threads("<2@example.org>") == story.threads("<1@example.org>")


@SEEDS
def test_two_that_answer_each_other_do_not_wait_for_ever(seed: int | None) -> None:
    one, two = ({"headers": {"In-Reply-To": f"<{other}@example.org>"}} for other in (2, 1))
    story = at_once(seed, one, two)
    outcomes = [*story.settled("<1@example.org>"), *story.settled("<2@example.org>")]
    assert sorted(outcomes) in (["delivered R3", "delivered R9"], ["delivered R9", "delivered R9"])


@SEEDS
def test_of_two_copies_one_is_taken(seed: int | None) -> None:
    story = at_once(seed, SAME, SAME)
    assert sorted(story.settled("<same@example.org>")) == ["delivered R9", "duplicate R1"]
    assert len(story.events("record.requested")) == 1


@SEEDS
def test_two_copies_to_two_aliases_open_one_record_each(seed: int | None) -> None:
    story = at_once(seed, SAME, {**SAME, "to": "jobs@example.com"})
    assert story.settled("<same@example.org>") == ["delivered R9", "delivered R9"]
    assert sorted(record["record_type"] for record in story.events("record.requested")) == ["crm.lead", "hr.applicant"]


@SEEDS
def test_of_twenty_five_twenty_pass(seed: int | None) -> None:
    story = at_once(seed, *[{}] * 25)
    assert len(story.events("record.requested")) == 20
    assert list(story.held().values()) == ["L1"] * 5
    assert len(story.notices()) == 1
