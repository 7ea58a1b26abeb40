"""Aliases that always post to one thread; threads that take no more posts (D2, R4); records that apps reject (R14)."""

import pytest

from tests.support.scenario import ANNA, EVE, Story

BOUND = {"address": "board@example.com", "record_type": "board.room", "thread": "board.room/1"}
ROOM = "board.room/1"


def test_a_bound_alias_posts_to_its_thread(story: Story) -> None:
    story.apply(contact=[ANNA], alias=[BOUND])
    story.event("thread.opened", thread=ROOM, title="Board", followers=[{"contact": "anna"}])
    mail = story.mail(to="board@example.com")
    assert story.outcome(mail) == "delivered R9"
    assert story.threads(mail) == [ROOM]
    assert [copy.recipient for copy in story.sent()] == ["anna@example.com"]
    assert story.events("record.requested") == []


def test_a_bound_alias_posts_to_a_thread_not_heard_of_yet(story: Story) -> None:
    story.apply(alias=[BOUND])
    assert story.threads(story.mail(to="board@example.com")) == [ROOM]


def test_a_bound_alias_whose_thread_is_closed_opens_a_record(story: Story) -> None:
    story.apply(alias=[BOUND])
    story.event("thread.closed", thread=ROOM)
    mail = story.mail(to="board@example.com")
    assert story.outcome(mail) == "delivered R9"
    assert story.thread(mail).startswith("board.room/")
    assert story.thread(mail) != ROOM


def test_posts_through_a_bound_alias_count_by_author_and_thread(story: Story) -> None:
    story.apply(alias=[BOUND], parameters={"mail.gateway.loop.threshold": 2})
    outcomes = [story.outcome(story.mail(to="board@example.com", text=str(n))) for n in range(3)]
    assert outcomes == ["delivered R9", "delivered R9", "held L3"]


def test_an_answer_to_a_closed_thread_opens_a_record_of_its_type_without_parent(story: Story) -> None:
    opening = story.mail()
    story.event("thread.closed", thread=story.thread(opening), reason="deleted")
    answer = story.mail(to="catchall@example.com", headers={"In-Reply-To": opening})
    assert story.outcome(answer) == "delivered R4"
    assert story.thread(answer).startswith("crm.lead/")
    assert story.threads(answer) != story.threads(opening)
    assert not story.events("record.requested")[-1]["post"]["parent"]


@pytest.mark.parametrize("renamed", [False, True], ids=["as it is", "renamed since"])
def test_r4_a_closed_thread_is_opened_anew_by_the_alias_it_came_by(story: Story, renamed: bool) -> None:
    """An alias that nobody addressed, older or first by name, must not refuse by its own policy."""
    story.apply(alias=[{"address": "aaa@example.com", "record_type": "crm.lead", "policy": "contacts"}])
    opening = story.mail()
    story.event("thread.closed", thread=story.thread(opening))
    if renamed:
        row = {"type": "alias", "local_part": "deals", "domain": "example.com", "record_type": "crm.lead"}
        story.event("row.proposed", row=row, remove="alias/sales@example.com")
    answer = story.mail(to="catchall@example.com", headers={"In-Reply-To": opening})
    assert story.settled(answer) == ["delivered R4"]
    opener = "deals@example.com" if renamed else "sales@example.com"
    assert story.events("record.requested")[-1]["alias"] == opener


def test_r4_an_answer_to_the_closed_thread_of_a_bound_alias_opens_a_record_by_it(story: Story) -> None:
    story.apply(alias=[BOUND])
    own = story.post(ROOM)
    story.event("thread.closed", thread=ROOM)
    answer = story.mail(to="catchall@example.com", headers={"In-Reply-To": own})
    assert story.outcome(answer) == "delivered R4"
    assert story.events("record.requested")[-1]["alias"] == "board@example.com"


def test_an_answer_to_a_closed_thread_whose_type_nothing_opens_is_no_reply(story: Story) -> None:
    story.event("thread.opened", thread="crm.campaign/3")
    own = story.post("crm.campaign/3")
    story.event("thread.closed", thread="crm.campaign/3")
    answer = story.mail(to="catchall@example.com", headers={"In-Reply-To": own})
    assert story.outcome(answer) == "refused R8"


@pytest.fixture
def rejected(story: Story) -> str:
    story.apply(contact=[EVE])
    mail = story.mail("Eve <eve@customer.example>")
    story.event("record.rejected", thread=story.thread(mail), reason="field 'phone' is missing")
    return mail


def test_the_sender_of_a_rejected_record_is_told_in_neutral_words(story: Story, rejected: str) -> None:
    (notice,) = story.notices()
    assert notice.recipient == "eve@customer.example"
    assert notice["References"].split()[0] == rejected
    assert "phone" not in notice.words
    assert story.settled(rejected) == ["delivered R9"]


def test_the_alias_of_a_rejected_record_is_flagged_until_it_opens_one(story: Story, rejected: str) -> None:
    assert story.state(alias="sales@example.com")["state"]["invalid"] is True
    story.mail()
    assert story.state(alias="sales@example.com")["state"]["invalid"] is False


def test_an_answer_to_a_rejected_record_opens_another(story: Story, rejected: str) -> None:
    answer = story.mail("eve@customer.example", headers={"In-Reply-To": rejected})
    assert story.outcome(answer) == "delivered R4"


def test_nobody_is_told_of_a_rejected_record_that_automatic_mail_opened(story: Story) -> None:
    mail = story.mail(headers={"Auto-Submitted": "auto-generated"})
    story.event("record.rejected", thread=story.thread(mail))
    assert story.sent() == []


@pytest.mark.parametrize("headers", [{"X-Auto-Response-Suppress": "All"}, {"Precedence": "bulk"}])
def test_who_asks_for_no_notices_gets_none_of_a_rejected_record(story: Story, headers: dict[str, str]) -> None:
    mail = story.mail(headers=headers)
    story.event("record.rejected", thread=story.thread(mail))
    assert story.sent() == []


def test_the_notice_of_a_rejected_record_goes_to_the_reverse_path(story: Story) -> None:
    mail = story.mail(mail_from="owner@lists.example")
    story.event("record.rejected", thread=story.thread(mail))
    assert story.notices()[0].recipient == "owner@lists.example"
