"""The mails of the tour, as they would come over the wire."""

from email.message import EmailMessage, Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
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


def delivery_report(recipient: str, return_path: str, returned: bytes) -> Message:
    """What the customer's server says days later: no such mailbox (RFC 3464)."""
    report = MIMEMultipart("report", report_type="delivery-status")
    report["From"] = "MAILER-DAEMON@mx.customer.example"
    report["To"], report["Subject"] = return_path, "Undelivered Mail Returned to Sender"
    report["Message-ID"] = make_msgid(domain="mx.customer.example")
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"Your message to {recipient} could not be delivered.\n"))
    status = MIMEBase("message", "delivery-status")
    status.attach(_block(Reporting_MTA="dns; mx.customer.example"))
    status.attach(
        _block(
            Final_Recipient=f"rfc822; {recipient}",
            Action="failed",
            Status="5.1.1",
            Diagnostic_Code="smtp; 550 5.1.1 no such user here",
        )
    )
    report.attach(status)
    headers = returned.replace(b"\r\n", b"\n").split(b"\n\n")[0].decode("utf-8", "replace")
    report.attach(MIMEText(headers, "rfc822-headers"))
    return report


def _block(**fields: str) -> Message:
    block = Message()
    for name, value in fields.items():
        block[name.replace("_", "-")] = value
    return block
