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


def rename(story: Story, old: str, new: str, record_type: str = "crm.lead") -> None:
    local_part, _, domain = new.partition("@")
    row = {"type": "alias", "local_part": local_part, "domain": domain, "record_type": record_type}
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


@pytest.mark.parametrize(
    ("policy", "warned"), [pytest.param("accept", False, id="accepted"), pytest.param("warn", True, id="warned of")]
)
def test_d9_operators_see_who_still_writes_to_a_former_catchall(
    story: Story, copy: Sent, policy: str, warned: bool
) -> None:
    story.apply(parameters={"mail.former.policy": policy})
    story.set("mail.catchall.alias", "answers")
    mails = {story.mail(to="catchall@example.com"): "refused R8", story.reply(copy): "delivered R3"}
    for mail, outcome in mails.items():
        (settled,) = story.events("message.settled", settled=mail)
        assert f"{settled['outcome']} {settled['rule']}" == outcome
        assert "by the former address catchall@example.com" in settled["why"]
        assert ("write to answers@example.com" in settled["why"]) is warned


def test_r1_a_copy_for_an_alias_that_was_renamed_since_names_no_new_one(story: Story) -> None:
    mail = story.mail()
    rename(story, "sales@example.com", "deals@example.com")
    for to in ("sales@example.com", "deals@example.com"):
        story.mail(to=to, headers={"Message-ID": mail})
    assert story.settled(mail) == ["delivered R9", "duplicate R1", "duplicate R1"]


@pytest.mark.parametrize(
    ("to", "thread"),
    [
        pytest.param("sales@example.com", "crm.lead", id="R3 the thread whose alias it names"),
        pytest.param("help@example.com", "ticket", id="R3 the other one"),
        pytest.param("sales@example.com, help@example.com", "ticket", id="R5 all that the parent took: no forward"),
    ],
)
def test_an_answer_after_the_aliases_were_renamed(story: Story, to: str, thread: str) -> None:
    story.apply(alias=[{"address": "help@example.com", "record_type": "ticket"}])
    opening = story.mail(to="sales@example.com, help@example.com")
    rename(story, "sales@example.com", "deals@example.com")
    rename(story, "help@example.com", "assist@example.com", "ticket")
    answer = story.mail(to=to, headers={"In-Reply-To": opening})
    assert story.settled(answer) == ["delivered R3"]
    assert story.thread(answer) in story.threads(opening)
    assert story.thread(answer).startswith(f"{thread}/")
