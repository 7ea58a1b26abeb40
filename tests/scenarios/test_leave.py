"""Leaving a list by the links of bulk mail (O6, RFC 8058)."""

import re
from typing import Any

import pytest

from tests.support.scenario import ANNA, EVE, Sent, Story

BASE = "https://mail.example.com"
EVES = "eve@customer.example"


@pytest.fixture
def linked(story: Story) -> Story:
    """An installation whose HTTP door is reached from outside."""
    story.set("mail.links.base", BASE)
    return story


def ways(one: Sent) -> tuple[str, str]:
    """The handle of the https link, and the address of the mailto."""
    found = re.fullmatch(rf"<{BASE}/leave/([a-z2-7]+)>, <mailto:([^?>]+)\?subject=leave>", one["List-Unsubscribe"])
    assert found, one["List-Unsubscribe"]
    return found[1], found[2]


def click(story: Story, one: Sent) -> None:
    """What the HTTP door publishes for `POST /leave/<handle>`: a handle begins with its notification."""
    story.event("leave.asked", notification_id=ways(one)[0][:16], how="one-click")


def failures(story: Story) -> list[tuple[str, str]]:
    return [(event["mailing"], event["failure"]) for event in story.events("notification.failed")]


def test_one_click_leaves_the_list_and_no_other(linked: Story) -> None:
    linked.submit(mailing="news-1", list_name="news")
    (one,) = linked.sent()
    assert one["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert one["List-Id"] == "<news.example.com>"
    assert one["Precedence"] == "list"
    click(linked, one)
    (left,) = linked.events("list.left")
    assert (left["address"], left["list_name"], left["how"]) == (EVES, "news", "one-click")

    linked.submit(mailing="news-2", list_name="news")
    assert failures(linked) == [("news-2", "opted_out")]
    assert linked.events("notification.failed")[0]["diagnostic"] == "left the list news"
    linked.submit(mailing="offers-1", list_name="offers")
    linked.submit("carl@example.net", mailing="news-2", list_name="news")
    assert [(sent.recipient, sent["List-Id"]) for sent in linked.sent()[1:]] == [
        (EVES, "<offers.example.com>"),
        ("carl@example.net", "<news.example.com>"),
    ]


def test_a_leave_marks_nothing_failed_and_counts_on_no_address(linked: Story) -> None:
    linked.submit(mailing="news")
    click(linked, linked.sent()[0])
    assert linked.told(EVES) == ["sent"]
    assert linked.events("address.failed") == []
    assert linked.events("address.heard_from") == []


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param({"sender": EVES, "text": "leave"}, id="by its reader"),
        pytest.param({"sender": "robot@isp.example", "headers": {"Auto-Submitted": "auto-generated"}}, id="by a robot"),
        pytest.param({"sender": "", "mail_from": ""}, id="by nobody"),
        pytest.param(
            {
                "sender": "Mail Delivery <mailer-daemon@isp.example>",
                "text": "<eve@customer.example>: 550 5.1.1 no such user",
            },
            id="whatever it reads like",
        ),
    ],
)
def test_mail_to_the_mailto_address_leaves_before_it_is_a_report(linked: Story, writes: dict[str, Any]) -> None:
    linked.submit(mailing="news-1", list_name="news")
    address = ways(linked.sent()[0])[1]
    mail = linked.mail(to=address, rcpt_to=[address], **{"subject": "leave", **writes})
    assert linked.outcome(mail) == "report O6"
    assert [event["how"] for event in linked.events("list.left")] == ["mailto"]
    assert linked.events("delivery.reported", source="report") == []
    assert linked.notices() == []
    linked.submit(mailing="news-2", list_name="news")
    assert failures(linked) == [("news-2", "opted_out")]


def test_a_forged_handle_leaves_nothing(linked: Story) -> None:
    linked.submit(mailing="news")
    handle, address = ways(linked.sent()[0])
    forged = address.replace(handle, f"{handle[:-1]}{'a' if handle[-1] != 'a' else 'b'}")
    assert linked.outcome(linked.mail(to=forged, rcpt_to=[forged])) == "report P7"
    assert linked.events("leave.asked") == []


def test_the_return_path_of_the_same_message_lets_nobody_leave(linked: Story) -> None:
    linked.submit(mailing="news")
    to = linked.sent()[0].mail_from
    assert linked.outcome(linked.mail(to=to, rcpt_to=[to])) == "report P4"
    assert linked.events("leave.asked") == []


def test_twice_is_once(linked: Story) -> None:
    linked.submit(mailing="news")
    (one,) = linked.sent()
    for _ in range(2):
        click(linked, one)
    assert {event["list_name"] for event in linked.events("list.left")} == {"news"}


@pytest.mark.parametrize(
    ("days", "left"),
    [
        pytest.param(31, 1, id="when no report would be booked any more"),
        pytest.param(179, 1, id="after months"),
        pytest.param(190, 0, id="not for ever"),
    ],
)
def test_leave_links_live_longer_than_the_fate(linked: Story, days: int, left: int) -> None:
    linked.submit(mailing="news")
    linked.wait(days=days)
    click(linked, linked.sent()[0])
    assert len(linked.events("list.left")) == left


def test_without_a_base_one_leaves_by_mail_alone(story: Story) -> None:
    story.submit(mailing="news")
    (one,) = story.sent()
    assert re.fullmatch(r"<mailto:bounce\+[a-z2-7]{33}@example\.com\?subject=leave>", one["List-Unsubscribe"])
    assert one["List-Unsubscribe-Post"] == ""


def test_an_app_may_write_its_own_links(linked: Story) -> None:
    own = [{"name": "List-Unsubscribe", "value": "<https://shop.example/u/1>"}]
    linked.submit(mailing="news", headers=own)
    (one,) = linked.sent()
    assert one["List-Unsubscribe"] == "<https://shop.example/u/1>"
    assert one["List-Unsubscribe-Post"] == ""
    assert one.message.get_all("List-Unsubscribe") == ["<https://shop.example/u/1>"]


def test_a_later_attempt_has_the_same_links(linked: Story) -> None:
    linked.smarthost("default", rcpt={EVES: "450 4.2.0 later"}, times=1)
    linked.submit(mailing="news")
    linked.set("mail.links.base", "https://other.example")
    linked.wait(minutes=2)
    one, two = linked.sent()
    assert (one.code, two.code) == (450, 250)
    assert one.message.as_bytes() == two.message.as_bytes()


def test_who_left_while_it_waited_gets_no_further_attempt(linked: Story) -> None:
    linked.smarthost("default", rcpt={EVES: "450 4.2.0 later"}, times=1)
    linked.submit(mailing="news")
    click(linked, linked.sent()[0])
    linked.wait(minutes=2)
    assert len(linked.sent()) == 1
    assert failures(linked) == [("news", "opted_out")]


def test_chatter_has_no_leave_links(linked: Story) -> None:
    linked.apply(contact=[ANNA, EVE])
    thread = linked.thread(linked.mail(EVES))
    linked.post(thread)
    (one,) = linked.sent()
    assert not one["List-Unsubscribe"]
    assert not one["List-Id"]


def test_bulk_mail_of_no_list_has_a_list_of_its_own(linked: Story) -> None:
    linked.submit()
    click(linked, linked.sent()[0])
    linked.submit()
    linked.submit(mailing="news")
    assert failures(linked) == [("", "opted_out")]
    assert [one["List-Id"] for one in linked.sent()] == ["<bulk.example.com>", "<news.example.com>"]
