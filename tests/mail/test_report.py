"""Reports: P1-P5."""

import pytest

from postroad.mail.parse import read
from postroad.mail.report import Report

STATUS = """Reporting-MTA: dns; mx.example
Arrival-Date: Mon, 1 May 2023 10:00:00 +0000

Final-Recipient: rfc822; one@a.example
Original-Recipient: rfc822;first@a.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.a.example
Diagnostic-Code: smtp; 550 5.1.1 no such
 user

Final-Recipient: rfc822;<two@A.example>
Action: Delayed (warning)
Status: 4.4.1 (no answer)
Will-Retry-Until: Tue, 2 May 2023 10:00:00 +0000
"""
RETURNED = "Message-ID: <ours@p.example>\nTo: One <one@a.example>\nReferences: <r1@x>\nIn-Reply-To: <r2@x>\n\nwords"


def report_mail(*parts: tuple[str, str], kind: str = "delivery-status") -> bytes:
    body = "".join(f"--b\nContent-Type: {type_}\n\n{text}\n" for type_, text in parts)
    head = f"From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; report-type={kind}; boundary=b\n"
    return f"{head}In-Reply-To: <fallback@p.example>\n\n{body}--b--\n".encode()


def report(raw: bytes) -> Report:
    found = read(raw).report
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("head", "is_report"),
    [
        pytest.param("From: MAILER-DAEMON@a.example", True, id="P1 mailer-daemon"),
        pytest.param("From: Mail System <Mailer-Daemon@a.example>", True, id="P1 in any case"),
        pytest.param("From: MAILER-DAEMON (Mail System)", True, id="P1 without a domain"),
        pytest.param("From: <MAILER-DAEMON>", True, id="P1 in brackets, without a domain"),
        pytest.param("From: mailer-daemon <mary@a.example>", False, id="a name is no local part"),
        pytest.param("From: mailer-daemon2@a.example", False, id="another local part"),
        pytest.param("Content-Type: multipart/report; report-type=x; boundary=b", True, id="P1 multipart/report"),
        pytest.param("Content-Type: Multipart/Report", True, id="P1 without boundary"),
        pytest.param("Content-Type: multipart/delivery-status", True, id="P1 a malformed type"),
        pytest.param(
            'Content-Type: multipart/mixed; report-type="delivery-status"; boundary=b', True, id="P1 misplaced"
        ),
        pytest.param("Content-Type: text/plain", False, id="an ordinary mail"),
        pytest.param("Subject: Undelivered Mail Returned", False, id="words are no sign"),
    ],
)
def test_recognises_reports(head: str, is_report: bool) -> None:
    assert (read(f"{head}\n\nwords".encode()).report is not None) is is_report


def test_a_forwarded_report_is_no_report() -> None:
    inner = report_mail(("message/delivery-status", STATUS)).decode()
    head = "From: m@a.example\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n"
    raw = f"{head}{inner}--o--"
    assert read(raw.encode()).report is None


def test_every_recipient_is_read_with_its_own_status() -> None:
    found = report(
        report_mail(("text/plain", "sorry"), ("message/delivery-status", STATUS), ("message/rfc822", RETURNED))
    )
    assert found.kind == "delivery-status"
    assert found.reporting_mta == "mx.example"
    one, two = found.recipients
    assert (one.final_recipient, one.original_recipient) == ("one@a.example", "first@a.example")
    assert (one.action, one.status, one.remote_mta) == ("failed", "5.1.1", "mx.a.example")
    assert one.diagnostic_code == "550 5.1.1 no such user"
    assert (two.final_recipient, two.action, two.status) == ("two@a.example", "delayed", "4.4.1")


@pytest.mark.parametrize(
    ("status", "recipients"),
    [
        pytest.param("Final-Recipient: rfc822;a@b.c\nAction: failed", ["a@b.c"], id="no block about the message"),
        pytest.param("Reporting-MTA: x\nFinal-Recipient: rfc822;a@b.c", ["a@b.c"], id="the blank line forgotten"),
        pytest.param(
            "Final-Recipient: rfc822;a@b.c\nFinal-Recipient: rfc822;d@e.f", ["a@b.c", "d@e.f"], id="between two"
        ),
        pytest.param("A: b\n\n\n \n\nFinal-Recipient: rfc822;a@b.c", ["a@b.c"], id="too many blank lines"),
        pytest.param("Final-Recipient: LOCAL;<>\nAction: failed", [""], id="P4 malformed is absent"),
        pytest.param("Final-Recipient: a@b.c", ["a@b.c"], id="the type left out"),
        pytest.param("a remark\nFinal-Recipient: rfc822;a@b.c", ["a@b.c"], id="a remark on top"),
    ],
)
def test_odd_delivery_statuses(status: str, recipients: list[str]) -> None:
    found = report(report_mail(("message/delivery-status", status)))
    assert [one.final_recipient for one in found.recipients] == recipients


@pytest.mark.parametrize(
    ("part", "ids"),
    [
        pytest.param(("message/rfc822", RETURNED), "<ours@p.example>", id="P5 message/rfc822"),
        pytest.param(("message/rfc822-headers", RETURNED), "<ours@p.example>", id="P5 headers under an odd type"),
        pytest.param(("text/rfc822-headers", RETURNED), "<ours@p.example>", id="P5 headers alone"),
        pytest.param(
            (
                "text/rfc822-headers\nContent-Transfer-Encoding: quoted-printable",
                "Message-ID: =3Cours=40p.exam=\nple>\n",
            ),
            "<ours@p.example>",
            id="P5 quoted-printable",
        ),
        pytest.param(
            ("message/rfc822", "X-Microsoft-Original-Message-ID: <ours@p.example>\n\nx"),
            "<ours@p.example>",
            id="P5 X-Microsoft",
        ),
        pytest.param(
            ("text/plain", f"sorry\n\n--- copy ---\n\n{RETURNED}"), "<ours@p.example>", id="pasted into the text"
        ),
        pytest.param(("text/plain", "sorry"), "<fallback@p.example>", id="P5 else what the report answers to"),
    ],
)
def test_finds_the_original(part: tuple[str, str], ids: str) -> None:
    assert report(report_mail(part)).original_message_id == ids


def test_the_returned_part_tells_more() -> None:
    found = report(report_mail(("message/rfc822", RETURNED)))
    assert (found.original_to, found.original_references) == (("one@a.example",), ("<r1@x>", "<r2@x>"))
    assert found.original_message_ids == ("<ours@p.example>", "<fallback@p.example>")
    assert found.returned is not None
    assert found.returned.text("to") == "One <one@a.example>"


def test_a_read_receipt() -> None:
    fields = (
        "Final-Recipient: rfc822;m@a.example\nOriginal-Message-ID: <ours@p.example>\n"
        "Disposition: manual-action/MDN-sent-manually; displayed"
    )
    found = report(report_mail(("message/disposition-notification", fields), kind="disposition-notification"))
    assert (found.kind, found.disposition, found.original_message_id) == (
        "disposition-notification",
        "displayed",
        "<ours@p.example>",
    )
    assert [one.final_recipient for one in found.recipients] == ["m@a.example"]


def test_a_complaint() -> None:
    fields = "Feedback-Type: Abuse\nUser-Agent: x/1\nOriginal-Rcpt-To: <m@a.example>\nSource-IP: 192.0.2.1"
    found = report(
        report_mail(("message/feedback-report", fields), ("message/rfc822", RETURNED), kind="feedback-report")
    )
    assert found.kind == "feedback-report"
    assert found.feedback is not None
    assert (found.feedback.feedback_type, found.feedback.original_rcpt_to) == ("abuse", ("m@a.example",))
    assert found.original_message_id == "<ours@p.example>"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        pytest.param("Feedback-Type: abuse", "feedback-report", id="P2 a complaint by its field"),
        pytest.param(
            "Final-Recipient: rfc822;a@b.c\nDisposition: x; deleted", "disposition-notification", id="P2 a receipt"
        ),
        pytest.param(
            "Reporting-MTA: x\n\nFinal-Recipient: rfc822;a@b.c\nAction: failed", "delivery-status", id="P2 a status"
        ),
    ],
)
def test_kinds_are_told_by_fields_under_a_wrong_type(fields: str, kind: str) -> None:
    assert report(report_mail(("text/plain", fields), kind="odd")).kind == kind


def test_a_free_form_notice_names_what_it_can() -> None:
    found = report(b"From: mailer-daemon@a.example\nX-Failed-Recipients: a@b.example,\n c@d.example\n\nno such user")
    assert (found.kind, found.failed_recipients) == ("unknown", ("a@b.example", "c@d.example"))


def test_mail_to_a_bounce_address_is_read_as_a_report_whatever_it_looks_like() -> None:
    mail = read(b"From: postmaster@a.example\n\nsorry\n\nMessage-ID: <ours@p.example>\nSubject: x\n")
    assert mail.report is None
    assert mail.as_report.original_message_id == "<ours@p.example>"
