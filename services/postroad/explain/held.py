"""Which held mails are meant, and how long they wait."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from postroad.mail.address import normalise
from postroad_schemas.mail import HeldMail

_AGE = re.compile(r"(\d{1,6})\s*([smhd])\Z", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LENGTHS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """All of what is given must be so."""

    rule: str = ""
    alias: str = ""  # one of the mail's recipients
    waited: timedelta = timedelta(0)  # longer than this

    def of(self, found: Iterable[HeldMail], now: datetime) -> list[HeldMail]:
        """Those that are meant, the longest waiting first."""
        meant = [held for held in found if self._means(held, now)]
        return sorted(meant, key=lambda held: (held.occurred_at, held.mail.event_id))

    def _means(self, held: HeldMail, now: datetime) -> bool:
        if self.rule and held.rule != self.rule:
            return False
        if self.alias and normalise(self.alias) not in recipients(held):
            return False
        return not self.waited or now - held.occurred_at > self.waited


def recipients(held: HeldMail) -> set[str]:
    """All addresses it is for, normalised."""
    mail = held.mail
    boxes = (*mail.to, *mail.cc, *mail.delivered_to, *mail.resent_to, *mail.resent_cc)
    return {normalise(one) for one in (*(mail.envelope.rcpt_to or ()), *(box.address for box in boxes))}


def age(text: str) -> timedelta:
    """What "30m", "12h" or "2d" says. Raises ValueError with what to write."""
    found = _AGE.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no age: write 30m, 12h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def per_second(text: str) -> float:
    """What "5/s" or "5" says. Raises ValueError with what to write."""
    try:
        found = float(text.strip().removesuffix("/s"))
    except ValueError:
        found = 0.0
    if not 0 < found <= 10_000:
        raise ValueError(f"{text!r} is no rate: write how many a second, such as 5/s")
    return found


def how_long(waited: timedelta) -> str:
    """In the largest unit that fits."""
    seconds = max(0, int(waited.total_seconds()))
    return next((f"{seconds // length}{unit}" for length, unit in _LENGTHS if seconds >= length), "0s")
