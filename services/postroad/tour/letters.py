"""The mails of the tour, as they would come over the wire."""

from email.message import EmailMessage
from email.utils import make_msgid

DOMAIN = "example.com"
CUSTOMER = "anna@customer.example"
MARY = "mary@example.com"
PAUL = "paul@example.com"

DIRECTORY = {
    "domain": [{"name": DOMAIN, "company": "Example Ltd", "default": True}],
    "alias": [{"address": f"sales@{DOMAIN}", "record_type": "crm.lead", "defaults": {"team": "Europe"}}],
    "contact": [
        {"id": "1", "address": MARY, "name": "Mary Keys", "kind": "internal"},
        {"id": "2", "address": PAUL, "name": "Paul Rivers", "kind": "internal"},
        {"id": "3", "address": CUSTOMER, "name": "Anna Brook"},
    ],
}


def letter(author: str, to: str, subject: str, text: str, **fields: str) -> EmailMessage:
    """A plain mail; `fields` are further header fields, with _ for -."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = author, to, subject
    mail["Message-ID"] = make_msgid(domain=author.rpartition("@")[2].rstrip(">"))
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


def delivery_report(recipient: str, return_path: str, returned: bytes) -> EmailMessage:
    """What the customer's server says days later: no such mailbox (RFC 3464)."""
    report = EmailMessage()
    report["From"] = "MAILER-DAEMON@mx.customer.example"
    report["To"], report["Subject"] = return_path, "Undelivered Mail Returned to Sender"
    report["Message-ID"] = make_msgid(domain="mx.customer.example")
    report["Auto-Submitted"] = "auto-replied"
    report.set_content(f"Your message to {recipient} could not be delivered.\n")
    status = (
        "Reporting-MTA: dns; mx.customer.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user here\r\n"
    )
    report.add_attachment(status.encode(), maintype="message", subtype="delivery-status")
    report.replace_header("Content-Type", "multipart/report; report-type=delivery-status")
    report.set_boundary("=_report")
    headers = returned.replace(b"\r\n", b"\n").split(b"\n\n")[0] + b"\n"
    report.add_attachment(headers, maintype="text", subtype="rfc822-headers")
    return report
