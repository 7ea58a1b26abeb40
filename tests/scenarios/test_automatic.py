"""Automatic mail (L7): answers by machine open no record, and nobody outside hears of either kind."""

import pytest

from tests.support.scenario import ANNA, EVE, Story

BY_MACHINE = [
    pytest.param({"Auto-Submitted": "auto-replied"}, {}, id="Auto-Submitted: auto-replied"),
    pytest.param({"Auto-Submitted": "auto-replied (vacation); owner-email=x"}, {}, id="with parameters"),
    pytest.param({"X-Autoreply": "yes"}, {}, id="X-Autoreply"),
    pytest.param({"Precedence": "auto_reply"}, {}, id="Precedence: auto_reply"),
    pytest.param({}, {"mail_from": ""}, id="null reverse-path"),
    pytest.param({"Return-Path": "<>"}, {}, id="null Return-Path, at a door without envelope"),
]
LIKE_ANY = [
    pytest.param({"Auto-Submitted": "auto-generated"}, {}, id="auto-generated"),
    pytest.param({"Auto-Submitted": "auto-notified"}, {}, id="auto-notified"),
    pytest.param({"Precedence": "bulk"}, {}, id="bulk"),
    pytest.param({"List-Id": "<news.example.org>"}, {}, id="a list"),
    pytest.param({"Auto-Submitted": "no"}, {}, id="Auto-Submitted: no is no sign"),
    pytest.param({"X-Auto-Response-Suppress": "All"}, {}, id="X-Auto-Response-Suppress only forbids notices"),
    pytest.param({"Return-Path": "<>"}, {"mail_from": "bob@example.org"}, id="the envelope is believed first"),
]


@pytest.mark.parametrize(("headers", "line"), BY_MACHINE)
def test_an_answer_by_machine_opens_no_record(story: Story, headers: dict[str, str], line: dict[str, str]) -> None:
    mail = story.mail(headers=headers, **line)
    assert story.settled(mail) == ["held L7"]
    assert story.sent() == []


@pytest.mark.parametrize(("headers", "line"), LIKE_ANY)
def test_what_opens_records_like_any_mail(story: Story, headers: dict[str, str], line: dict[str, str]) -> None:
    assert story.settled(story.mail(headers=headers, **line)) == ["delivered R9"]


def test_the_setting_lets_answers_by_machine_open_records(story: Story) -> None:
    story.set("mail.gateway.automatic", "allow")
    assert story.settled(story.mail(headers={"Auto-Submitted": "auto-replied"})) == ["delivered R9"]


@pytest.mark.parametrize("sign", ["auto-replied", "auto-generated"])
def test_on_a_known_thread_it_is_posted_but_mailed_to_nobody_outside(story: Story, sign: str) -> None:
    story.apply(contact=[ANNA, EVE])
    opening = story.mail()
    thread = story.thread(opening)
    story.follow(thread, "anna", "eve")
    mail = story.mail(to="catchall@example.com", headers={"In-Reply-To": opening, "Auto-Submitted": sign})

    assert story.settled(mail) == ["delivered R3"]
    assert story.plan(thread) == {"anna": "mail follows", "eve": "none automatic"}
    assert [copy.recipient for copy in story.sent()] == ["anna@example.com"]
