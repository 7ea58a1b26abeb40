"""Reports as other servers write them (RFC 3464, RFC 5965)."""

from collections.abc import Iterable


def dsn(
    recipients: Iterable[tuple[str, str, str]],
    original_id: str = "",
    *,
    number: int = 1,
    to: str = "bounce@example.com",
    original_to: str = "eve@customer.example",
) -> str:
    """A delivery status notification. `recipients`: Final-Recipient, Action and Status of each block."""
    blocks = "\r\n".join(
        f"Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} told so\r\n"
        for address, action, status in recipients
    )
    returned = (
        f"Message-ID: {original_id}\r\nTo: {original_to}\r\nSubject: News\r\n" if original_id else "Subject: News\r\n"
    )
    return (
        f"From: MAILER-DAEMON@mx.customer.example\r\nTo: {to}\r\nSubject: Undelivered\r\n"
        f"Message-ID: <report-{number}@mx.customer.example>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.customer.example\r\n\r\n{blocks}\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}\r\n--b--\r\n"
    )


def complaint(original_id: str, original_to: str, *, number: int = 1, to: str = "bounce@example.com") -> str:
    return (
        f"From: feedback@isp.example\r\nTo: {to}\r\nSubject: Abuse\r\nMessage-ID: <arf-{number}@isp.example>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nUnwanted.\r\n"
        "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
        f"User-Agent: isp/1\r\nOriginal-Rcpt-To: {original_to}\r\n\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"Message-ID: {original_id}\r\nTo: {original_to}\r\n\r\n--b--\r\n"
    )
