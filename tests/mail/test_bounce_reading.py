"""From fields and words to an answer per recipient: kinds (P2), blocks (P3), reasons (P6), hostile notices."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from postroad.mail.bounce.reading import Reading, read_bounce
from postroad.mail.parse import read
from postroad.mail.status import judge

HEAD = b"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n"
FAILED = b"I wasn't able to deliver your message to the following addresses.\n\n"


def reading(raw: bytes) -> Reading:
    mail = read(raw)
    return read_bounce(mail.root, mail.as_report)


def report(fields: str, kind: str = "delivery-status", text: str = "sorry") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; report-type={kind}; boundary=b\n\n"
        f"--b\n\n{text}\n--b\nContent-Type: message/{kind}\n\n{fields}\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("raw", "kind", "addresses"),
    [
        pytest.param(
            report("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1"),
            "bounce",
            ["a@b.example"],
            id="P2 failed",
        ),
        pytest.param(
            report("Final-Recipient: rfc822; a@b.example\nAction: relayed\nStatus: 2.0.0"),
            "delivered",
            [],
            id="P2 relayed",
        ),
        pytest.param(
            report(
                "Final-Recipient: rfc822; a@b.example\nAction: delivered\n\n"
                "Final-Recipient: rfc822; c@d.example\nAction: failed"
            ),
            "bounce",
            ["c@d.example"],
            id="P3 one of two delivered",
        ),
        pytest.param(
            report("Final-Recipient: rfc822; a@b.example\nAction: failure"),
            "bounce",
            ["a@b.example"],
            id="a wrong word",
        ),
        pytest.param(
            report("Final-Recipient: rfc822; a@b.example\nAction: expired\nDiagnostic-Code: smtp; too late"),
            "bounce",
            ["a@b.example"],
            id="a word of its own",
        ),
        pytest.param(
            report("Final-Recipient: rfc822; a@inside\nOriginal-Recipient: rfc822; a@b.example\nAction: failed"),
            "bounce",
            ["a@b.example"],
            id="a name inside a server is not who was written to",
        ),
        pytest.param(
            report("Reporting-MTA: dns; x", text="Your message could not be delivered to:\n\n  a@b.example\n"),
            "bounce",
            ["a@b.example"],
            id="P4 no block: the text says who",
        ),
        pytest.param(
            report("Feedback-Type: abuse\nOriginal-Rcpt-To: <a@b.example>", "feedback-report"),
            "feedback",
            ["a@b.example"],
            id="P2 a complaint",
        ),
        pytest.param(
            report(
                "Final-Recipient: rfc822; a@b.example\nDisposition: manual-action/x; displayed",
                "disposition-notification",
            ),
            "receipt",
            [],
            id="P2 a receipt",
        ),
        pytest.param(
            report(
                "Final-Recipient: rfc822; a@b.example\nDisposition: automatic-action/x; deleted",
                "disposition-notification",
                "Your message to <a@b.example> was automatically rejected:\nQuota exceeded",
            ),
            "bounce",
            ["a@b.example"],
            id="a mail filter refuses by a receipt (RFC 5429)",
        ),
        pytest.param(b"", "normal", [], id="nothing at all"),
    ],
)
def test_tells_kinds(raw: bytes, kind: str, addresses: list[str]) -> None:
    found = reading(raw)
    assert (found.kind, [one.address for one in found.recipients]) == (kind, addresses)


@pytest.mark.parametrize(
    ("text", "reason", "permanence"),
    [
        ("550-5.1.1 The account that you tried to reach does not exist. 550 5.1.1 gsmtp", "user_unknown", "permanent"),
        ("550 5.4.1 Recipient address rejected: Access denied. [x.prod.outlook.com]", "user_unknown", "permanent"),
        ("550 5.4.310 DNS domain a.example does not exist", "host_unknown", "permanent"),
        ("Host or domain name not found. Name service error for name=a.example", "host_unknown", "permanent"),
        ("452-4.2.2 The recipient's inbox is out of storage space", "mailbox_full", "temporary"),
        ("mailbox is full", "mailbox_full", "temporary"),
        ("552 5.3.4 Message size exceeds fixed limit", "size", "permanent"),
        ("550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "spam", "permanent"),
        ("554 5.7.1 [CS01] Message rejected due to local policy", "policy", "permanent"),
        ("550-5.7.26 Unauthenticated email is not accepted due to the DMARC policy", "auth", "permanent"),
        ("421 4.7.0 [TSS04] Messages from 192.0.2.1 deferred due to unexpected volume", "rate", "temporary"),
        ("421 smtp.orange.example Trop de connexions, veuillez verifier votre configuration", "rate", "temporary"),
        ("450 4.2.0 Recipient address rejected: Greylisted", "greylisted", "temporary"),
        ("550-5.2.1 The email account that you tried to reach is inactive", "suspended", "permanent"),
        ("retry timeout exceeded", "expired", "temporary"),
        ("554 5.4.0 Error: too many hops", "loop", "permanent"),
        ("554 5.7.7 too many equal X-headers", "content", "permanent"),
        ("connect to a.example[192.0.2.1]:25: Connection refused", "network", "temporary"),
        ("554 5.7.1 Relay access denied", "policy", "permanent"),
        ("550 Sender address rejected: Domain not found", "policy", "permanent"),
        (
            "We're writing to let you know that the group you tried to contact may not exist",
            "user_unknown",
            "permanent",
        ),
        ("5.3.0 - Other mail system problem 550-'Unknown user bob@a.example'", "user_unknown", "permanent"),
        ("550 #5.1.0 Address rejected.", "user_unknown", "permanent"),
        ("550 5.1.1 <bob@a.example>: Recipient address rejected", "user_unknown", "permanent"),
        ("550 5.7.1 <bob@a.example>: Recipient address rejected", "policy", "permanent"),
        ("550 5.7.606 Access denied, banned sending IP [192.0.2.1]", "spam", "permanent"),
        ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", "auth", "permanent"),
        ("421 4.2.1 Service refused, please try later", "policy", "temporary"),
        ("550 User <bob@a.example> unknown", "user_unknown", "permanent"),
        (
            "550 The mailbox does not exist (see https://a.example/spam or ask spam@a.example)",
            "user_unknown",
            "permanent",
        ),
        ("550 5.7.1 Message content rejected, UBE, id=1", "spam", "permanent"),
        ("Your mail was rejected due to spam classification. Set up SPF and DKIM", "spam", "permanent"),
        ("552-5.7.0 blocked because its content presents a potential security issue", "content", "permanent"),
        ("550 5.7.1 <bob@a.example>: User temporary locked", "suspended", "permanent"),
        ("525 5.7.13 Disabled recipient address", "suspended", "permanent"),
        ("SMTP error after MAIL FROM:<s@our.example>: 550 5.1.7 No such domain", "policy", "permanent"),
        ("an MX or SRV record indicated no SMTP service", "host_unknown", "permanent"),
        ("I'm not going to try again; this message has been in the queue too long.", "expired", "temporary"),
        ("all hosts have been failing for a long time", "expired", "temporary"),
        ("Could not deliver for the last 432000 seconds. Giving up.", "expired", "temporary"),
        ("550 <user.unknown@a.example>: see https://a.example/mailbox-full", "other", "permanent"),
    ],
)
def test_says_why(text: str, reason: str, permanence: str) -> None:
    verdict = judge(action="failed", text=text)
    assert (verdict.reason, verdict.permanence) == (reason, permanence)


@pytest.mark.parametrize(
    ("raw", "recipients"),
    [
        pytest.param(
            HEAD + b"\n" + FAILED + b"".join(b"<u%d@a.example>:\n550 no\n\n" % n for n in range(5_000)),
            5_000,
            id="5,000 recipients",
        ),
        pytest.param(HEAD + b"\n" + FAILED + b"<a@b.c>: \n" * 2_000_000, 1, id="20 MB of one recipient"),
        pytest.param(HEAD + b"\n" + FAILED + b"@" * 20_000_000, 0, id="20 MB in a line"),
        pytest.param(HEAD + b"\n" + FAILED + b"\n" * 20_000_000, 0, id="20 MB of nothing"),
        pytest.param(
            HEAD + b"Content-Type: text/html\n\n" + FAILED + b"<p>to <b>a@b.example" * 400_000,
            1,
            id="HTML never closed",
        ),
        pytest.param(
            b"".join(
                HEAD
                + b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\nContent-Type: message/rfc822\n\n" % (n, n)
                for n in range(200)
            ),
            0,
            id="reports in reports",
        ),
        pytest.param(
            b"".join(
                HEAD
                + b"Content-Type: multipart/report; boundary=b%d\n\n--b%d\n\nIt was not delivered.\n" % (n, n)
                + b"--b%d\nContent-Type: message/rfc822\n\n" % n
                for n in range(20)
            )
            + HEAD
            + b"\n"
            + FAILED
            + b"<a@b.example>:\n550 no\n",
            1,
            id="the innermost of twenty notices says who",
        ),
        pytest.param(HEAD + b"\n" + FAILED + b"Message-ID: \n" * 1_500_000, 0, id="20 MB of ids that are none"),
        pytest.param(
            HEAD + b"\n" + b"x\n" * 200_000 + b"Message-ID: <a@b.example>\n" + b"y\n" * 9_000_000,
            0,
            id="a header in a paragraph of 20 MB",
        ),
        pytest.param(HEAD + b"\n" + "не доставлено 配信できません ".encode() * 500_000, 0, id="20 MB in other scripts"),
        pytest.param(
            b"From: x@sns.amazonaws.com\nContent-Type: text/plain\n\n" + b'{"Type":' + b"[" * 20_000_000,
            0,
            id="JSON never closed",
        ),
        pytest.param(
            report("\n\n".join(f"Final-Recipient: rfc822; u{n}@a.example\nAction: failed" for n in range(10_000))),
            10_000,
            id="P3 10,000 blocks",
        ),
        pytest.param(report("Final-Recipient: " * 1_200_000), 0, id="20 MB of one field"),
    ],
)
def test_hostile_notices_are_read_in_linear_time(raw: bytes, recipients: int) -> None:
    assert len(reading(raw).recipients) == recipients


def test_the_command_answers_each_line_before_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(HEAD + b"\n" + FAILED + b"<a@b.example>:\n550 5.1.1 no such user\n")
    command = [sys.executable, "-c", "from postroad.cli.main import main; main()", "bounce", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{tmp_path / 'a.eml'}\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        process.stdin.write(f"{tmp_path / 'none.eml'}\n")
        process.stdin.close()
        missing = json.loads(process.stdout.readline())
    assert answer == {
        "kind": "bounce",
        "recipients": [
            {
                "address": "a@b.example",
                "action": "failed",
                "status": "5.1.1",
                "permanent": True,
                "hard": True,
                "reason": "user_unknown",
                "diagnostic": "550 5.1.1 no such user",
            }
        ],
        "original_message_id": None,
    }
    assert list(missing) == ["error"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        pytest.param(
            HEAD + b"\n" + FAILED + b"<a@b.example>:\n550 5.1.1 no such user\n",
            [("a@b.example", "failed", "text")],
            id="P4 the text says who",
        ),
        pytest.param(
            b"From: Bob <bob@b.example>\nSubject: Absent\nAuto-Submitted: auto-replied\n\nWrite to a@b.example\n",
            [],
            id="P4 an absence answer counts nothing",
        ),
        pytest.param(
            report("Final-Recipient: rfc822; a@b.example\nAction: failed"),
            [("a@b.example", "failed", "fields")],
            id="fields before words",
        ),
    ],
)
def test_reports_name_their_witness(raw: bytes, told: list[tuple[str, str, str]]) -> None:
    recipients = read(raw).as_report.recipients
    assert [(one.final_recipient, one.action, one.witness) for one in recipients] == told
