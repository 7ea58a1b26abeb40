"""Who is told of a post and how (F1-F6, R15)."""

from tests.support.scenario import ANNA, EVE, IVAN, Story

OTHERS = [
    {"id": "gone", "address": "gone@customer.example", "active": False},
    {"id": "mute", "address": "mute@customer.example"},
    {"id": "ours", "address": "sales@example.com"},
    {"id": "none", "addresses": []},
    {"id": "to", "addresses": ["other@customer.example", "to@customer.example"]},
]


def test_the_plan_names_every_reason(story: Story) -> None:
    story.apply(contact=[ANNA, EVE, IVAN, *OTHERS], parameters={"mail.blacklist.chatter": True})
    story.event("address.barred", address="mute@customer.example")
    opening = story.mail("Eve <eve@customer.example>")
    thread = story.thread(opening)
    story.follow(thread, "anna", "ivan", "gone", "mute", "ours", "none", "to")
    story.mail(
        "eve@customer.example", "catchall@example.com", headers={"In-Reply-To": opening, "Cc": "TO@customer.example"}
    )

    assert story.plan(thread) == {
        "eve": "none author",
        "anna": "mail follows",
        "ivan": "in_app in_app",
        "gone": "none archived",
        "mute": "none suppressed",
        "ours": "none own_address",
        "none": "none no_address",
        "to": "none already_addressed",
    }
    assert [copy.recipient for copy in story.sent()] == ["anna@example.com"]


def test_a_post_reaches_those_addressed_by_name(story: Story) -> None:
    story.apply(contact=[ANNA, EVE])
    thread = story.thread(story.mail())
    story.post(thread, notify=[{"contact": "eve"}])
    assert story.plan(thread) == {"eve": "mail addressed"}


def test_copies_share_one_signed_id_and_have_their_own_return_path(story: Story) -> None:
    story.apply(contact=[ANNA, EVE])
    opening = story.mail()
    thread = story.thread(opening)
    story.follow(thread, "anna", "eve")
    answer = story.mail(to="catchall@example.com", headers={"In-Reply-To": opening})
    one, two = story.sent()
    assert one["Message-ID"] == two["Message-ID"] != answer
    assert one["References"].split()[-3:] == [opening, answer, one["Message-ID"]]
    assert one["In-Reply-To"] == opening
    assert one["X-Postroad-Thread"] == thread
    assert one["Subject"] == "Pens"
    assert not one["Auto-Submitted"]
    assert one["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert one.mail_from != two.mail_from
    assert one.mail_from.startswith("bounce+")
    assert one.mail_from.endswith("@example.com")


def test_the_same_post_again_is_told_once(story: Story) -> None:
    story.apply(contact=[ANNA, EVE])
    thread = story.thread(story.mail("eve@customer.example"))
    one = story.post(thread, post_id="post-1")
    two = story.post(thread, post_id="post-1")
    assert one == two
    assert len(story.sent()) == 1


def test_an_answer_of_a_contact_makes_him_follow_and_of_a_stranger_not(story: Story) -> None:
    story.apply(contact=[ANNA, EVE])
    opening = story.mail()
    thread = story.thread(opening)
    story.mail("eve@customer.example", "catchall@example.com", headers={"In-Reply-To": opening})
    story.mail("carl@example.net", "catchall@example.com", headers={"In-Reply-To": opening})
    story.post(thread)
    assert story.plan(thread) == {"eve": "mail follows"}


def test_a_contact_is_shown_as_the_follower_then_the_internal_then_the_oldest(story: Story) -> None:
    twin = {"address": "eve@customer.example"}
    contacts = [
        {"id": "third", **twin, "created_at": "2025-01-03T00:00:00Z"},
        {"id": "first", **twin, "created_at": "2025-01-01T00:00:00Z"},
    ]
    story.apply(contact=contacts)
    opening = story.mail("eve@customer.example")
    assert story.events("record.requested")[-1]["post"]["author"]["contact"] == "first"
    story.apply(contact=[{"id": "staff", **twin, "kind": "internal", "created_at": "2025-01-04T00:00:00Z"}])
    story.mail("eve@customer.example")
    assert story.events("record.requested")[-1]["post"]["author"]["contact"] == "staff"
    thread = story.thread(opening)
    story.event("thread.unfollowed", thread=thread, followers=[{"contact": "first"}])
    story.follow(thread, "third")
    story.mail("eve@customer.example", "catchall@example.com", headers={"In-Reply-To": opening})
    assert story.events("chatter.posted")[-1]["post"]["author"]["contact"] == "third"


def test_one_of_our_own_addresses_is_never_author_or_follower(story: Story) -> None:
    story.apply(contact=[{"id": "box", "address": "notifications@example.com", "name": "Box"}])
    story.mail("Box <notifications@example.com>")
    (record,) = story.events("record.requested")
    assert not record["post"]["author"]["contact"]
    assert not record["post"]["author"]["address"]
    assert not record["followers"]


def test_a_large_thread_is_told_in_steps_each_follower_once(story: Story) -> None:
    story.apply(contact=[ANNA], parameters={"mail.daily.limit": 0})
    thread = story.thread(story.mail())
    crowd = [f"member{number:04}@crowd.example" for number in range(501)]
    story.event("thread.followed", thread=thread, followers=[{"address": address} for address in crowd])
    message_id = story.post(thread)
    assert sorted(copy.recipient for copy in story.sent()) == crowd
    assert {copy["Message-ID"] for copy in story.sent()} == {message_id}
    assert len({copy.mail_from for copy in story.sent()}) == 501
    plans = story.events("notification.planned", thread=thread)
    assert [len(plan["followers"]) for plan in plans if plan["message_id"] == message_id] == [500, 1]
