"""What the doors take (I5) and whom a mail is for (M2, M3)."""

from typing import Any

import pytest

from tests.support.scenario import Story

COMMERCIAL = {"local_part": "commercial", "record_type": "crm.lead"}


def rcpt(story: Story, *recipients: str, door: str = "smtp", size: int = 0) -> list[int]:
    """The answers of the door to a mail for these recipients."""
    raw = f"From: bob@example.org\r\nTo: undisclosed:;\r\nSubject: {recipients}\r\n\r\n{'x' * size}\r\n"
    answers = story.raw(raw, door=door, mail_from="bob@example.org", rcpt_to=list(recipients))
    return [answer["answer"]["code"] for answer in answers if "answer" in answer]


def last(story: Story) -> str:
    return story.outcome(story.events("mail.received")[-1]["message_id"])


@pytest.mark.parametrize("door", ["smtp", "lmtp"])
@pytest.mark.parametrize(
    ("recipient", "code", "outcome"),
    [
        pytest.param("Sales@EXAMPLE.com", 250, "delivered R9", id="an alias"),
        pytest.param("sales+x@example.com", 250, "delivered R9", id="with a token"),
        pytest.param("catchall@example.com", 250, "refused R8", id="catchall"),
        pytest.param("bounce+x@example.com", 250, "report P7", id="bounce with a token"),
        pytest.param("notifications@example.com", 250, "held R11", id="the default From"),
        pytest.param("postmaster@example.com", 250, "held R11", id="postmaster, for the operator"),
        pytest.param("abuse@example.com", 250, "held R11", id="abuse, for the operator"),
        pytest.param("commercial@partner.example", 250, "delivered R9", id="by local part, on a listed domain"),
        pytest.param("nobody@partner.example", 550, "", id="unknown on a listed domain"),
        pytest.param("nobody@example.com", 550, "", id="unknown"),
        pytest.param("commercial@gmail.com", 550, "", id="relaying to a domain that is not listed"),
        pytest.param("sales@sub.example.com", 550, "", id="a sub-domain is another domain"),
    ],
)
def test_recipients(story: Story, door: str, recipient: str, code: int, outcome: str) -> None:
    story.apply(alias=[COMMERCIAL], parameters={"mail.catchall.domain.allowed": "partner.example"})
    assert rcpt(story, recipient, door=door) == [code]
    assert not outcome or last(story) == outcome


def test_refused_recipients_take_no_others_along(story: Story) -> None:
    assert rcpt(story, "nobody@example.com", "sales@example.com", "zoe@elsewhere.example") == [550, 550, 250]
    assert last(story) == "delivered R9"
    assert rcpt(story, "nobody@example.com") == [550]
    assert rcpt(story) == [503]


def test_unknown_recipients_are_taken_if_so_set(story: Story) -> None:
    story.set("mail.smtp.unknown", "accept")
    assert rcpt(story, "nobody@example.com") == [250]
    assert last(story) == "held R11"
    assert rcpt(story, "nobody@elsewhere.example") == [550]


def test_size_is_enforced(story: Story) -> None:
    story.set("mail.smtp.size", 1000)
    assert rcpt(story, "sales@example.com", size=100) == [250]
    assert rcpt(story, "sales@example.com", size=1000) == [552]


@pytest.mark.parametrize(
    ("headers", "line", "outcome"),
    [
        pytest.param({"Delivered-To": "sales@example.com"}, {}, "delivered R9", id="Delivered-To"),
        pytest.param({"Resent-To": "sales@example.com"}, {}, "delivered R9", id="Resent-To"),
        pytest.param({"Resent-Cc": "sales@example.com"}, {}, "delivered R9", id="Resent-Cc"),
        pytest.param({"Cc": "Team sales@example.com"}, {}, "delivered R9", id="without brackets"),
        pytest.param({"X-Original-To": "sales@example.com"}, {}, "held R11", id="other headers name nobody"),
        pytest.param({}, {"rcpt_to": ["catchall@example.com"]}, "refused R11", id="the envelope is To-like"),
        pytest.param(
            {"Cc": "catchall@example.com"}, {"rcpt_to": ["catchall@example.com"]}, "held R11", id="unless Cc names it"
        ),
        pytest.param({"Cc": "bounce@example.com"}, {"rcpt_to": ["bounce@example.com"]}, "held R11", id="bounce in Cc"),
    ],
)
def test_whom_a_mail_is_for(story: Story, headers: dict[str, str], line: dict[str, Any], outcome: str) -> None:
    assert story.outcome(story.mail(to="carl@example.net", headers=headers, **line)) == outcome


def test_the_first_of_two_authors_is_the_author(story: Story) -> None:
    story.mail("a@b.example, bob@example.org", headers={"Sender": "c@d.example", "Reply-To": "e@f.example"})
    assert story.events("record.requested")[-1]["post"]["author"]["address"] == "a@b.example"
