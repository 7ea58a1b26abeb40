"""Who may write to an alias (R12)."""

from tests.support.scenario import ANNA, EVE, Story

HELP = {"address": "help@example.com", "record_type": "helpdesk.ticket"}
TEAM = "crm.team/1"


def test_contacts_only(story: Story) -> None:
    story.apply(contact=[EVE, {**ANNA, "active": False}], alias=[{**HELP, "policy": "contacts"}])
    assert story.outcome(story.mail("eve@CUSTOMER.example", "help@example.com")) == "delivered R9"
    assert story.outcome(story.mail("anna@example.com", "help@example.com")) == "refused R12"
    assert story.outcome(story.mail(to="help@example.com")) == "refused R12"
    assert {notice.recipient for notice in story.notices()} == {"anna@example.com", "bob@example.org"}


def test_the_notice_has_the_aliass_own_text(story: Story) -> None:
    story.apply(alias=[{**HELP, "policy": "contacts", "refusal_text": "Please register first."}])
    story.mail(to="help@example.com")
    assert "Please register first." in story.notices()[0].words


def test_followers_of_the_aliass_owner_thread(story: Story) -> None:
    story.apply(contact=[EVE, ANNA], alias=[{**HELP, "policy": "followers", "owner_thread": TEAM}])
    story.event("thread.opened", thread=TEAM, title="Helpers")
    assert story.outcome(story.mail("eve@customer.example", "help@example.com")) == "refused R12"
    story.follow(TEAM, "eve")
    assert story.outcome(story.mail("eve@customer.example", "help@example.com")) == "delivered R9"
    story.event("thread.unfollowed", thread=TEAM, followers=[{"contact": "eve"}])
    assert story.outcome(story.mail("eve@customer.example", "help@example.com")) == "refused R12"


def test_followers_of_the_thread_that_an_alias_posts_to(story: Story) -> None:
    bound = {"address": "board@example.com", "thread": "board.room/1", "policy": "followers"}
    story.apply(contact=[EVE], alias=[bound])
    story.event("thread.opened", thread="board.room/1", title="Board")
    assert story.outcome(story.mail("eve@customer.example", "board@example.com")) == "refused R12"
    story.follow("board.room/1", "eve")
    assert story.outcome(story.mail("eve@customer.example", "board@example.com")) == "delivered R9"


def test_followers_without_any_thread_is_misconfigured_and_flags_the_alias(story: Story) -> None:
    story.apply(alias=[{**HELP, "policy": "followers", "refusal_text": "Go away."}])
    mail = story.mail(to="help@example.com")
    assert story.outcome(mail) == "refused R12"
    assert "Go away." not in story.notices()[0].words
    assert story.state(alias="help@example.com")["state"]["invalid"] is True

    story.apply(alias=[HELP])
    assert story.outcome(story.mail(to="help@example.com")) == "delivered R9"
    assert story.state(alias="help@example.com")["state"]["invalid"] is False


def test_other_routes_go_on_and_one_notice_names_all_refused_ones(story: Story) -> None:
    closed = [
        {**HELP, "policy": "contacts"},
        {"address": "vip@example.com", "record_type": "vip", "policy": "contacts"},
    ]
    story.apply(alias=closed)
    mail = story.mail(to="sales@example.com, help@example.com, vip@example.com")
    assert story.outcome(mail) == "delivered R9"
    assert [thread.partition("/")[0] for thread in story.threads(mail)] == ["crm.lead"]
    (notice,) = story.notices()
    assert "help@example.com" in notice.words
    assert "vip@example.com" in notice.words


def test_the_author_never_selects_an_alias(story: Story) -> None:
    mail = story.mail("sales@example.com", "nobody@example.com")
    assert story.outcome(mail) == "held R11"
