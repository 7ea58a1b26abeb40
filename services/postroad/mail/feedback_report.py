"""Feedback reports (RFC 5965): somebody complained about a mail."""

from dataclasses import dataclass
from datetime import datetime

from postroad.mail.address import bare_address
from postroad.mail.date import parse_date
from postroad.mail.header import read_header

MAX_RECIPIENTS = 1_000


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """RFC 5965 3.1 and 3.2, the fields that say what was complained of."""

    feedback_type: str  # abuse, fraud, virus, not-spam, ...; lower case
    user_agent: str = ""
    original_mail_from: str = ""
    original_rcpt_to: tuple[str, ...] = ()
    arrival_date: datetime | None = None
    source_ip: str = ""
    reported_domain: str = ""


def read_feedback_report(payload: bytes) -> FeedbackReport:
    """A message/feedback-report body; fields that are missing are ""."""
    fields, _ = read_header(payload.lstrip(), 0)
    rcpt_to = (bare_address(field) for field in fields.all_unfolded("original-rcpt-to")[:MAX_RECIPIENTS])
    return FeedbackReport(
        feedback_type=fields.unfolded("feedback-type").lower(),
        user_agent=fields.unfolded("user-agent"),
        original_mail_from=bare_address(fields.unfolded("original-mail-from")),
        original_rcpt_to=tuple(address for address in rcpt_to if address),
        arrival_date=parse_date(fields.unfolded("arrival-date") or fields.unfolded("received-date")),
        source_ip=fields.unfolded("source-ip"),
        reported_domain=fields.unfolded("reported-domain").lower(),
    )
