"""Reports (P1-P5, P7): who bounced, of which message, and what is not blamed on anybody."""

from typing import Any

import pytest

from postroad.mail.leave import leave_token
from postroad.mail.message_id import Flag, OwnId, mint
from postroad.mail.return_path import return_path_token
from postroad.views import Views
from postroad_schemas import notification_id
from postroad_schemas.address import AddressHeardFrom
from postroad_schemas.mail import MailReceived, MailRefused, Report, ReportedRecipient, ReportKind
from postroad_schemas.message import MessageSettled, Origin, OriginSought, Outcome
from postroad_schemas.outbound import Action, DeliveryReported, FeedbackReported, LeaveAsked
from tests.routing.mails import BOUNCE, end, mail, settled, take, views

EVE = "eve@example.net"
DAN = "dan@example.net"
SENT = "<sent@example.com>"


def failed(address: str = EVE, status: str = "5.1.1", action: str = "failed", **fields: Any) -> ReportedRecipient:
    return ReportedRecipient(final_recipient=address, action=action, status=status, **fields)


def dsn(*recipients: ReportedRecipient, to: str = BOUNCE, original: str = SENT, **fields: Any) -> MailReceived:
    said = Report(
        kind=fields.pop("kind", ReportKind.DELIVERY_STATUS),
        recipients=recipients,
        original_message_id=original,
        original_to=fields.pop("original_to", ()),
        original_references=fields.pop("original_references", ()),
        feedback_type=fields.pop("feedback_type", ""),
    )
    return mail("report", to=[to], sender="mailer-daemon@example.net", report=said, **fields)


def booked(event: MailReceived, seen: Views) -> list[DeliveryReported]:
    decision = take(event, seen)
    outcome = end(decision.emit)
    assert isinstance(outcome, MessageSettled)
    assert outcome.outcome is Outcome.REPORT
    found = [each for each in decision.emit if isinstance(each, DeliveryReported)]
    assert outcome.notification_ids == tuple(each.notification_id for each in found)
    return found


def token_path(seen: Views, recipient: str = EVE, message_id: str = SENT) -> str:
    return f"bounce+{return_path_token(seen.keys, notification_id(message_id, recipient))}@example.com"


@pytest.mark.parametrize(
    ("block", "action", "permanent", "hard"),
    [
        pytest.param(failed(), Action.FAILED, True, True, id="no such user"),
        pytest.param(failed(status="5.2.2"), Action.FAILED, True, False, id="mailbox full: permanent, not hard"),
        pytest.param(failed(status="4.4.1"), Action.FAILED, False, False, id="given up on a temporary failure"),
        pytest.param(failed(action="delayed", status="4.4.1"), Action.DELAYED, False, False, id="a delay"),
        pytest.param(failed(action="Delivered", status="2.0.0"), Action.DELIVERED, False, False, id="delivered"),
        pytest.param(failed(action="", status="5.1.1"), Action.FAILED, True, True, id="no action, a permanent status"),
        pytest.param(failed(action="", status="4.4.1"), Action.DELAYED, False, False, id="no action, a temporary one"),
    ],
)
def test_p2_p6_what_a_block_says(block: ReportedRecipient, action: Action, permanent: bool, hard: bool) -> None:
    (one,) = booked(dsn(block), views())
    assert (one.action, one.permanent, one.hard) == (action, permanent, hard)
    assert (one.recipient, one.notification_id, one.proven) == (EVE, notification_id(SENT, EVE), False)


def test_p3_every_block_is_booked_with_its_own_status() -> None:
    found = booked(dsn(failed(EVE, "5.1.1"), failed(DAN, "5.2.2")), views())
    assert [(one.recipient, one.status) for one in found] == [(EVE, "5.1.1"), (DAN, "5.2.2")]
    assert len({one.event_id for one in found}) == 2


def test_p3_the_same_recipient_twice_is_one() -> None:
    assert [one.status for one in booked(dsn(failed(), failed(status="5.2.2")), views())] == ["5.1.1"]


def test_p4_the_token_says_who() -> None:
    seen = views()
    (one,) = booked(dsn(failed(), to=token_path(seen)), seen)
    assert (one.notification_id, one.recipient, one.proven) == (notification_id(SENT, EVE), EVE, True)


def test_p4_a_forwarded_copys_address_is_not_blamed_for_the_tokens() -> None:
    seen = views()
    (one,) = booked(dsn(failed("elsewhere@example.net"), to=token_path(seen)), seen)
    assert (one.notification_id, one.recipient, one.proven) == (notification_id(SENT, EVE), "", True)


@pytest.mark.parametrize(
    ("blocks", "marked"),
    [
        pytest.param([failed("x@home.example", original_recipient=EVE)], [EVE], id="a forwarded copy: as we wrote it"),
        pytest.param(
            [failed(DAN, original_recipient="team@x.example"), failed(EVE, original_recipient="team@x.example")],
            [DAN, EVE],
            id="one address that was expanded to two",
        ),
        pytest.param([failed(original_recipient="Eve@Example.NET")], [EVE], id="the same address"),
    ],
)
def test_p4_b2_the_original_recipient_names_the_notification(
    blocks: list[ReportedRecipient], marked: list[str]
) -> None:
    found = booked(dsn(*blocks), views())
    assert [one.notification_id for one in found] == [notification_id(SENT, address) for address in marked]
    assert [one.recipient for one in found] == [block.final_recipient for block in blocks]


def test_p4_the_token_without_any_name() -> None:
    seen = views()
    (one,) = booked(dsn(failed(""), to=token_path(seen), original=""), seen)
    assert (one.notification_id, one.proven) == (notification_id(SENT, EVE), True)


def test_p4_a_forged_token_proves_nothing() -> None:
    seen = views()
    forged = token_path(seen).replace("@", "a@")
    (one,) = booked(dsn(failed(DAN), to=forged), seen)
    assert (one.notification_id, one.proven) == (notification_id(SENT, DAN), False)


def test_p5_our_signed_id_in_the_returned_part_proves() -> None:
    seen = views()
    ours = mint(seen.keys, OwnId("lead/1", "aaaaaaaaaaaaaaaa", Flag(0), 1_700_000_000), "example.com")
    (one,) = booked(dsn(failed(), original=ours), seen)
    assert (one.message_id, one.proven) == (ours, True)
    (one,) = booked(dsn(failed(), original="", references=("<x@y>",), in_reply_to=(ours,)), seen)
    assert (one.message_id, one.proven) == (ours, True)


def test_p5_a_rewritten_message_id_is_found_again_in_the_returned_references() -> None:
    """F5: the id is repeated there, behind older ones of its thread."""
    seen = views()
    older, ours = (
        mint(seen.keys, OwnId("lead/1", "aaaaaaaaaaaaaaaa", Flag(0), 1_700_000_000 + later), "example.com")
        for later in (0, 60)
    )
    (one,) = booked(dsn(failed(), original="<new@relay>", original_references=("<x@y>", older, ours, older)), seen)
    assert (one.message_id, one.notification_id, one.proven) == (ours, notification_id(ours, EVE), True)
    (other,) = booked(dsn(failed(), original="<new@relay>", original_references=("<x@y>",)), seen)
    assert (other.message_id, other.proven) == ("<new@relay>", False)


@pytest.mark.parametrize(
    ("origin", "original_to", "blamed"),
    [
        pytest.param(Origin(known=True, ours=True, recipient=EVE), (DAN,), [EVE], id="the original's one recipient"),
        pytest.param(Origin(known=True, ours=True), (DAN,), [], id="known, with several: nobody"),
        pytest.param(None, (DAN,), [DAN], id="unknown: the single To of the returned part"),
        pytest.param(None, (DAN, EVE), [], id="unknown, two in To: nobody"),
        pytest.param(None, (), [], id="unknown and unnamed: nobody"),
    ],
)
def test_p4_who_is_blamed_when_no_field_says(
    origin: Origin | None, original_to: tuple[str, ...], blamed: list[str]
) -> None:
    seen, event = views(), dsn(failed(""), original_to=original_to)
    asked = take(event, seen)
    (question,) = asked.emit
    assert isinstance(question, OriginSought)
    assert question.sought == SENT
    back = OriginSought(
        event_id="b" * 32,
        occurred_at=event.occurred_at,
        trace_id=event.trace_id,
        asking=event.message_id,
        mail_id=event.event_id,
        accepted_at=event.occurred_at,
        origin=origin,
    )
    decision = take(back, seen, asked.state)
    assert [each.recipient for each in decision.emit if isinstance(each, DeliveryReported)] == blamed
    assert end(decision.emit).rule == ("P1" if blamed else "P7")


def test_p4_what_a_message_of_ours_knows_goes_back_with_the_question() -> None:
    state = take(settled(SENT, "lead/1", outcome=Outcome.POSTED, recipient=EVE, author_contact="c1"), views()).state
    (question,) = take(dsn(failed("")), views()).emit
    (back,) = take(question, views(), state).emit
    assert isinstance(back, OriginSought)
    assert back.origin == Origin(known=True, ours=True, recipient=EVE, author="c1", thread="lead/1")
    assert back.sought == ""


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        pytest.param(mail("x", to=[BOUNCE]), "P7", id="P7 nothing usable at the bounce address"),
        pytest.param(dsn(), "P7", id="P7 a report without any block"),
        pytest.param(dsn(failed(action="", status="")), "P7", id="P7 a block that says nothing"),
        pytest.param(dsn(kind=ReportKind.DISPOSITION), "P2", id="P2 a read receipt"),
    ],
)
def test_what_counts_nothing(event: MailReceived, rule: str) -> None:
    assert booked(event, views()) == []
    assert end(take(event, views()).emit).rule == rule


def test_p4_an_absence_answer_at_a_return_path_counts_nothing() -> None:
    seen = views()
    for said in (None, Report(kind=ReportKind.UNKNOWN)):
        event = mail("x", to=[token_path(seen)], report=said)
        assert booked(event, seen) == []
        assert end(take(event, seen).emit).rule == "P4"


def test_p2_a_complaint() -> None:
    seen = views()
    event = dsn(ReportedRecipient(final_recipient=EVE), kind=ReportKind.FEEDBACK, feedback_type="abuse")
    (one,) = [each for each in take(event, seen).emit if isinstance(each, FeedbackReported)]
    assert (one.recipient, one.feedback_type, one.notification_id) == (EVE, "abuse", notification_id(SENT, EVE))


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam", "Not-Spam"])
def test_p2_feedback_that_is_no_complaint_counts_nothing(kind: str) -> None:
    """RFC 6591, RFC 6430."""
    event = dsn(ReportedRecipient(final_recipient=EVE), kind=ReportKind.FEEDBACK, feedback_type=kind)
    decision = take(event, views())
    outcome = end(decision.emit)
    assert isinstance(outcome, MessageSettled)
    assert (outcome.outcome, outcome.rule) == (Outcome.REPORT, "P2")
    assert not [each for each in decision.emit if isinstance(each, FeedbackReported)]


@pytest.mark.parametrize("to", ["sales@example.com", "catchall@example.com", "x@elsewhere.example"])
def test_p1_wherever_it_is_addressed_it_opens_nothing_and_is_no_sign_of_life(to: str) -> None:
    decision = take(dsn(failed(), to=to), views())
    assert end(decision.emit).rule == "P1"
    assert not any(isinstance(each, AddressHeardFrom | MailRefused) for each in decision.emit)


def test_p7_the_same_report_twice_counts_once() -> None:
    seen = views()
    state = take(dsn(failed()), seen).state
    again = take(dsn(failed(), to="bounce+x@example.com", copy=1, cc=["sales@example.com"]), seen, state)
    assert end(again.emit).rule == "R1"
    assert not any(isinstance(each, DeliveryReported) for each in again.emit)


NOTIFICATION = notification_id(SENT, EVE)


def leave_address(seen: Views, notification: str = NOTIFICATION) -> str:
    return f"bounce+{leave_token(seen.keys, notification)}@example.com"


@pytest.mark.parametrize(
    ("fields", "rule", "asked"),
    [
        pytest.param({}, "O6", 1, id="O6 to a leave link"),
        pytest.param({"report": Report(kind=ReportKind.UNKNOWN)}, "O6", 1, id="O6 as ingest reads mail to bounce"),
        pytest.param(
            {"report": Report(kind=ReportKind.DELIVERY_STATUS, recipients=(failed(),), original_message_id=SENT)},
            "O6",
            1,
            id="O6 before P1, even a report",
        ),
        pytest.param({"sender": "mailer-daemon@example.net"}, "O6", 1, id="O6 whoever sends it"),
        pytest.param({"to": ["sales@example.com"]}, "R9", 0, id="to somebody else"),
        pytest.param({"to": [BOUNCE]}, "P7", 0, id="to the bounce address without handle"),
        pytest.param({"to": ["bounce+mfrggzdfmztwq2lk@example.com"]}, "P7", 0, id="an unsigned handle"),
    ],
)
def test_o6_mail_to_a_leave_link_is_a_leave(fields: dict[str, Any], rule: str, asked: int) -> None:
    seen = views()
    decision = take(mail("leave", **{"to": [leave_address(seen)], "sender": EVE, **fields}), seen)
    outcome = end(decision.emit)
    assert outcome.rule == rule
    leaves = [each for each in decision.emit if isinstance(each, LeaveAsked)]
    assert [(each.notification_id, each.how) for each in leaves] == [(NOTIFICATION, "mailto")] * asked
    if asked:
        assert isinstance(outcome, MessageSettled)
        assert (outcome.outcome, outcome.notification_ids) == (Outcome.REPORT, (NOTIFICATION,))
        assert not [each for each in decision.emit if isinstance(each, AddressHeardFrom | DeliveryReported)]


def test_o6_several_handles_are_several_leaves() -> None:
    seen = views()
    others = [leave_address(seen, notification_id(SENT, DAN)), leave_address(seen), leave_address(seen).upper()]
    decision = take(mail("leave", to=others, sender=EVE), seen)
    leaves = [each for each in decision.emit if isinstance(each, LeaveAsked)]
    assert {each.notification_id for each in leaves} == {NOTIFICATION, notification_id(SENT, DAN)}
    assert len({each.event_id for each in leaves}) == len(leaves) == 2
