"""A story: found by each of its names, causes before what followed, repeats told once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.catalogue.samples import sample
from postroad.story.trace import story
from postroad_schemas import Event, topic_of
from postroad_schemas.chatter import RecordRequested
from postroad_schemas.directory import Parameter
from postroad_schemas.mail import HeldMail, MailReceived, MailRouted
from postroad_schemas.message import MessageSettled
from postroad_schemas.outbound import DeliveryReported, OutboundDeferred, OutboundSubmitted

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
BARE: dict[str, Any] = {"mail_id": "accepted", "message_id": "<1@example.org>", "thread": "crm.lead/7"}


def event(kind: type[Any], name: str, cause: str = "", trace: str = "accepted", late: int = 0, **fields: Any) -> Any:
    value = sample(kind)
    given = {field: getattr(value, field) for field in kind.__struct_fields__}
    given |= {field: content for field, content in BARE.items() if field in given}
    given |= {"event_id": name, "cause_id": cause, "trace_id": trace, "occurred_at": AT + timedelta(seconds=late)}
    return kind(**given | fields)


SUBMISSION = event(
    OutboundSubmitted, "submitted", "requested", message_id="<copy@example.com>", recipient="mary@example.com"
)
STORY = [
    event(MailReceived, "accepted"),
    event(MailRouted, "routed", "accepted"),
    event(RecordRequested, "requested", "routed"),
    event(MessageSettled, "settled", "routed", settled="<1@example.org>"),
    SUBMISSION,
    event(OutboundDeferred, "deferred", "submitted", submission=SUBMISSION),
    event(DeliveryReported, "reported", "deferred", late=60, notification_id="nnnnnnnnnnnnnnnn", message_id=""),
]
ANOTHER = [
    event(MailReceived, "other", trace="other", message_id="<2@example.org>", references=("<1@example.org>",)),
    event(MessageSettled, "other settled", "other", "other", settled="<2@example.org>", mail_id="other"),
]


def told(events: list[Any], wanted: str) -> list[tuple[str, int]]:
    seen = [(topic_of(it), it) for it in events]
    return [(line.event.event_id, line.depth) for line in story(seen, wanted)]


WHOLE = [
    ("accepted", 0),
    ("routed", 1),
    ("requested", 2),
    ("settled", 2),
    ("submitted", 3),
    ("deferred", 4),
    ("reported", 5),
]


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param("<1@example.org>", id="the Message-ID"),
        pytest.param("1@example.org", id="the Message-ID without brackets"),
        pytest.param("accepted", id="the acceptance"),
        pytest.param("reported", id="any event"),
        pytest.param("crm.lead/7", id="the thread"),
        pytest.param("nnnnnnnnnnnnnnnn", id="a notification"),
        pytest.param("<copy@example.com>", id="the Message-ID of a copy"),
    ],
)
def test_found_by_each_of_its_names(wanted: str) -> None:
    assert told([*STORY, *ANOTHER], wanted) == WHOLE


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(STORY[::-1], id="topics read in another order"),
        pytest.param([*STORY, *STORY], id="what lies there twice is told once"),
        pytest.param([*STORY, Parameter(name="mail.retry.days", value="1")], id="rows are no events"),
    ],
)
def test_causes_come_before_what_followed(events: list[Any]) -> None:
    found = told(events, "<1@example.org>")
    places = {name: place for place, (name, _) in enumerate(found)}
    assert sorted(found) == sorted(WHOLE)
    assert all(places[it.cause_id] < places[it.event_id] for it in STORY if it.cause_id)


@pytest.mark.parametrize("wanted", ["<3@example.org>", "3@example.org", "", "crm.lead", "example.org"])
def test_no_part_of_a_name_counts(wanted: str) -> None:
    assert told([*STORY, *ANOTHER], wanted) == []


def test_a_thread_tells_of_all_its_mails() -> None:
    reply = event(MessageSettled, "reply", trace="reply", late=5)
    post = event(RecordRequested, "post", trace="reply", late=5)
    assert {name for name, _ in told([*STORY, reply, post, *ANOTHER], "crm.lead/7")} == {
        *(name for name, _ in WHOLE),
        "reply",
        "post",
    }


def test_what_is_gone_from_the_log_leaves_the_rest() -> None:
    assert told(STORY[2:], "<1@example.org>")[0] == ("requested", 0)


def test_a_ring_of_causes_ends() -> None:
    ring: list[Event] = [event(MessageSettled, "a", "b"), event(MessageSettled, "b", "a")]
    assert {name for name, _ in told(ring, "a")} == {"a", "b"}


def test_a_held_mail_is_found_by_the_mail() -> None:
    held = event(HeldMail, "held", trace="held", mail=event(MailReceived, "accepted", message_id="<9@example.org>"))
    assert told([held], "9@example.org") == [("held", 0)]
