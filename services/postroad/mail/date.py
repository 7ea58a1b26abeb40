"""Dates of mail (RFC 5322 3.3) in UTC; unreadable ones are None (M5)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST = 128


def parse_date(text: str) -> datetime | None:
    """The moment in UTC; without a zone it is UTC (M5). None when absent or unreadable."""
    if not text.strip():
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text.strip()[:_LONGEST])
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
