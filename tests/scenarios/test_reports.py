"""Reports about what we sent (P1-P7, B1, B2)."""

from typing import Any

import pytest

from tests.support.reports import dsn
from tests.support.scenario import ANNA, EVE, Sent, Story

FAILED = [("eve@customer.example", "failed", "5.1.1")]


@pytest.fixture
def copy(story: Story) -> Sent:
    """What Eve got of Anna's post on her lead."""
    story.apply(contact=[ANNA, EVE, {"id": "carl", "address": "carl@example.net"}])
    thread = story.thread(story.mail("eve@customer.example"))
    story.follow(thread, "carl")
    story.post(thread)
    return story.sent("eve@customer.example")[0]


def red(story: Story) -> list[tuple[str, str, str]]:
    failed = story.events("notification.failed")
    return [(event["recipient"], event["author"], event["status"]) for event in failed]


def counted(story: Story, address: str = "eve@customer.example") -> int:
    return len(story.state(address=address)["failures"]["failures"])


def test_by_the_token_of_our_return_path(story: Story, copy: Sent) -> None:
    story.raw(dsn(FAILED), mail_from="", rcpt_to=[copy.mail_from])
    assert story.settled("<report-1@mx.customer.example>") == ["report P1"]
    assert red(story) == [("eve@customer.example", "anna", "5.1.1")]
    assert counted(story) == 1


def test_by_our_message_id_and_the_final_recipient(story: Story, copy: Sent) -> None:
    story.raw(dsn(FAILED, copy["Message-ID"]), mail_from="", rcpt_to=["bounce@example.com"])
    assert red(story) == [("eve@customer.example", "anna", "5.1.1")]


def test_the_token_blames_even_if_the_report_names_another_address(story: Story, copy: Sent) -> None:
    forwarded = [("eve@private.example", "failed", "5.1.1")]
    story.raw(dsn(forwarded), mail_from="", rcpt_to=[copy.mail_from])
    assert red(story) == [("eve@customer.example", "anna", "5.1.1")]


WORDS = "Your message could not be delivered. The mailbox does not exist."


def few_words(*fields: str) -> bytes:
    head = ["From: eve@customer.example", "To: sales@example.com", "Message-ID: <report-1@customer.example>", *fields]
    return ("\r\n".join(head) + f"\r\n\r\n{WORDS}\r\n").encode()


@pytest.mark.parametrize(
    ("raw", "mail_from", "failed"),
    [
        pytest.param(few_words("Subject: Your message"), "eve@customer.example", True, id="few words of an address"),
        pytest.param(few_words("Subject: Message"), "", True, id="with the null reverse-path, which no field tells"),
        pytest.param(few_words("Subject: Re: Offer"), "eve@customer.example", False, id="an answer"),
        pytest.param(
            few_words("Subject: Offer", "Auto-Submitted: auto-replied"),
            "eve@customer.example",
            False,
            id="by a machine",
        ),
    ],
)
def test_p4_words_at_our_return_path(story: Story, copy: Sent, raw: bytes, mail_from: str, failed: bool) -> None:
    story.raw(raw, mail_from=mail_from, rcpt_to=[copy.mail_from])
    assert story.settled("<report-1@customer.example>") == ["report P1" if failed else "report P4"]
    assert [recipient for recipient, _, _ in red(story)] == ["eve@customer.example"] * failed


def test_told_twice_it_counts_once(story: Story, copy: Sent) -> None:
    story.raw(dsn(FAILED), rcpt_to=[copy.mail_from])
    story.raw(dsn(FAILED), rcpt_to=[copy.mail_from])
    story.raw(dsn(FAILED, copy["Message-ID"], number=2), rcpt_to=["bounce@example.com"])
    assert story.settled("<report-1@mx.customer.example>") == ["report P1", "duplicate R1"]
    assert len(red(story)) == 1
    assert counted(story) == 1


def test_every_recipient_block_is_booked_with_its_own_status(story: Story, copy: Sent) -> None:
    blocks = [*FAILED, ("carl@example.net", "failed", "5.2.2")]
    story.raw(dsn(blocks, copy["Message-ID"]), rcpt_to=["bounce@example.com"])
    assert sorted(red(story)) == [("carl@example.net", "anna", "5.2.2"), ("eve@customer.example", "anna", "5.1.1")]


def test_a_delay_counts_nothing(story: Story, copy: Sent) -> None:
    story.raw(dsn([("eve@customer.example", "delayed", "4.4.7")]), rcpt_to=[copy.mail_from])
    assert red(story) == []
    assert counted(story) == 0
    assert len(story.events("delivery.reported", action="delayed")) == 1


def test_a_report_about_a_message_that_never_went_there_counts_for_the_address_alone(story: Story, copy: Sent) -> None:
    story.raw(dsn([("zoe@example.net", "failed", "5.1.1")], copy["Message-ID"]), rcpt_to=["bounce@example.com"])
    assert red(story) == []
    assert counted(story, "zoe@example.net") == 1


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        pytest.param(dsn(FAILED, to="sales@example.com"), {}, id="multipart/report to an alias"),
        pytest.param(
            "From: Mailer-Daemon@mx.example\r\nTo: sales@example.com\r\nMessage-ID: <m@mx>\r\n\r\nNo.\r\n",
            {},
            id="mailer-daemon in any case",
        ),
        pytest.param(
            "From: eve@customer.example\r\nTo: bounce@example.com\r\nMessage-ID: <m@mx>\r\n\r\nHello\r\n",
            {},
            id="whatever came to the bounce address",
        ),
        pytest.param(
            "From: eve@customer.example\r\nTo: x@elsewhere.example\r\nMessage-ID: <m@mx>\r\n\r\nHello\r\n",
            {"rcpt_to": ["bounce+abc@example.com"]},
            id="by the envelope alone, with a token that proves nothing",
        ),
    ],
)
def test_what_is_a_report_opens_no_record_and_is_never_answered(story: Story, raw: str, line: dict[str, Any]) -> None:
    story.raw(raw, **line)
    (settled,) = (event for event in story.events("message.settled") if event["mail_id"])
    assert settled["outcome"] == "report"
    assert story.sent() == []
    assert story.events("record.requested") == []
    assert story.events("address.heard_from") == []


def test_an_absence_answer_to_our_return_path_counts_nothing(story: Story, copy: Sent) -> None:
    fields = f"From: eve@customer.example\r\nTo: {copy.mail_from}\r\nMessage-ID: <away@c>\r\n"
    away = f"{fields}Auto-Submitted: auto-replied\r\n\r\nI am away.\r\n"
    story.raw(away, mail_from="", rcpt_to=[copy.mail_from])
    assert story.settled("<away@c>") == ["report P4"]
    assert red(story) == []
    assert counted(story) == 0


def test_a_read_receipt_counts_nothing(story: Story, copy: Sent) -> None:
    receipt = dsn(FAILED, copy["Message-ID"]).replace("delivery-status", "disposition-notification")
    story.raw(receipt, rcpt_to=["bounce@example.com"])
    assert story.settled("<report-1@mx.customer.example>") == ["report P2"]
    assert red(story) == []


def test_what_says_nothing_usable_is_kept_as_unattributed(story: Story) -> None:
    story.mail("eve@customer.example", "bounce@example.com", "What is this?")
    (settled,) = (event for event in story.events("message.settled") if event["mail_id"])
    assert (settled["outcome"], settled["rule"]) == ("report", "P7")


def test_a_notification_only_escalates(story: Story, copy: Sent) -> None:
    story.raw(dsn(FAILED), rcpt_to=[copy.mail_from])
    story.raw(dsn([("eve@customer.example", "delivered", "2.0.0")], number=2), rcpt_to=[copy.mail_from])
    assert story.told("eve@customer.example") == ["sent", "failed"]
