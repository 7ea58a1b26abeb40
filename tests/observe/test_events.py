"""What each event adds to which counter."""

from datetime import UTC, datetime
from typing import Any

import pytest

from postroad.runtime.observe import metrics
from postroad.runtime.observe.events import TABLE, count, family_of, increments
from postroad.stage import Emission
from postroad_schemas.address import AddressBlacklisted
from postroad_schemas.chatter import NotificationFailed
from postroad_schemas.event import Tombstone
from postroad_schemas.mail import Door, HeldMail, MailReceived, MailRefused, Notice, Refusal, RefusalReason, Release
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.outbound import Action, DeliveryReported, FeedbackReported, OutboundDeferred, OutboundSubmitted
from postroad_schemas.outbound import Source as From
from postroad_schemas.values import FailureType, ObjectRef, Stream

ANY: dict[str, Any] = {"event_id": "1" * 32, "trace_id": "1" * 32, "occurred_at": datetime(2026, 3, 1, tzinfo=UTC)}
RAW = ObjectRef(ref="sha256/0", size=1)
MAIL = MailReceived(**ANY, door=Door.IMAP, message_id="<1@example.org>", raw=RAW)
RELEASE = MailReceived(**ANY, door=Door.SMTP, message_id="<1@x>", raw=RAW, release=Release(held="1", rule="L1"))
MESSAGE = OutboundSubmitted(**ANY, recipient="ann@example.org", message_id="<1@example.com>", stream=Stream.BULK)
TWO = (
    Refusal(reason=RefusalReason.POLICY, rule="R12"),
    Refusal(reason=RefusalReason.POLICY, rule="R12"),
    Refusal(reason=RefusalReason.CATCHALL, rule="R8"),
)


def delivered(**fields: Any) -> DeliveryReported:
    return DeliveryReported(**{**ANY, "notification_id": "n", "action": Action.RELAYED, "source": From.SMTP, **fields})


@pytest.mark.parametrize(
    ("event", "added"),
    [
        pytest.param(MAIL, {"mails_accepted": [("imap",)]}, id="I2: accepted, by door"),
        pytest.param(RELEASE, {}, id="R17: a release is no new mail"),
        pytest.param(
            MessageSettled(**ANY, settled="<1@x>", mail_id="1", outcome=Outcome.DUPLICATE, rule="R1"),
            {"mails_settled": [("duplicate", "R1")]},
            id="R16: an outcome, by rule",
        ),
        pytest.param(
            MessageSettled(**ANY, settled="<1@x>", outcome=Outcome.POSTED), {}, id="R16: a post of our own is no mail"
        ),
        pytest.param(
            MailRefused(**ANY, mail_id="1", message_id="<1@x>", refusals=TWO, notice=Notice(addressee="a@x.example")),
            {"refusals": [("policy", "yes"), ("catchall", "yes")]},
            id="R12: each reason once, and the sender is told",
        ),
        pytest.param(
            MailRefused(**ANY, mail_id="1", message_id="<1@x>", refusals=TWO[:1]),
            {"refusals": [("policy", "no")]},
            id="L8: and nobody is told",
        ),
        pytest.param(HeldMail(**ANY, mail=MAIL, rule="L1", reason="over"), {"mails_held": [("L1",)]}, id="L5: held"),
        pytest.param(MESSAGE, {"messages_submitted": [("bulk",)]}, id="O6: a message, by stream"),
        pytest.param(
            OutboundDeferred(
                **ANY,
                submission=MESSAGE,
                step="5m",
                attempt=1,
                not_before=ANY["occurred_at"],
                first_attempt_at=ANY["occurred_at"],
            ),
            {"retries": [("5m",)]},
            id="O8: a retry, by tier",
        ),
        pytest.param(
            delivered(server="relay", attempt=1), {"deliveries": [("relay", "relayed")]}, id="O9: sent, by server"
        ),
        pytest.param(
            delivered(server="relay", attempt=2, action=Action.FAILED, failure=FailureType.REFUSED),
            {"deliveries": [("relay", "failed")], "delivery_failures": [("refused",)]},
            id="O9: refused by the server",
        ),
        pytest.param(
            delivered(server="whatever an app wrote", action=Action.FAILED, failure=FailureType.CONFIGURATION),
            {"delivery_failures": [("configuration",)]},
            id="O9: never tried, so no server is named",
        ),
        pytest.param(
            delivered(source=From.REPORT, action=Action.FAILED, status="5.1.1"),
            {"bounces": [("report", "failed", "user_unknown", "5.1")]},
            id="P3: a bounce, by its status",
        ),
        pytest.param(
            delivered(source=From.WEBHOOK, action=Action.FAILED, status="5.x", diagnostic="mailbox is full"),
            {"bounces": [("webhook", "failed", "mailbox_full", "")]},
            id="P6: a bounce, by its words",
        ),
        pytest.param(
            delivered(source=From.REPORT, action=Action.FAILED, status="5.٣.1", diagnostic="ann@x.example"),
            {"bounces": [("report", "failed", "other", "")]},
            id="P6: whatever else it says is in no label",
        ),
        pytest.param(FeedbackReported(**ANY, notification_id="n"), {"complaints": [()]}, id="RFC 5965: a complaint"),
        pytest.param(
            NotificationFailed(**ANY, notification_id="n", recipient="a@x", failure=FailureType.REFUSED),
            {"red_envelopes": [("refused",)]},
            id="B2: a red envelope",
        ),
        pytest.param(
            AddressBlacklisted(**ANY, address="a@x", rule="B4"), {"blacklistings": [("B4",)]}, id="B4: blacklisted"
        ),
        pytest.param(AddressBlacklisted(**ANY, address="a@x", rule="B4", active=False), {}, id="B5: pardoned"),
    ],
)
def test_an_event_adds_to_its_counters(event: Emission, added: dict[str, list[tuple[str, ...]]]) -> None:
    found: dict[str, list[tuple[str, ...]]] = {}
    for counter, labels in increments(event):
        assert len(labels) == len(counter.labels)
        name = counter.name.removeprefix("postroad_").removesuffix("_total")
        found.setdefault(name, []).append(tuple(map(str, labels)))
    assert found == added


def test_what_is_counted_is_added_and_is_published() -> None:
    accepted, published = metrics.ACCEPTED.read(), metrics.PUBLISHED.read()
    count([MAIL, MAIL, Tombstone("held", "1")])
    assert metrics.ACCEPTED.read() == accepted | {("imap",): accepted["imap",] + 2}
    assert metrics.PUBLISHED.read() == published | {("mail.received",): published["mail.received",] + 2}


def test_every_row_of_the_table_is_tried_here() -> None:
    [mark] = [m for m in test_an_event_adds_to_its_counters.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    assert {type(case.values[0]) for case in mark.args[1]} == set(TABLE)


@pytest.mark.parametrize(
    ("status", "family"),
    [
        pytest.param("5.1.1", "5.1", id="a dead address"),
        pytest.param("4.2.2", "4.2", id="a full mailbox, for now"),
        pytest.param("", "", id="no status"),
        pytest.param("5", "", id="a class alone"),
        pytest.param("5..1", "", id="no subject"),
        pytest.param("5.12.1", "", id="a subject that there is not"),
        pytest.param("9.1.1", "", id="a class that there is not"),
        pytest.param("5.a@b.1", "", id="what a stranger wrote"),
    ],
)
def test_of_a_status_class_and_subject_are_told(status: str, family: str) -> None:
    assert family_of(status) == family
