"""Which failures are the recipient's, and which are our own (B1-B4, O8, O9)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.reports import dsn
from tests.support.scenario import ANNA, EVE, Sent, Story

EVES = "eve@customer.example"


def mailings(story: Story, script: dict[str, Any]) -> None:
    """Five bulk mails, spread so that failures about the address would blacklist it."""
    story.smarthost("default", **script)
    start = story.now
    for day in (0, 1, 2, 3, 8):
        story.at(start + timedelta(days=day))
        story.submit(EVES, mailing=f"mailing {day}")


def failures(story: Story) -> list[str]:
    return [event["failure"] for event in story.events("notification.failed")]


@pytest.mark.parametrize(
    ("script", "failure", "listed"),
    [
        pytest.param({"rcpt": {EVES: "550 5.1.1 no such user"}}, "refused", True, id="B4 the address"),
        pytest.param({"body": "554 5.1.1 no such user"}, "refused", True, id="B4 the address, said after the message"),
        pytest.param({"mail": "550 5.1.8 no such domain"}, "sender_invalid", False, id="B3 our domain"),
        pytest.param({"mail": "550 no such user"}, "sender_invalid", False, id="B3 our sender, whatever the words"),
        pytest.param(
            {"rcpt": {"*": "550 5.1.8 sender's domain"}}, "sender_invalid", False, id="B3 our domain, at RCPT"
        ),
        pytest.param({"rcpt": {"*": "550 5.1.7 bad sender"}}, "sender_invalid", False, id="B3 our sender, at RCPT"),
        pytest.param({"mail": "550 5.7.1 blocked"}, "refused", False, id="B4 policy"),
        pytest.param({"connect": "554 5.1.1 not you"}, "connection", False, id="B3 the server wants none of us"),
    ],
)
def test_only_failures_about_the_recipient_blacklist(
    story: Story, script: dict[str, Any], failure: str, listed: bool
) -> None:
    mailings(story, script)
    assert failures(story) == [failure] * 5
    assert (story.state(address=EVES)["suppression"] is not None) is listed


@pytest.mark.parametrize(
    ("first", "last", "failure", "counted"),
    [
        pytest.param(
            {"rcpt": {"*": "450 4.2.0 later"}}, {"connect": "refused"}, "connection", 0, id="at last no server"
        ),
        pytest.param({"connect": "refused"}, {"rcpt": {"*": "452 4.2.2 full"}}, "refused", 1, id="at last a reply"),
        pytest.param({"data": "drop"}, {"connect": "421 4.3.2 busy"}, "connection", 0, id="at last a greeting"),
    ],
)
def test_o8_expired_it_has_the_type_of_the_last_attempt(
    story: Story, first: dict[str, Any], last: dict[str, Any], failure: str, counted: int
) -> None:
    story.smarthost("default", **first)
    story.submit(EVES, stream="chatter")
    story.wait(days=4)
    story.smarthost("default", **last)
    story.wait(days=2)
    (failed,) = story.events("notification.failed")
    assert (failed["failure"], failed["expired"]) == (failure, True)
    assert len(story.state(address=EVES)["failures"]["failures"]) == counted


@pytest.fixture
def copy(story: Story) -> Sent:
    """What Eve got of Anna's post on her lead; the mail that opened it went to nobody else."""
    story.apply(contact=[ANNA, EVE])
    story.post(story.thread(story.mail(EVES)))
    return story.sent(EVES)[0]


def red(story: Story) -> list[tuple[str, str]]:
    return [(event["recipient"], event["author"]) for event in story.events("notification.failed")]


def test_p4_b2_a_forwarded_copy_that_failed_marks_what_we_sent(story: Story, copy: Sent) -> None:
    report = dsn([("eve@home.example", "failed", "5.1.1")], copy["Message-ID"])
    blocks = report.replace("Final-Recipient", f"Original-Recipient: rfc822; {EVES}\r\nFinal-Recipient")
    story.raw(blocks, mail_from="", rcpt_to=["bounce@example.com"])
    assert red(story) == [(EVES, "anna")]
    assert [event["address"] for event in story.events("address.failed")] == [EVES]


def test_p5_a_relay_that_rewrote_the_message_id_left_our_references(story: Story, copy: Sent) -> None:
    report = dsn([(EVES, "failed", "5.1.1")], "<rewritten@relay.example>")
    returned = report.replace("Subject: News", f"References: {copy['References']}\r\nSubject: News")
    story.raw(returned, mail_from="", rcpt_to=["bounce@example.com"])
    assert red(story) == [(EVES, "anna")]
