"""The loop guard (L1-L5): twenty within two hours, counted where the rules say."""

from typing import Any

import pytest

from tests.support.scenario import Story

HELP = {"address": "help@example.com", "record_type": "crm.lead"}


def burst(story: Story, count: int, **mail: Any) -> list[str]:
    return [story.outcome(story.mail(text=str(number), **mail)) for number in range(count)]


def test_twenty_pass_and_the_twenty_first_is_held_with_one_notice(story: Story) -> None:
    assert burst(story, 23) == ["delivered R9"] * 20 + ["held L1"] * 3
    (notice,) = story.notices()
    assert "kept" in notice.words
    assert list(story.held().values()) == ["L1"] * 3


def test_the_window_slides(story: Story) -> None:
    burst(story, 10)
    story.wait(minutes=60)
    assert burst(story, 11) == ["delivered R9"] * 10 + ["held L1"]
    story.wait(minutes=59, seconds=59)
    assert burst(story, 1) == ["held L1"]
    story.wait(seconds=1)
    assert burst(story, 11) == ["delivered R9"] * 10 + ["held L1"]


def test_another_author_is_not_affected(story: Story) -> None:
    burst(story, 21)
    assert burst(story, 1, sender="carl@example.net") == ["delivered R9"]
    assert burst(story, 1, sender="notbob@example.org") == ["delivered R9"]
    assert burst(story, 1, sender="BOB@EXAMPLE.ORG") == ["held L1"]


def test_another_alias_has_its_own_count(story: Story) -> None:
    story.apply(alias=[HELP])
    burst(story, 21)
    assert burst(story, 1, to="help@example.com") == ["delivered R9"]


def test_by_type_all_its_aliases_count_together(story: Story) -> None:
    story.apply(alias=[HELP], parameters={"mail.gateway.loop.scope": "type"})
    burst(story, 10)
    assert burst(story, 11, to="help@example.com") == ["delivered R9"] * 10 + ["held L2"]


def test_by_alias_all_authors_count_together(story: Story) -> None:
    story.set("mail.gateway.loop.scope", "alias")
    burst(story, 19)
    assert burst(story, 2, sender="carl@example.net") == ["delivered R9", "held L2"]


def test_a_flood_by_many_authors_is_seen_in_the_shadow(story: Story) -> None:
    for number in range(21):
        mail = story.mail(f"{number}@example.net")
        (settled,) = story.events("message.settled", settled=mail)
        assert settled["rule"] == "R9"
        assert ("shadow" in settled["why"]) is (number == 20)


def test_an_alias_has_its_own_numbers(story: Story) -> None:
    story.apply(alias=[{**HELP, "limits": {"threshold": 2, "minutes": 10}}])
    assert burst(story, 3, to="help@example.com") == ["delivered R9"] * 2 + ["held L1"]
    story.wait(minutes=10)
    assert burst(story, 1, to="help@example.com") == ["delivered R9"]


def test_a_change_of_the_threshold_takes_effect_at_once(story: Story) -> None:
    burst(story, 5)
    story.set("mail.gateway.loop.threshold", 5)
    assert burst(story, 1) == ["held L1"]


@pytest.mark.parametrize("allowed", ["bob@example.org", "other.example, EXAMPLE.org"])
def test_allowed_senders_are_never_limited(story: Story, allowed: str) -> None:
    story.set("mail.gateway.allowed", allowed)
    assert burst(story, 21) == ["delivered R9"] * 21


def test_mails_without_author_are_not_limited(story: Story) -> None:
    assert burst(story, 21, sender="") == ["delivered R9"] * 21


def test_one_blocked_route_blocks_the_whole_mail_and_the_others_count_not(story: Story) -> None:
    story.apply(alias=[{**HELP, "limits": {"threshold": 19}}])
    assert burst(story, 21, to="sales@example.com, help@example.com") == ["delivered R9"] * 19 + ["held L1"] * 2
    assert burst(story, 2) == ["delivered R9", "held L1"]


def test_answers_to_one_thread_have_their_own_limit(story: Story) -> None:
    opening, other = story.mail(), story.mail()
    for number in range(21):
        headers = {"In-Reply-To": opening}
        answer = story.mail(to="catchall@example.com", text=str(number), headers=headers)
        assert story.outcome(answer) == ("delivered R3" if number < 20 else "held L3")
    elsewhere = story.mail(to="catchall@example.com", headers={"In-Reply-To": other})
    assert story.outcome(elsewhere) == "delivered R3"


def test_records_opened_without_an_alias_count_by_author_and_type(story: Story) -> None:
    box = {"name": "shop", "host": "imap.example.com", "record_type": "sale.order"}
    story.apply(mailbox=[{**box, "credentials": {"username": "shop", "secret": "env:SHOP"}}])
    from_it = {"to": "x@elsewhere.example", "door": "imap", "mailbox": "shop"}
    assert burst(story, 21, **from_it) == ["delivered R10"] * 20 + ["held L2"]
