"""The fields of RFC 3464, and what servers make of them: blocks (P3), addresses (P4, RFC 6533), codings."""

from base64 import encodebytes
from quopri import encodestring

import pytest

from postroad.mail.bounce.reading import read_bounce
from postroad.mail.dsn import MAX_RECIPIENTS, RecipientReport, read_delivery_status
from postroad.mail.parse import read

ABOUT = "Reporting-MTA: dns; mx.example\nArrival-Date: Mon, 1 May 2023 10:00:00 +0000\n\n"
ONE = "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n"
READ_ONE = [("a@b.example", "", "failed", "5.1.1", "550 no such user")]


def told(one: RecipientReport) -> tuple[str, str, str, str, str]:
    return one.final_recipient, one.original_recipient, one.action, one.status, one.diagnostic_code


@pytest.mark.parametrize(
    ("fields", "recipients"),
    [
        pytest.param(ABOUT + ONE, READ_ONE, id="RFC 3464 2.1 as it should be"),
        pytest.param(ONE, READ_ONE, id="no fields about the message"),
        pytest.param(ABOUT.strip() + "\n" + ONE, READ_ONE, id="the blank line before the recipient is missing"),
        pytest.param("\n\n" + ABOUT + "\n\n\n" + ONE + "\n\n", READ_ONE, id="blank lines doubled"),
        pytest.param((ABOUT + ONE).replace("\n", "\r\n"), READ_ONE, id="CRLF"),
        pytest.param(ABOUT + ONE.replace("no such", "no\n such"), READ_ONE, id="RFC 5322 2.2.3 a folded diagnostic"),
        pytest.param(ABOUT + ONE.replace("; a@b", ";\n\ta@b"), READ_ONE, id="a folded address"),
        pytest.param(
            ABOUT + ONE.upper().replace("A@B.EXAMPLE", "a@b.example"),
            [("a@b.example", "", "failed", "5.1.1", "550 NO SUCH USER")],
            id="names in capitals",
        ),
        pytest.param(
            ABOUT + ONE + "\n" + ONE.replace("a@b", "c@d"),
            [*READ_ONE, ("c@d.example", "", "failed", "5.1.1", "550 no such user")],
            id="P3 two blocks",
        ),
        pytest.param(
            ABOUT + ONE + ONE.replace("a@b", "c@d"),
            [*READ_ONE, ("c@d.example", "", "failed", "5.1.1", "550 no such user")],
            id="P3 two blocks without a blank line between them",
        ),
        pytest.param(
            "The following could not be reached:\n" + ABOUT + "Remark of the server\n" + ONE,
            READ_ONE,
            id="remarks between",
        ),
        pytest.param(
            "Final-Recipient: rfc822; a@b.example\nStatus: 5.1.1 (no such user)",
            [("a@b.example", "", "", "5.1.1", "")],
            id="2.3.3 Action missing; 2.3.4 a comment behind the status",
        ),
        pytest.param(
            "Final-Recipient: rfc822; a@b.example\nAction: Failed (reason: unknown)\nStatus: 550 5.1.1",
            [("a@b.example", "", "failed", "5.1.1", "")],
            id="2.3.3 a comment behind the action; a reply code before the status",
        ),
        pytest.param(
            "Final-Recipient: rfc822; a@b.example\nAction: expired",
            [("a@b.example", "", "failed", "", "")],
            id="an action that is not in 2.3.3",
        ),
        pytest.param(
            "Final-Recipient: rfc822; a@b.example\nAction: pondered",
            [("a@b.example", "", "", "", "")],
            id="an action that nobody knows is none",
        ),
        pytest.param(
            "X-Actual-Recipient: rfc822; z@z.example\n"
            + ONE
            + "X-Display-Name: A\nX-PowerMTA-BounceCategory: bad-mailbox",
            READ_ONE,
            id="2.2.1 X- fields are passed over",
        ),
        pytest.param(
            "Original-Recipient: rfc822;user+2Btag@b.example\nFinal-Recipient: rfc822;box@in.b.example\nAction: failed",
            [("box@in.b.example", "user+tag@b.example", "failed", "", "")],
            id="2.3.1 the original beside it, in the xtext of RFC 3461 4",
        ),
        pytest.param(
            "Final-Recipient: utf-8; j\\x{F6}rg@b.example\nAction: failed",
            [("j\u00f6rg@b.example", "", "failed", "", "")],
            id="RFC 6533 3 utf-8-addr-xtext",
        ),
        pytest.param(
            "Final-Recipient: utf-8; \\x{110000}\\x{D800}j@b.example\nAction: failed",
            [("j@b.example", "", "failed", "", "")],
            id="RFC 6533 3 what is no character",
        ),
        pytest.param(
            "Final-Recipient: UTF-8; j\u00f6rg@b\u00fccher.example\nAction: failed",
            [("j\u00f6rg@xn--bcher-kva.example", "", "failed", "", "")],
            id="RFC 6533 3 in UTF-8 itself",
        ),
        pytest.param(
            "Final-Recipient: a@b.example\nAction: failed", [("a@b.example", "", "failed", "", "")], id="no type"
        ),
        pytest.param(
            "Final-Recipient: rfc822; <a@b.example>\nAction: failed",
            [("a@b.example", "", "failed", "", "")],
            id="brackets",
        ),
        pytest.param(
            "Final-Recipient: x400; /S=a/O=b/\nOriginal-Recipient: rfc822; a@b.example\nAction: failed",
            [("", "a@b.example", "failed", "", "")],
            id="P4 an address of another kind is as if absent",
        ),
        pytest.param(
            "Final-Recipient: rfc822;a@b.example\nAction: failed\nStatus: 5.0.0\n"
            "Diagnostic-Code: X-Notes; User not listed",
            [("a@b.example", "", "failed", "5.0.0", "User not listed")],
            id="Domino: a diagnostic of its own type",
        ),
        pytest.param(
            "Final-recipient: RFC822; a@b.example\nAction: failed\nStatus: 5.1.1\nX-Supplementary-Info: <mx #5.1.1>",
            [("a@b.example", "", "failed", "5.1.1", "")],
            id="Exchange: no diagnostic",
        ),
        pytest.param("", [], id="nothing"),
        pytest.param("\n\n\n", [], id="blank lines alone"),
        pytest.param("\x00\xff: ;;;\n\n:\n", [], id="no field at all"),
    ],
)
def test_reads_recipient_blocks(fields: str, recipients: list[tuple[str, ...]]) -> None:
    assert [told(one) for one in read_delivery_status(fields.encode()).recipients] == recipients


def test_recipients_are_bounded() -> None:
    blocks = "\n".join(f"Final-Recipient: rfc822; u{n}@b.example\nAction: failed\n" for n in range(MAX_RECIPIENTS + 5))
    assert len(read_delivery_status(blocks.encode()).recipients) == MAX_RECIPIENTS


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(f"Content-Type: message/delivery-status\n\n{ABOUT}{ONE}", id="its own type"),
        pytest.param(
            "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
            + encodebytes((ABOUT + ONE).encode()).decode(),
            id="base64, which RFC 3464 2.1 forbids",
        ),
        pytest.param(
            "Content-Type: message/delivery-status\nContent-Transfer-Encoding: quoted-printable\n\n"
            + encodestring((ABOUT + ONE).encode()).decode(),
            id="quoted-printable",
        ),
        pytest.param(f"Content-Type: text/plain\n\n{ABOUT}{ONE}", id="text/plain"),
        pytest.param(f"Content-Type: application/octet-stream\n\n{ABOUT}{ONE}", id="no type that says anything"),
        pytest.param(f"Content-Type: message/global-delivery-status\n\n{ABOUT}{ONE}", id="RFC 6533 4"),
        pytest.param(
            "Content-Type: message/delivery-status\n\nIt was refused.\n--b\n"
            f"Content-Type: message/delivery-status\n\n{ABOUT}{ONE}",
            id="the server's words under the type of the fields",
        ),
        pytest.param(
            f"Content-Type: message/delivery-status; charset=utf-16\nContent-Disposition: attachment\n\n{ABOUT}{ONE}",
            id="parameters that do not matter",
        ),
    ],
)
def test_finds_the_fields_however_they_are_sent(part: str) -> None:
    raw = (
        "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        f"--b\nContent-Type: text/plain\n\nSorry.\n--b\n{part}\n--b--\n"
    )
    mail = read(raw.encode())
    found = read_bounce(mail.root, mail.as_report)
    assert [(one.address, one.status, one.permanent, one.reason) for one in found.recipients] == [
        ("a@b.example", "5.1.1", True, "user_unknown")
    ]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        pytest.param(
            "Final-Recipient: rfc822; a@b.example\nStatus: 2.1.5", "delivered", id="class 2 without an action"
        ),
        pytest.param("Final-Recipient: rfc822; a@b.example\nStatus: 5.1.1", "bounce", id="class 5 without an action"),
        pytest.param(
            "Final-Recipient: rfc822; a@b.example\nAction: delayed", "bounce", id="a delay, of which it warns"
        ),
    ],
)
def test_what_a_block_without_an_action_says(fields: str, kind: str) -> None:
    raw = f"From: MAILER-DAEMON@mx.example\nContent-Type: message/delivery-status\n\n{fields}\n"
    mail = read(raw.encode())
    assert read_bounce(mail.root, mail.as_report).kind == kind
