"""What servers answer (O8-O10), and the daily limit (O5)."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from tests.support.scenario import ANNA, EVE, Story


@pytest.fixture
def thread(story: Story) -> str:
    story.apply(contact=[ANNA, EVE, {"id": "carl", "address": "carl@example.net"}])
    found = story.thread(story.mail("eve@customer.example"))
    story.follow(found, "carl")
    return found


def test_a_temporary_failure_is_tried_again_and_is_no_failure(story: Story, thread: str) -> None:
    story.smarthost("default", rcpt={"eve@customer.example": "450 4.2.0 greylisted"}, times=3)  # one of them is Carl's
    story.post(thread)
    assert [one.code for one in story.sent("carl@example.net")] == [250]
    assert story.events("notification.delayed")[0]["status"] == "4.2.0"
    story.wait(hours=1)
    copies = story.sent("eve@customer.example")
    assert [(one.attempt, one.code) for one in copies] == [(1, 450), (2, 450), (3, 250)]
    assert len({one["Message-ID"] for one in copies}) == 1
    assert story.events("notification.failed") == []
    assert len(story.events("notification.sent", recipient="eve@customer.example")) == 1


def test_the_times_of_the_attempts(story: Story, thread: str) -> None:
    story.smarthost("default", rcpt={"eve@customer.example": "451 later"})
    story.post(thread)
    story.wait(days=6)
    reports = story.events("delivery.reported", recipient="eve@customer.example")
    times = [datetime.fromisoformat(report["occurred_at"]) for report in reports]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    minutes = [1, 5, 15, 60, 240, 480]
    for gap, least in zip(gaps, [*minutes, *[480] * len(gaps)], strict=False):
        assert timedelta(minutes=least) <= gap <= timedelta(minutes=least) * 1.11
    assert times[-1] - times[0] <= timedelta(days=5)
    assert times[-1] - times[0] > timedelta(days=4, hours=12)
    assert [report["action"] for report in reports][-2:] == ["delayed", "failed"]
    (failed,) = story.events("notification.failed")
    assert (failed["failure"], failed["expired"]) == ("refused", True)
    assert "451 later" in failed["diagnostic"]
    assert failed["author"] == "anna"


def test_a_permanent_failure_is_a_red_envelope_for_the_author_at_once(story: Story, thread: str) -> None:
    story.smarthost("default", rcpt={"eve@customer.example": "550 5.1.1 no such user"})
    story.post(thread)
    (failed,) = story.events("notification.failed")
    assert (failed["recipient"], failed["author"], failed["thread"]) == ("eve@customer.example", "anna", thread)
    assert (failed["failure"], failed["status"]) == ("refused", "5.1.1")
    assert "no such user" in failed["diagnostic"]
    assert len(story.events("notification.sent", recipient="carl@example.net")) == 1
    story.wait(days=1)
    assert len(story.sent("eve@customer.example")) == 1


@pytest.mark.parametrize("at", ["connect", "tls", "auth"])
def test_connection_and_tls_trouble_is_tried_again(story: Story, thread: str, at: str) -> None:
    credentials = {"username": "postroad", "secret": "env:RELAY"}
    server = {"name": "relay", "host": "relay.example", "security": "starttls", "credentials": credentials}
    story.apply(smarthost=[server])
    story.smarthost("relay", **{at: "refused" if at == "connect" else "drop"}, times=2)
    story.post(thread)
    assert story.events("notification.sent") == []
    story.wait(minutes=2)
    assert len(story.events("notification.sent")) == 2
    assert story.events("notification.failed") == []


def test_lost_before_the_250_is_sent_again_under_the_same_id(story: Story, thread: str) -> None:
    story.smarthost("default", drop="before 250", times=1)
    story.submit(stream="chatter")
    story.wait(minutes=2)
    one, two = story.sent("eve@customer.example")
    assert one["Message-ID"] == two["Message-ID"]
    assert (one.code, two.code) == (0, 250)


def test_lost_after_the_250_is_sent(story: Story, thread: str) -> None:
    story.smarthost("default", drop="after 250", times=1)
    story.submit(stream="chatter")
    story.wait(days=1)
    assert [one.code for one in story.sent("eve@customer.example")] == [250]
    assert len(story.events("notification.sent", recipient="eve@customer.example")) == 1


def test_the_same_submission_again_is_not_sent_again(story: Story) -> None:
    story.submit(event_id="sub-1", message_id="<s@example.com>")
    story.submit(event_id="sub-1", message_id="<s@example.com>")
    assert len(story.sent()) == 1


def test_a_non_ascii_local_part_needs_smtputf8(story: Story) -> None:
    story.smarthost("default", ehlo=["8BITMIME"])
    story.submit("jörg@customer.example", stream="chatter")
    story.submit(stream="chatter")
    assert [event["failure"] for event in story.events("notification.failed")] == ["smtputf8_needed"]
    assert [one.code for one in story.sent("eve@customer.example")] == [250]


@pytest.mark.parametrize(
    ("recipient", "failure"),
    [("", "address_missing"), ("eve at customer", "address_invalid"), ("@x", "address_invalid")],
)
def test_an_address_that_is_none(story: Story, recipient: str, failure: str) -> None:
    story.submit(recipient, stream="chatter")
    assert [event["failure"] for event in story.events("notification.failed")] == [failure]
    assert story.sent() == []


def test_what_is_over_the_daily_limit_waits_for_the_next_utc_day(story: Story) -> None:
    story.at("2026-01-01T23:00:00")
    story.set("mail.daily.limit", 2)
    for _ in range(5):
        story.submit(stream="chatter")
    assert len(story.sent()) == 2
    assert [event["status"] for event in story.events("notification.delayed")] == ["4.7.0"] * 3
    story.at("2026-01-01T23:59:59")
    assert len(story.sent()) == 2
    story.at("2026-01-02T00:00:00")
    assert len(story.sent()) == 4
    story.at("2026-01-12T00:00:00")
    assert len(story.sent()) == 5
    assert story.events("notification.failed") == []


def test_a_retry_is_free(story: Story) -> None:
    story.set("mail.daily.limit", 2)
    story.smarthost("default", data="421 4.3.2 busy", times=1)
    story.submit(stream="chatter")
    story.submit(stream="chatter")
    story.wait(minutes=2)
    assert [one.code for one in story.sent()] == [421, 250, 250]


def test_any_server_may_have_a_limit_of_its_own(story: Story) -> None:
    story.apply(smarthost=[{"name": "small", "host": "s.example", "daily_limit": 1}])
    for _ in range(2):
        story.submit(stream="chatter")
    assert len(story.sent()) == 1
    story.at("2026-01-02T00:00:00")
    assert len(story.sent()) == 2


def test_without_servers_of_its_own_the_limit_is_200(story: Story) -> None:
    for number in range(201):
        story.submit(f"{number}@example.net", stream="chatter")
    assert len(story.sent()) == 200
