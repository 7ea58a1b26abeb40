"""What one budget's key remembers, and its verdict on one mail: given once, then repeated."""

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta

import msgspec

from postroad.window import Recent
from postroad_schemas.mail import Budget

Verdict = tuple[float, str]  # time of receipt in UTC seconds, mail_id

LATE = timedelta(days=8)  # longer than mail.routed is kept: nothing comes again after that
VERDICTS = 1_000  # verdicts kept one by one; a flood's older ones are kept as one time


class Ledger(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One budget. A mail in `recent` or `returned` was let pass, one in `blocked` or not later than `floor` was not.

    A flood leaves thousands of blocked mails on one key. The oldest are dropped into `floor`: what was received up to
    then and is not known to have passed stays blocked. So a repeat never turns a held mail into a delivered one; a mail
    that comes later than a thousand others blocked after it is held.
    """

    recent: Recent = Recent()  # what counts
    blocked: tuple[Verdict, ...] = ()  # oldest first
    returned: tuple[Verdict, ...] = ()  # passed here, blocked later: counts no more
    floor: float = 0.0
    window: int = 0  # seconds, the longest that was asked for

    @property
    def keep(self) -> float:
        """Seconds that an entry is kept: a mail of 8 days ago still finds what was within its window."""
        return self.window + LATE.total_seconds()

    def give_back(self, mail_id: str, at: float) -> "Ledger":
        """L1: the mail counts no more. Told of a mail not seen yet, it is not counted when it comes."""
        if mail_id in self.recent:
            at = next(entry[0] for entry in self.recent.entries if entry[1] == mail_id)
        elif _has(self.returned, (at, mail_id)) or _has(self.blocked, (at, mail_id)):
            return self
        returned = _with(self.returned, (at, mail_id))[-VERDICTS:]
        return msgspec.structs.replace(self, recent=self.recent.without(mail_id), returned=returned)

    def judge(self, budget: Budget, mail_id: str, at: float, exempt: bool = False) -> tuple[bool, "Ledger"]:
        """Whether the mail fits, and what is remembered then. `exempt`: it counts and is let pass (R17)."""
        verdict = (at, mail_id)
        if self.recent.has(mail_id, at) or _has(self.returned, verdict):
            return True, self
        if _has(self.blocked, verdict) or (at <= self.floor and not exempt):
            return False, self
        window = max(self.window, budget.window)
        if exempt or self.recent.fits(at, budget.amount, budget.window, budget.limit):
            recent = self.recent.with_new(mail_id, at, budget.amount)
            return True, msgspec.structs.replace(self, recent=recent, window=window)
        blocked = _with(self.blocked, verdict)
        dropped = blocked[:-VERDICTS]
        floor = max(self.floor, dropped[-1][0]) if dropped else self.floor
        return False, msgspec.structs.replace(self, blocked=blocked[len(dropped) :], floor=floor, window=window)

    def oldest(self) -> float | None:
        """When the first of what is remembered was received."""
        heads = [entries[0][0] for entries in (self.recent.entries, self.blocked, self.returned) if entries]
        return min(heads + [self.floor] * (self.floor > 0), default=None)

    def aged(self, now: float) -> "Ledger":
        """Without what is too old to matter."""
        before = now - self.keep
        left = msgspec.structs.replace(
            self,
            recent=self.recent.since(before),
            blocked=_since(self.blocked, before),
            returned=_since(self.returned, before),
            floor=self.floor if self.floor > before else 0.0,
        )
        return Ledger() if left.oldest() is None else left

    def due(self) -> datetime | None:
        oldest = self.oldest()
        return None if oldest is None else datetime.fromtimestamp(oldest + self.keep, UTC)


def _has(verdicts: tuple[Verdict, ...], verdict: Verdict) -> bool:
    place = bisect_left(verdicts, verdict)
    return place < len(verdicts) and verdicts[place] == verdict


def _with(verdicts: tuple[Verdict, ...], verdict: Verdict) -> tuple[Verdict, ...]:
    place = bisect_left(verdicts, verdict)
    return (*verdicts[:place], verdict, *verdicts[place:])


def _since(verdicts: tuple[Verdict, ...], at: float) -> tuple[Verdict, ...]:
    return verdicts[bisect_right(verdicts, at, key=lambda verdict: verdict[0]) :]
