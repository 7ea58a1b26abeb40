"""Catchall alone (R8, R11), notices and their answers (R2, L6, L8)."""

from typing import Any

import pytest

from tests.support.scenario import EVE, Story


def stray(story: Story, text: str = "Hello?", **more: Any) -> str:
    return story.mail(to="catchall@example.com", text=text, **more)


def test_catchall_alone_is_refused_with_a_notice(story: Story) -> None:
    mail = stray(story, mail_from="bounces@lists.example")
    assert story.settled(mail) == ["refused R8"]
    (notice,) = story.sent()
    assert notice.mail_from == ""
    assert notice.recipient == "bounces@lists.example"
    assert notice["From"] == "MAILER-DAEMON <bounce@example.com>"
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice["Subject"] == "Re: Pens"
    assert notice["References"].split() == [mail, notice["Message-ID"]]


def test_one_notice_per_addressee_and_reason_and_window(story: Story) -> None:
    stray(story, "one")
    story.wait(minutes=119)
    stray(story, "two")
    assert len(story.notices()) == 1
    story.mail("Carl <carl@example.net>", "catchall@example.com", "three")
    assert len(story.notices()) == 2
    story.wait(minutes=1)
    stray(story, "four")
    assert len(story.notices()) == 3


def test_the_answer_to_a_notice_is_dropped_silently(story: Story) -> None:
    stray(story)
    (notice,) = story.notices()
    answer = story.mail(to="sales@example.com", headers={"In-Reply-To": notice["Message-ID"]})
    assert story.settled(answer) == ["answer_to_notice R2"]


def test_r2_comes_before_everything_but_r1(story: Story) -> None:
    """Who answers a notice answers its From, which is the bounce address."""
    story.mail(to="catchall@example.com")
    (notice,) = story.notices()
    answer = story.reply(notice, by="From")
    assert story.settled(answer) == ["answer_to_notice R2"]
    assert len(story.sent()) == 1
    assert len(story.notices()) == 1


def test_the_same_words_again_are_stopped_before_the_notice(story: Story) -> None:
    stray(story)
    story.wait(minutes=119)
    again = stray(story, "  Hello?\r\n\r\n-- \r\nBob")
    assert story.settled(again) == ["repeated L6"]
    story.wait(minutes=2)
    assert story.outcome(stray(story)) == "refused R8"


def test_a_repeated_answer_to_catchall_is_stopped(story: Story) -> None:
    opening = story.mail()
    headers = {"In-Reply-To": opening}
    assert story.outcome(stray(story, headers=headers)) == "delivered R3"
    assert story.outcome(stray(story, headers=headers)) == "repeated L6"


def test_an_alias_among_the_recipients_decides_instead(story: Story) -> None:
    mail = story.mail(to="catchall@example.com", headers={"Cc": "sales@example.com"})
    assert story.settled(mail) == ["delivered R9"]


def test_catchall_with_strangers_is_refused_by_the_later_rule(story: Story) -> None:
    mail = story.mail(to="catchall@example.com, carl@example.net")
    assert story.settled(mail) == ["refused R11"]
    assert len(story.notices()) == 1


def test_an_address_redirected_to_us_counts_as_catchall(story: Story) -> None:
    redirected = {"name": "example.com", "default": True, "redirects": ["office@gmail.com"]}
    story.apply(domain=[redirected])
    assert story.outcome(story.mail(to="office@gmail.com")) == "refused R8"


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        pytest.param({"Auto-Submitted": "auto-generated"}, {}, id="automatic mail"),
        pytest.param({"Precedence": "bulk"}, {}, id="bulk"),
        pytest.param({"List-Id": "<l.example.org>"}, {}, id="a list"),
        pytest.param({"X-Auto-Response-Suppress": "All"}, {}, id="who asks for none"),
        pytest.param({}, {"mail_from": ""}, id="null reverse-path"),
        pytest.param({"Return-Path": "<>"}, {}, id="null Return-Path"),
        pytest.param({}, {"mail_from": "sales@example.com"}, id="our own address"),
        pytest.param({"From": ""}, {}, id="nobody to tell"),
    ],
)
def test_nobody_is_told(story: Story, headers: dict[str, str], line: dict[str, str]) -> None:
    mail = stray(story, headers=headers, **line)
    assert story.settled(mail) == ["refused R8"]
    assert story.sent() == []


def test_a_notice_that_fails_marks_nothing(story: Story) -> None:
    story.apply(contact=[EVE])
    story.smarthost("default", rcpt={"*": "550 5.1.1 no such user"})
    stray(story)
    assert story.sent()[0].code == 550
    assert story.events("notification.failed") == []
