"""A forward to an alias of another type is no reply (R5); a reply obeys the alias it was addressed to (R6)."""

import pytest

from tests.support.scenario import Story

TICKETS = {"address": "help@example.com", "record_type": "helpdesk.ticket"}
OFFERS = {"address": "offers@example.com", "record_type": "crm.lead"}


@pytest.fixture
def lead(story: Story) -> str:
    story.apply(alias=[TICKETS, OFFERS])
    return story.mail()


def test_to_another_type(story: Story, lead: str) -> None:
    forward = story.mail(to="help@example.com", subject="Fwd: Pens", headers={"References": lead})
    assert story.settled(forward) == ["delivered R5"]
    assert story.thread(forward).startswith("helpdesk.ticket/")


def test_only_aliases_of_other_types_fire(story: Story, lead: str) -> None:
    forward = story.mail(to="help@example.com, offers@example.com", headers={"References": lead})
    assert [thread.partition("/")[0] for thread in story.threads(forward)] == ["helpdesk.ticket"]


def test_in_copy_it_is_a_reply(story: Story, lead: str) -> None:
    reply = story.mail(to="sales@example.com", headers={"References": lead, "Cc": "help@example.com"})
    assert story.settled(reply) == ["delivered R3"]
    assert story.threads(reply) == story.threads(lead)


def test_to_another_alias_of_the_same_type_it_is_a_reply(story: Story, lead: str) -> None:
    assert story.settled(story.mail(to="offers@example.com", headers={"References": lead})) == ["delivered R3"]


def test_an_alias_that_the_parent_itself_took_makes_no_forward(story: Story) -> None:
    story.apply(alias=[TICKETS])
    both = story.mail(to="sales@example.com, help@example.com")
    reply = story.mail(to="sales@example.com, help@example.com", headers={"References": both})
    assert story.settled(reply) == ["delivered R3"]
    assert len(story.threads(reply)) == 1


def test_a_reply_obeys_the_policy_of_the_alias_it_was_addressed_to(story: Story, lead: str) -> None:
    story.apply(alias=[{**OFFERS, "policy": "contacts", "refusal_text": "Customers only."}])
    reply = story.mail(to="offers@example.com", headers={"References": lead})
    assert story.settled(reply) == ["refused R12"]
    assert "Customers only." in story.notices()[0].words
    by_catchall = story.mail(to="catchall@example.com", headers={"References": lead})
    assert story.settled(by_catchall) == ["delivered R3"]
