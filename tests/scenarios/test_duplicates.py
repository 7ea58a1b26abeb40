"""A mail that comes again (R1)."""

from tests.support.scenario import ANNA, EVE, Story

JOBS = {"address": "jobs@example.com", "record_type": "hr.applicant"}


def again(story: Story, to: str = "sales@example.com", **more: str) -> str:
    return story.mail(to=to, headers={"Message-ID": "<same@example.org>"}, **more)


def test_the_second_copy_is_dropped_silently(story: Story) -> None:
    again(story)
    mail = again(story)
    assert story.settled(mail) == ["delivered R9", "duplicate R1"]
    assert len(story.events("record.requested")) == 1
    assert story.notices() == []


def test_a_copy_for_another_alias_is_routed_for_that_one_alone(story: Story) -> None:
    story.apply(alias=[JOBS])
    again(story)
    mail = again(story, to="sales@example.com, jobs@example.com")
    assert story.settled(mail) == ["delivered R9", "delivered R9"]
    assert [record["record_type"] for record in story.events("record.requested")] == ["crm.lead", "hr.applicant"]
    again(story, to="jobs@example.com")
    assert story.outcome(mail) == "duplicate R1"


def test_a_copy_of_a_held_mail_is_a_duplicate_too(story: Story) -> None:
    mail = again(story, to="nobody@example.com")
    again(story, to="nobody@example.com")
    assert story.settled(mail) == ["held R11", "duplicate R1"]


def test_a_copy_of_a_refused_mail_is_a_duplicate_too(story: Story) -> None:
    mail = again(story, to="catchall@example.com")
    again(story, to="catchall@example.com")
    assert story.settled(mail) == ["refused R8", "duplicate R1"]
    assert len(story.notices()) == 1


def test_a_mail_held_first_and_then_sent_to_an_alias(story: Story) -> None:
    mail = again(story, to="nobody@example.com")
    again(story)
    assert story.settled(mail) == ["held R11", "delivered R9"]


def test_the_same_words_under_a_new_id_are_a_new_mail(story: Story) -> None:
    story.mail()
    assert story.outcome(story.mail()) == "delivered R9"


def test_ours_coming_back_is_dropped(story: Story) -> None:
    story.apply(contact=[EVE, ANNA])
    thread = story.thread(story.mail("Eve <eve@customer.example>"))
    story.post(thread)
    (copy,) = story.sent("eve@customer.example")
    back = copy.message.as_string()
    story.raw(back, door="smtp", mail_from="list@elsewhere.example", rcpt_to=["sales@example.com"])
    assert story.settled(copy["Message-ID"]) == ["duplicate R1"]


def test_a_second_copy_by_another_door_without_any_message_id(story: Story) -> None:
    raw = "From: bob@example.org\r\nTo: sales@example.com\r\nSubject: Pens\r\n\r\nPens?\r\n"
    story.raw(raw)
    traced = f"Return-Path: <bob@example.org>\r\nReceived: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n{raw}"
    story.raw(traced, door="smtp", mail_from="bob@example.org", rcpt_to=["sales@example.com"])
    derived = {event["message_id"] for event in story.events("mail.received")}
    assert len(derived) == 1
    assert story.settled(derived.pop()) == ["delivered R9", "duplicate R1"]
