"""From bytes to MailReceived: what routing will go by."""

import pytest

from postroad.ingest.accept import Origin
from postroad.ingest.read import read, sanitise
from postroad.ingest.received import Acceptance, received
from postroad_schemas import read as read_record
from postroad_schemas import record
from postroad_schemas.mail import Door, MailReceived, ReportKind
from postroad_schemas.values import Degree, Envelope, ObjectRef
from tests.support.declared import AT, views

PLAIN = b"From: Anna <anna@example.org>\r\nTo: sales@example.com\r\nMessage-ID: <1@example.org>\r\nSubject: Hi\r\n"


def event(raw: bytes, envelope: Envelope | None = None, trusted: tuple[str, ...] = ()) -> MailReceived:
    reading = read(raw, Origin(Door.SMTP, "session", "1"))
    refs = {content: ObjectRef(ref=f"sha256/{n}", size=len(content)) for n, content in enumerate(reading.objects)}
    acceptance = Acceptance("e" * 32, AT, Door.SMTP, envelope or Envelope(), trusted_authserv=trusted)
    made = received(reading.mail, reading.stored(refs), acceptance, views().directory)
    assert read_record("mail.received", record(made).value or b"") == made
    return made


def test_an_ordinary_mail() -> None:
    made = event(PLAIN + b"References: <0@example.org>\r\n\r\nHello\r\n\r\n-- \r\nAnna\r\n")

    assert made.author is not None
    assert (made.author.address, made.author.name) == ("anna@example.org", "Anna")
    assert [box.address for box in made.to] == ["sales@example.com"]
    assert (made.message_id, made.references, made.subject) == ("<1@example.org>", ("<0@example.org>",), "Hi")
    assert made.trace_id == made.event_id
    assert made.contents.text_ref != made.contents.reply_ref
    assert made.automatic is None
    assert made.report is None


def test_a_missing_message_id_is_derived_alike_whatever_the_trace_fields() -> None:
    bare = PLAIN.replace(b"Message-ID: <1@example.org>\r\n", b"")
    one = event(b"Received: from a\r\nReturn-Path: <x@example.org>\r\n" + bare + b"\r\nHello")
    two = event(b"Received: from b\r\nDelivered-To: sales@example.com\r\n" + bare + b"\r\nHello")

    assert one.message_id_derived
    assert one.message_id == two.message_id


@pytest.mark.parametrize(
    ("fields", "envelope", "degree"),
    [
        pytest.param(b"Auto-Submitted: auto-replied\r\n", Envelope(), Degree.ANSWER, id="an answer by machine"),
        pytest.param(b"Precedence: bulk\r\n", Envelope(), Degree.MADE, id="made by machine"),
        pytest.param(b"", Envelope(mail_from=""), Degree.ANSWER, id="null reverse-path in the envelope"),
        pytest.param(b"Return-Path: <>\r\n", Envelope(), Degree.ANSWER, id="null Return-Path, no envelope"),
        pytest.param(b"Return-Path: <>\r\n", Envelope(mail_from="a@b.example"), None, id="the envelope is asked first"),
        pytest.param(b"Auto-Submitted: no\r\n", Envelope(), None, id="no is no sign"),
    ],
)
def test_automatic_mail_in_two_degrees(fields: bytes, envelope: Envelope, degree: Degree | None) -> None:
    made = event(PLAIN + fields + b"\r\nHello", envelope)

    assert (made.automatic.degree if made.automatic else None) == degree


@pytest.mark.parametrize(
    ("raw", "envelope", "kind"),
    [
        pytest.param(
            PLAIN + b"\r\nx", Envelope(rcpt_to=("bounce+abc@example.com",)), ReportKind.UNKNOWN, id="to bounce"
        ),
        pytest.param(PLAIN + b"Cc: bounce@example.com\r\n\r\nx", Envelope(), None, id="Cc of bounce is not to-like"),
        pytest.param(
            PLAIN + b"Cc: Bounce@example.com\r\n\r\nx",
            Envelope(rcpt_to=("bounce@EXAMPLE.com",)),
            None,
            id="nor is an envelope recipient that Cc names (M3)",
        ),
        pytest.param(
            b"From: Mailer-Daemon@mx.example\r\nTo: sales@example.com\r\n\r\nx",
            Envelope(),
            ReportKind.UNKNOWN,
            id="daemon",
        ),
    ],
)
def test_reports_are_recognised_by_looks_and_by_address(
    raw: bytes, envelope: Envelope, kind: ReportKind | None
) -> None:
    made = event(raw, envelope)

    assert (made.report.kind if made.report else None) == kind


def test_only_a_trusted_edge_gives_a_verdict() -> None:
    raw = PLAIN + b"Authentication-Results: mx.example.com; spf=pass; dmarc=fail\r\n\r\nHello"

    assert event(raw).verdict.dmarc == ""
    assert event(raw, trusted=("mx.example.com",)).verdict.dmarc == "fail"


@pytest.mark.parametrize(
    ("html", "kept", "gone"),
    [
        pytest.param('<p onclick="x()">Hi</p><script>alert(1)</script>', "<p>Hi</p>", "alert", id="scripts go"),
        pytest.param('<img src="cid:logo@example">', "cid:logo@example", "http", id="cid: links stay"),
        pytest.param('<a href="javascript:x()">y</a>', "y", "javascript", id="script links go"),
    ],
)
def test_html_is_sanitised(html: str, kept: str, gone: str) -> None:
    clean = sanitise(html)

    assert kept in clean
    assert gone not in clean
