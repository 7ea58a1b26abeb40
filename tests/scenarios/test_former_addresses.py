"""Addresses that were renamed live on (D9)."""

from typing import Any

import pytest

from tests.support.scenario import ANNA, EVE, Sent, Story


@pytest.fixture
def copy(story: Story) -> Sent:
    story.apply(contact=[ANNA, EVE])
    story.post(story.thread(story.mail("eve@customer.example")))
    return story.sent("eve@customer.example")[0]


@pytest.mark.parametrize(
    "renamed",
    [
        pytest.param({"mail.catchall.alias": "answers"}, id="the catchall"),
        pytest.param({"mail.catchall.domain": "new.example"}, id="the domain"),
    ],
)
def test_an_answer_to_a_former_catchall_finds_its_thread(story: Story, copy: Sent, renamed: dict[str, str]) -> None:
    story.apply(parameters=renamed)
    answer = story.reply(copy, door="smtp", mail_from="eve@customer.example", rcpt_to=[address(copy)])
    assert story.outcome(answer) == "delivered R3"
    assert story.thread(answer) == copy["X-Postroad-Thread"]


def address(copy: Sent) -> str:
    return str(copy.message["Reply-To"].addresses[0].addr_spec)


def test_a_former_bounce_address_still_takes_reports(story: Story, copy: Sent) -> None:
    story.set("mail.bounce.alias", "returns")
    mail = story.mail("eve@customer.example", copy.mail_from, rcpt_to=[copy.mail_from])
    assert story.outcome(mail).startswith("report ")


def rename(story: Story, old: str, new: str) -> None:
    local_part, _, domain = new.partition("@")
    row = {"type": "alias", "local_part": local_part, "domain": domain, "record_type": "crm.lead"}
    story.event("row.proposed", row=row, remove=f"alias/{old}")


def test_a_former_alias_opens_records_as_the_one_that_took_its_place(story: Story) -> None:
    rename(story, "sales@example.com", "deals@example.com")
    mail = story.mail(to="sales@example.com", door="smtp", rcpt_to=["sales@example.com"])
    assert story.outcome(mail) == "delivered R9"
    assert story.events("record.requested")[-1]["alias"] == "deals@example.com"
    assert story.events("former")[-1]["now"] == "deals@example.com"


def test_refused_if_so_set(story: Story) -> None:
    story.set("mail.former.policy", "refuse")
    rename(story, "sales@example.com", "deals@example.com")
    answers = story.raw(
        "From: a@b.example\r\nTo: sales@example.com\r\n\r\n", door="smtp", rcpt_to=["sales@example.com"]
    )
    (answer,) = (found["answer"] for found in answers if "answer" in found)
    assert answer["code"] == 550
    assert "deals@example.com" in answer["text"]


def test_a_living_address_beats_a_former_one(story: Story) -> None:
    rename(story, "sales@example.com", "deals@example.com")
    story.apply(alias=[{"address": "sales@example.com", "record_type": "sale.order"}])
    assert story.thread(story.mail()).startswith("sale.order/")
    rows: dict[str, Any] = {a["key"]: a["event"] for a in story.answers if a.get("topic") == "directory"}
    assert rows["former/sales@example.com"] is None
