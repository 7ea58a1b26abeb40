"""Dates of mail (RFC 5322 3.3) in UTC; unreadable ones are None (M5)."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

_LONGEST = 128
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) "
    r"(\d\d):(\d\d):(\d\d) ([+-])(\d\d)([0-5]\d)(?: \([A-Z]+\))?\Z",
    re.ASCII,
)


def parse_date(text: str) -> datetime | None:
    """The moment in UTC; without a zone it is UTC (M5). None when absent or unreadable."""
    if not text.strip():
        return None
    for read in (_usual, parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text.strip()[:_LONGEST])
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _usual(text: str) -> datetime:
    """As nearly all programs write it; a ValueError for whatever differs."""
    match = _USUAL.match(text)
    if match is None:
        raise ValueError(text)
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    zone = timezone(-ahead if sign == "-" else ahead)
    at = _MONTHS.index(month.lower()) + 1
    return datetime(int(year), at, int(day), int(hour), int(minute), int(second), tzinfo=zone)
