"""What follows from one notice: whose notification, which status, whether it counts (B1, P6)."""

from datetime import timedelta
from typing import Any

import pytest

from postroad.bounces.fate import stated
from postroad.ingest.webhooks import notice as is_
from postroad.ingest.webhooks.events import reported
from postroad.ingest.webhooks.notice import Kind, Meaning, Notice
from postroad.mail.return_path import return_path_token
from postroad_schemas import notification_id
from postroad_schemas.outbound import DeliveryReported, LeaveAsked
from tests.support.declared import AT, views

KEYS = views().keys
OURS, ADA = "<m1@example.com>", "ada@example.net"
MINE = notification_id(OURS, ADA)
TOKEN = return_path_token(KEYS, MINE)
RETURN_PATH = f"<bounce+{TOKEN}@example.com>"


def told(**fields: Any) -> Any:
    given: dict[str, Any] = {"kind": Kind.FAILED, "event": "1", "recipient": "Ada@EXAMPLE.net"}
    return reported("acme", Notice(**(given | fields)), KEYS, AT)


@pytest.mark.parametrize(
    ("fields", "notification", "recipient"),
    [
        pytest.param({"message_id": OURS}, MINE, ADA, id="by our Message-ID"),
        pytest.param({"return_path": RETURN_PATH}, MINE, ADA, id="by our return path"),
        pytest.param({"return_path": RETURN_PATH.upper(), "message_id": OURS}, MINE, ADA, id="by both, case folded"),
        pytest.param(
            {"return_path": RETURN_PATH, "message_id": OURS, "recipient": "other@example.net"},
            MINE,
            "",
            id="a forwarded copy: the notification's own recipient is blamed",
        ),
        pytest.param({"return_path": "bounce+forged@example.com", "message_id": OURS}, MINE, ADA, id="a forged token"),
        pytest.param({"token": TOKEN}, MINE, ADA, id="by what the provider was told"),
        pytest.param({"token": TOKEN, "return_path": "bounce+x@mg.example"}, MINE, ADA, id="whatever it made of MAIL"),
        pytest.param(
            {"token": TOKEN, "message_id": OURS, "recipient": "other@example.net"},
            MINE,
            "",
            id="told, but of a forwarded copy",
        ),
        pytest.param({"token": f"{MINE}{'a' * 17}", "message_id": OURS}, MINE, ADA, id="forged: the Message-ID counts"),
        pytest.param(
            {"token": f"{MINE}{'a' * 17}", "provider_message": "p1"},
            notification_id("acme p1", ADA),
            ADA,
            id="forged: the address alone",
        ),
        pytest.param({"provider_message": "p1"}, notification_id("acme p1", ADA), ADA, id="the address alone"),
        pytest.param({}, notification_id("acme 1", ADA), ADA, id="the address alone, by the event"),
    ],
)
def test_which_notification(fields: dict[str, Any], notification: str, recipient: str) -> None:
    event = told(**fields)
    assert (event.notification_id, event.recipient, event.proven) == (notification, recipient, True)


def test_two_events_of_an_unknown_message_count_once_on_the_address() -> None:
    """B1: once per message and recipient."""
    first, second = (told(provider_message="p1", event=name) for name in "12")
    assert first.event_id != second.event_id
    assert first.notification_id == second.notification_id


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        pytest.param({"status": "5.1.1"}, (True, True, "5.1.1"), id="a status"),
        pytest.param({"status": "4.2.2", "meaning": is_.NO_MAILBOX}, (False, False, "4.2.2"), id="a status first"),
        pytest.param({"diagnostic": "550 5.1.1 x", "meaning": is_.SOFT}, (True, True, "5.1.1"), id="in the words"),
        pytest.param({"diagnostic": "452 later", "meaning": is_.NO_MAILBOX}, (False, False, ""), id="then a reply"),
        pytest.param({"diagnostic": "gone", "meaning": is_.NO_MAILBOX}, (True, True, "5.1.1"), id="then the class"),
        pytest.param({"diagnostic": "", "meaning": is_.SOFT}, (False, False, "4.0.0"), id="a soft class"),
        pytest.param({"diagnostic": "no such user here"}, (True, True, ""), id="then the words"),
        pytest.param(
            {"status": "5.0.0", "meaning": is_.NO_MAILBOX}, (True, True, "5.0.0"), id="a vague status of a dead address"
        ),
    ],
)
def test_what_a_failure_means(fields: dict[str, Any], verdict: tuple[bool, bool, str]) -> None:
    """P6."""
    event = told(message_id=OURS, **fields)
    assert (event.permanent, event.hard, event.status) == verdict


@pytest.mark.parametrize(
    ("meaning", "counts"),
    [
        pytest.param(is_.NO_MAILBOX, True, id="the receiving side spoke"),
        pytest.param(is_.SOFT, True, id="softly too"),
        pytest.param(is_.SUPPRESSED, False, id="the provider's own list"),
        pytest.param(is_.OPTED_OUT, False, id="left there"),
        pytest.param(is_.NOT_TRIED, False, id="not tried"),
        pytest.param(is_.UNREACHED, False, id="nobody answered"),
    ],
)
def test_what_counts_on_the_address(meaning: Meaning, counts: bool) -> None:
    """B3."""
    assert stated(told(meaning=meaning)) is counts


@pytest.mark.parametrize("kind", [Kind.DELAYED, Kind.DELIVERED])
def test_what_is_no_failure_is_not_permanent(kind: Kind) -> None:
    event = told(kind=kind, status="5.1.1", meaning=is_.NO_MAILBOX)
    assert isinstance(event, DeliveryReported)
    assert (event.permanent, event.hard, event.failure) == (False, False, None)


def test_a_leave_needs_a_message_that_we_know() -> None:
    """O6."""
    left = told(kind=Kind.LEFT, message_id=OURS)
    assert isinstance(left, LeaveAsked)
    assert (left.notification_id, left.how) == (MINE, "acme")
    assert told(kind=Kind.LEFT, provider_message="p1") is None
    assert told(kind=Kind.LEFT, token=TOKEN).notification_id == MINE


@pytest.mark.parametrize(
    ("at", "occurred"),
    [
        pytest.param(None, AT, id="none"),
        pytest.param(AT - timedelta(hours=3), AT - timedelta(hours=3), id="the provider's"),
        pytest.param(AT + timedelta(hours=3), AT, id="never the future"),
    ],
)
def test_when_it_occurred(at: Any, occurred: Any) -> None:
    assert told(at=at).occurred_at == occurred
