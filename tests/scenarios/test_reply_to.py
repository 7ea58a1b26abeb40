"""Where answers are sent to (F4)."""

import pytest

from tests.support.scenario import ANNA, EVE, Story

SALES = {"address": "sales@example.com", "record_type": "crm.lead"}
TEAM = {"address": "team@example.com", "record_type": "crm.lead", "owner_thread": "crm.team/1"}
BOUND = {"address": "pens@example.com", "record_type": "crm.lead", "thread": "crm.lead/1"}


def reply_to(story: Story, **opened: str) -> str:
    story.apply(contact=[ANNA, EVE])
    story.event("thread.opened", thread="crm.lead/1", followers=[{"contact": "eve"}], **opened)
    story.post("crm.lead/1")
    (copy,) = story.sent()
    return copy["Reply-To"]


@pytest.mark.parametrize(
    ("aliases", "opened", "local_part"),
    [
        pytest.param([BOUND, TEAM], {"owner_thread": "crm.team/1"}, "pens", id="the alias bound to the thread"),
        pytest.param([TEAM], {"owner_thread": "crm.team/1"}, "team", id="the alias of its team"),
        pytest.param([TEAM], {"owner_thread": "crm.team/2"}, "catchall", id="not that of another team"),
        pytest.param([SALES], {}, "catchall", id="catchall"),
    ],
)
def test_which_address(story: Story, aliases: list[dict[str, str]], opened: dict[str, str], local_part: str) -> None:
    story.apply(alias=aliases)
    written = reply_to(story, **opened)
    local, _, token = written.partition("<")[2].partition("@")[0].partition("+")
    assert local == local_part
    assert len(token) == 16


def test_any_alias_of_the_type_before_catchall_if_so_set(story: Story) -> None:
    story.set("mail.reply_to.any_alias", True)
    assert "<sales+" in reply_to(story)


def test_the_records_company_has_its_own_catchall(story: Story) -> None:
    story.apply(domain=[{"name": "second.example", "company": "Second"}])
    assert "@second.example>" in reply_to(story, domain="second.example")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        pytest.param("Pens", "Example Pens", id="company and record"),
        pytest.param("P" * 35, "Example " + "P" * 35, id="68 characters without the token"),
        pytest.param("P" * 36, "P" * 36, id="over 68 characters: the record alone"),
        pytest.param("P" * 43, "P" * 43, id="the record alone, 68 characters"),
        pytest.param("P" * 44, "", id="still over: the bare address"),
    ],
)
def test_how_it_is_shown(story: Story, title: str, shown: str) -> None:
    """Counted are `"name" <catchall@example.com>`, quotes included."""
    name, bracket, _ = reply_to(story, title=title).partition("<")
    assert (name.strip(' "') if bracket else "") == shown
