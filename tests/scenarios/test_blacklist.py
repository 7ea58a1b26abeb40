"""The blacklist (B3-B5) and what it silences (O7)."""

from typing import Any

import pytest

from tests.support.reports import complaint, dsn
from tests.support.scenario import ANNA, EVE, Story

DEAD = "550 5.1.1 no such user"
ADDRESS = "eve@customer.example"


def bounces(story: Story, days: list[float], reply: str = DEAD, **more: Any) -> None:
    """Bulk mails on these days after the start that the receiving side answers so."""
    story.smarthost("default", rcpt={ADDRESS: reply})
    start = story.now
    for day in days:
        story.wait(seconds=(start - story.now).total_seconds() + day * 86_400)
        story.submit(ADDRESS, mailing=f"mailing of {story.now}", **more)
    story.smarthost("default")


def listed(story: Story) -> bool:
    row = story.state(address=ADDRESS)["suppression"]
    return bool(row and row["active"])


@pytest.mark.parametrize(
    ("days", "reply", "expected"),
    [
        pytest.param([0, 1, 2, 3, 8], DEAD, True, id="five, more than a week apart"),
        pytest.param([0, 1, 2, 3, 7], DEAD, False, id="exactly a week is not more than a week"),
        pytest.param([0, 1, 2, 8], DEAD, False, id="four"),
        pytest.param([0, 9, 18, 27, 31], DEAD, False, id="the first has aged out"),
        pytest.param([0, 9, 18, 27, 29], DEAD, True, id="within thirty days"),
        pytest.param([0, 1, 2, 3, 8], "550 5.2.1 mailbox disabled", True, id="about the mailbox"),
        pytest.param([0, 1, 2, 3, 8], "550 5.7.1 policy", False, id="not about the address"),
        pytest.param([0, 1, 2, 3, 8], "450 4.2.0 later", False, id="delays"),
        pytest.param([0, 1, 2, 3, 8], "refused", False, id="our own trouble"),
    ],
)
def test_five_failures_within_thirty_days_more_than_a_week_apart(
    story: Story, days: list[float], reply: str, expected: bool
) -> None:
    bounces(story, days, reply)
    assert listed(story) is expected


def test_chatter_failures_count_only_if_so_set(story: Story) -> None:
    bounces(story, [0, 1, 2, 3, 8], stream="chatter")
    assert not listed(story)
    story.set("mail.bounce.blacklist.streams", "bulk, chatter")
    bounces(story, [1], stream="chatter")
    assert listed(story)


def test_a_blacklisting_carries_its_evidence_and_a_note(story: Story) -> None:
    bounces(story, [0, 1, 2, 3, 8])
    row = story.state(address=ADDRESS)["suppression"]
    assert row["rule"] == "B4"
    assert [failure["status"] for failure in row["evidence"]] == ["5.1.1"] * 5
    assert all("no such user" in failure["diagnostic"] for failure in row["evidence"])
    assert "5 failures" in row["note"]


def test_it_silences_bulk_mail_and_not_chatter(story: Story) -> None:
    story.event("address.barred", address=ADDRESS, by="olga", note="asked by phone")
    story.submit(ADDRESS, mailing="spring")
    assert [event["failure"] for event in story.events("notification.failed")] == ["blacklisted"]
    story.submit(ADDRESS, stream="chatter")
    assert [one.code for one in story.sent()] == [250]
    story.set("mail.blacklist.chatter", True)
    story.submit(ADDRESS, stream="chatter")
    assert len(story.sent()) == 1


def test_a_mail_from_the_address_clears_what_came_before(story: Story) -> None:
    bounces(story, [0, 1, 2, 3])
    story.mail(f"Eve <{ADDRESS.upper()}>")
    bounces(story, [5])
    assert not listed(story)
    assert len(story.state(address=ADDRESS)["failures"]["failures"]) == 1


@pytest.mark.parametrize("headers", [{"Auto-Submitted": "auto-replied"}, {"To": "bounce@example.com"}])
def test_an_answer_by_machine_and_mail_to_the_bounce_address_are_no_sign_of_life(
    story: Story, headers: dict[str, str]
) -> None:
    bounces(story, [0, 1, 2, 3])
    story.mail(ADDRESS, headers=headers)
    bounces(story, [5])
    assert listed(story)


def test_lifted_by_hand_it_forgets_and_a_later_entry_revives_the_row(story: Story) -> None:
    bounces(story, [0, 1, 2, 3, 8])
    story.event("address.pardoned", address=ADDRESS, by="olga")
    assert not listed(story)
    bounces(story, [1, 2, 3, 4])
    assert not listed(story)
    bounces(story, [5])
    assert listed(story)


def test_reports_count_if_they_are_proven(story: Story) -> None:
    for number, days in enumerate([0, 2, 2, 2, 2]):
        story.wait(days=days)
        story.submit(ADDRESS, mailing=f"m{number}")
        report = dsn([(ADDRESS, "failed", "5.1.1")], number=number)
        story.raw(report, mail_from="", rcpt_to=[story.sent()[-1].mail_from])
    assert listed(story)


def test_reports_that_nothing_proves_do_not_blacklist(story: Story) -> None:
    for number, days in enumerate([0, 2, 2, 2, 2]):
        story.wait(days=days)
        sent = story.submit(ADDRESS, mailing=f"m{number}")
        report = dsn([(ADDRESS, "failed", "5.1.1")], sent, number=number)
        story.raw(report, mail_from="", rcpt_to=["bounce@example.com"])
    assert not listed(story)
    assert len(story.state(address=ADDRESS)["failures"]["failures"]) == 5


def test_a_complaint_blacklists_at_once(story: Story) -> None:
    sent = story.submit(ADDRESS, mailing="spring")
    story.raw(complaint(sent, ADDRESS), rcpt_to=["bounce@example.com"])
    assert story.told(ADDRESS) == ["sent", "complained"]
    assert listed(story)
    story.submit(ADDRESS, mailing="summer")
    assert len(story.sent()) == 1


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam"])
def test_p2_feedback_that_is_no_complaint_blacklists_nobody(story: Story, kind: str) -> None:
    sent = story.submit(ADDRESS, mailing="spring")
    report = complaint(sent, ADDRESS).replace("Feedback-Type: abuse", f"Feedback-Type: {kind}")
    story.raw(report, rcpt_to=["bounce@example.com"])
    assert story.settled("<arf-1@isp.example>") == ["report P2"]
    assert story.told(ADDRESS) == ["sent"]
    assert not listed(story)


def test_b5_barred_by_hand_however_it_is_written(story: Story) -> None:
    story.event("address.barred", address="EVE@Customer.example")
    story.event("address.barred", address=ADDRESS)
    assert story.state(address=ADDRESS)["suppression"]["address"] == ADDRESS
    assert {row["key"] for row in story.answers if row.get("topic") == "suppressions"} == {ADDRESS}
    story.submit(ADDRESS, mailing="spring")
    assert story.sent() == []
    story.event("address.pardoned", address=ADDRESS.upper())
    assert not listed(story)


def test_a_complaint_about_a_post_marks_the_notification(story: Story) -> None:
    story.apply(contact=[ANNA, EVE])
    thread = story.thread(story.mail(ADDRESS))
    story.post(thread)
    (copy,) = story.sent(ADDRESS)
    story.raw(complaint(copy["Message-ID"], ADDRESS, to=copy.mail_from))
    (told,) = story.events("notification.complained")
    assert (told["recipient"], told["thread"]) == (ADDRESS, thread)
