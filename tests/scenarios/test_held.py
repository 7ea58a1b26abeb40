"""What an operator does with held mails (R16, R17)."""

import json

import pytest

from tests.support.scenario import Story


def held(story: Story) -> str:
    (mail_id,) = story.held()
    return mail_id


def test_a_released_mail_passes_the_rule_that_held_it_and_counts(story: Story) -> None:
    mails = [story.mail() for _ in range(21)]
    story.wait(minutes=30)
    story.release(held(story))
    assert story.settled(mails[-1]) == ["held L1", "delivered R9"]
    assert story.events("message.settled", settled=mails[-1])[-1]["former"] == "held L1"
    assert story.held() == {}
    assert len(story.events("record.requested")) == 21
    story.wait(minutes=90)
    fits = [story.outcome(story.mail()) for _ in range(20)]
    assert fits == ["delivered R9"] * 19 + ["held L1"]


def test_a_released_answer_by_machine_opens_its_record(story: Story) -> None:
    mail = story.mail(headers={"Auto-Submitted": "auto-replied"})
    story.release(held(story))
    assert story.settled(mail) == ["held L7", "delivered R9"]


def test_r17_a_rule_that_an_earlier_release_overrode_does_not_hold_it_again(story: Story) -> None:
    """Held by L7, released, held by L1, released: it comes to an end."""
    story.set("mail.gateway.loop.threshold", 0)
    mail = story.mail(headers={"Auto-Submitted": "auto-replied"})
    for _ in range(2):
        story.release(held(story))
    assert story.settled(mail) == ["held L7", "held L1", "delivered R9"]
    assert story.events("message.settled", settled=mail)[-1]["former"] == "held L1"


def test_a_release_goes_through_the_current_rules(story: Story) -> None:
    mail = story.mail(to="new@example.com")
    story.apply(alias=[{"address": "new@example.com", "record_type": "crm.lead"}])
    story.release(held(story))
    assert story.settled(mail) == ["held R11", "delivered R9"]


def test_released_with_nothing_changed_it_is_held_again(story: Story) -> None:
    mail = story.mail(to="new@example.com")
    story.release(held(story))
    assert story.settled(mail) == ["held R11", "held R11"]
    assert len(story.held()) == 1


def test_a_dropped_mail_is_gone(story: Story) -> None:
    mail = story.mail(to="new@example.com")
    mail_id = held(story)
    story.drop(mail_id)
    assert story.held() == {}
    assert story.settled(mail) == ["held R11"]
    assert "no mail is held" in story.line(json.dumps({"release": mail_id}))[-1]["error"]


@pytest.mark.parametrize("order", ["release", "drop"])
def test_what_is_not_held_cannot_be_handled(story: Story, order: str) -> None:
    assert "no mail is held" in story.line(json.dumps({order: "nothing"}))[-1]["error"]
