"""Notes stay notes (R7, F1)."""

import pytest

from tests.support.scenario import ANNA, EVE, IVAN, Sent, Story

OTTO = {"id": "otto", "address": "otto@example.com", "name": "Otto", "kind": "internal"}


@pytest.fixture
def note(story: Story) -> Sent:
    """Anna's note on a lead that Eve opened; Otto follows it, and got the copy."""
    story.apply(contact=[EVE, ANNA, OTTO, IVAN])
    opening = story.mail("Eve <eve@customer.example>")
    story.follow(story.thread(opening), "anna", "otto", "ivan")
    story.post(story.thread(opening), "She haggles.", kind="note")
    (copy,) = story.sent()
    return copy


def test_a_note_reaches_internal_followers_alone(story: Story, note: Sent) -> None:
    thread = note["X-Postroad-Thread"]
    assert note.recipient == "otto@example.com"
    assert story.plan(thread) == {
        "anna": "none author", "eve": "none note", "otto": "mail follows", "ivan": "in_app in_app"
    }  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="as a mail program answers"),
        pytest.param({"References": ""}, id="In-Reply-To alone"),
        pytest.param({"In-Reply-To": ""}, id="References alone"),
    ],
)
def test_an_answer_to_a_note_is_a_note_and_its_author_is_told(
    story: Story, note: Sent, headers: dict[str, str]
) -> None:
    thread = note["X-Postroad-Thread"]
    answer = story.reply(note, "She does.", headers=headers)
    assert story.outcome(answer) == "delivered R3"
    assert story.events("chatter.posted", thread=thread)[-1]["post"]["kind"] == "note"
    assert story.plan(thread)["eve"] == "none note"
    assert [copy.recipient for copy in story.sent() if copy.words == "She does."] == ["anna@example.com"]


def test_the_author_is_told_even_if_he_follows_no_more(story: Story, note: Sent) -> None:
    thread = note["X-Postroad-Thread"]
    story.event("thread.unfollowed", thread=thread, followers=[{"contact": "anna"}])
    story.reply(note, "She does.")
    assert story.plan(thread)["anna"] == "mail addressed"


def test_an_answer_to_a_comment_that_names_a_note_too_is_a_comment(story: Story, note: Sent) -> None:
    story.wait(minutes=1)
    story.post(note["X-Postroad-Thread"], "We do.")
    comment = story.sent("otto@example.com")[-1]
    assert note["Message-ID"] in comment["References"]
    story.reply(comment, "Right.")
    assert story.events("chatter.posted", thread=note["X-Postroad-Thread"])[-1]["post"]["kind"] == "comment"


@pytest.mark.parametrize("number", range(6))
def test_r3_of_two_settled_at_the_same_moment_the_last_one_named_is_answered(story: Story, number: int) -> None:
    story.apply(contact=[ANNA, EVE])
    thread = story.thread(story.mail("eve@customer.example", subject=str(number)))
    story.post(thread, "She haggles.", kind="note")
    story.post(thread, "We do.")
    story.reply(story.sent("eve@customer.example")[-1])
    assert story.events("chatter.posted", thread=thread)[-1]["post"]["kind"] == "comment"


def test_f5_in_reply_to_of_a_comment_names_no_note(story: Story, note: Sent) -> None:
    """Public ancestors preferred: who is outside never saw the note."""
    thread = note["X-Postroad-Thread"]
    story.post(thread, "We do.")
    first = story.sent("eve@customer.example")[-1]
    assert first["In-Reply-To"] not in ("", note["Message-ID"])
    another = story.post(thread, "She haggles again.", kind="note")
    story.post(thread, "We still do.", in_reply_to=another)
    assert story.sent("eve@customer.example")[-1]["In-Reply-To"] == first["Message-ID"]
    story.post(thread, "And again.", kind="note")
    assert story.sent("otto@example.com")[-1]["In-Reply-To"] == story.sent("eve@customer.example")[-1]["Message-ID"]


def test_an_answer_to_an_acknowledgement_is_a_comment(story: Story, note: Sent) -> None:
    thread = note["X-Postroad-Thread"]
    story.post(thread, "Thank you.", acknowledgement=True, kind="note", notify=[{"contact": "eve"}])
    acknowledgement = story.sent("eve@customer.example")[-1]
    assert acknowledgement["Auto-Submitted"] == "auto-generated"
    story.reply(acknowledgement, "You are welcome.")
    assert story.events("chatter.posted", thread=thread)[-1]["post"]["kind"] == "comment"
