"""An answer finds its thread (R3, R7), by handle, by our id, by a foreign id."""

import pytest

from tests.support.scenario import ANNA, EVE, Story


@pytest.fixture
def thread(story: Story) -> str:
    """A lead that Eve opened, which Anna and Eve follow."""
    story.apply(contact=[EVE, ANNA])
    opened = story.thread(
        story.mail("Eve <eve@customer.example>", headers={"Message-ID": "<opening@customer.example>"})
    )
    story.follow(opened, "anna")
    return opened


def test_an_answer_to_the_reply_address(story: Story, thread: str) -> None:
    story.post(thread)
    (copy,) = story.sent("eve@customer.example")
    answer = story.reply(copy, headers={"References": "", "In-Reply-To": ""})

    assert story.settled(answer) == ["delivered R3"]
    assert story.thread(answer) == thread
    assert story.plan(thread) == {"anna": "mail follows", "eve": "none author"}


def test_a_handle_with_one_letter_changed_proves_nothing(story: Story, thread: str) -> None:
    story.post(thread)
    local, _, domain = story.sent("eve@customer.example")[0].message["Reply-To"].addresses[0].addr_spec.partition("@")
    forged = f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}"
    assert story.outcome(story.mail(to=forged)) == "refused R8"


def test_our_own_id_alone_finds_the_thread_without_any_known_recipient(story: Story, thread: str) -> None:
    own = story.post(thread)
    answer = story.mail(
        to="someone@elsewhere.example", headers={"References": own.upper().replace("EXAMPLE.COM", "Example.com")}
    )
    assert story.settled(answer) == ["delivered R3"]
    assert story.thread(answer) == thread


def test_our_id_with_another_signature_proves_nothing(story: Story, thread: str) -> None:
    own = story.post(thread)
    signature = own.rpartition("@")[0]
    forged = own.replace(signature, signature[:-1] + ("a" if signature[-1] != "a" else "b"))
    assert story.outcome(story.mail(to="x@elsewhere.example", headers={"In-Reply-To": forged})) == "held R11"


def test_a_foreign_id_is_looked_up(story: Story, thread: str) -> None:
    answer = story.mail(to="catchall@example.com", headers={"In-Reply-To": "<opening@customer.example>"})
    assert story.settled(answer) == ["delivered R3"]
    assert story.thread(answer) == thread
    (posted,) = story.events("chatter.posted", thread=thread)
    assert posted["post"]["parent"] == "<opening@customer.example>"


def test_a_folded_id_is_read_without_its_white_space(story: Story, thread: str) -> None:
    folded = "<opening@cus\r\n tomer.example>"
    assert story.thread(story.mail(to="catchall@example.com", headers={"References": folded})) == thread


@pytest.mark.parametrize(("after", "outcome"), [(31, "delivered R3"), (32, "refused R8")])
def test_the_last_32_references_are_looked_up(story: Story, thread: str, after: int, outcome: str) -> None:
    unknown = " ".join(f"<{n}@elsewhere.example>" for n in range(after))
    references = f"<a@b.example> <opening@customer.example> {unknown}"
    assert story.outcome(story.mail(to="catchall@example.com", headers={"References": references})) == outcome


def test_sixty_one_references_with_the_known_one_last(story: Story, thread: str) -> None:
    references = " ".join(f"<{n}@elsewhere.example>" for n in range(60)) + " <opening@customer.example>"
    assert story.thread(story.mail(to="catchall@example.com", headers={"References": references})) == thread


def test_among_several_known_the_one_settled_last_wins_not_the_headers_order(story: Story, thread: str) -> None:
    story.wait(minutes=5)
    newer = story.mail(headers={"Message-ID": "<newer@example.org>"})
    references = "<newer@example.org> <opening@customer.example>"
    answer = story.mail(to="catchall@example.com", headers={"References": references})
    assert story.threads(answer) == story.threads(newer)


def test_the_handle_beats_the_references(story: Story, thread: str) -> None:
    story.post(thread)
    story.wait(minutes=5)
    story.mail(headers={"Message-ID": "<newer@example.org>"})
    answer = story.reply(story.sent("eve@customer.example")[0], headers={"References": "<newer@example.org>"})
    assert story.thread(answer) == thread


def test_an_answer_to_an_alias_with_the_threads_token(story: Story, thread: str) -> None:
    story.post(thread)
    token = story.sent("eve@customer.example")[0]["Reply-To"].partition("+")[2].partition("@")[0]
    answer = story.mail(to=f"sales+{token}@example.com")
    assert story.settled(answer) == ["delivered R3"]
    assert story.thread(answer) == thread


def test_an_answer_to_a_message_in_two_threads_goes_where_its_alias_points(story: Story) -> None:
    story.apply(alias=[{"address": "help@example.com", "record_type": "helpdesk.ticket"}])
    both = story.mail(to="sales@example.com, help@example.com")
    tickets = [thread for thread in story.threads(both) if thread.startswith("helpdesk")]
    answer = story.mail(to="help@example.com", headers={"In-Reply-To": both})
    assert story.threads(answer) == tickets


def test_a_held_message_is_no_parent(story: Story) -> None:
    held = story.mail(to="nobody@example.com")
    assert story.outcome(story.mail(headers={"In-Reply-To": held})) == "delivered R9"


def test_an_answer_to_what_opens_a_new_record_opens_one(story: Story, thread: str) -> None:
    story.post(thread, opens_new=True)
    (copy,) = story.sent("eve@customer.example")
    assert not copy["References"].replace(copy["Message-ID"], "").strip()
    assert not copy["In-Reply-To"]
    assert "+" not in copy["Reply-To"]
    answer = story.mail(to="sales@example.com", headers={"In-Reply-To": copy["Message-ID"]})
    assert story.settled(answer) == ["delivered R9"]


def test_an_answer_threads_in_the_mail_program_of_who_wrote_first(story: Story, thread: str) -> None:
    """F5: to who wrote it, a mail is known by its own id; to who got the copy, by ours."""
    story.mail("anna@example.com", "catchall@example.com", headers={"In-Reply-To": "<opening@customer.example>"})
    (relayed,) = story.sent("eve@customer.example")
    story.post(thread)
    answer = story.sent("eve@customer.example")[-1]
    assert "<opening@customer.example>" in answer["References"]
    assert relayed["Message-ID"] in answer["References"]
    assert answer["Subject"] == "Re: Pens"
