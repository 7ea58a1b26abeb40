"""Who puts everything off is left alone for a while. Pure: the time is given."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from postroad.dispatch.judge import JITTER, jittered


@dataclass(frozen=True, slots=True)
class PausePolicy:
    after: int  # so many in a row
    first: timedelta  # each pause is twice as long as the one before
    longest: timedelta


DESTINATION = PausePolicy(5, timedelta(minutes=1), timedelta(minutes=30))
"""A recipient domain through one server."""
SERVER = PausePolicy(3, timedelta(seconds=5), timedelta(minutes=5))
"""A server that cannot be connected to."""


@dataclass(slots=True)
class Streak:
    """What was put off in a row under one name."""

    length: int = 0
    words: str = ""  # the last one's
    status: str = ""  # RFC 3463, the last one's
    pauses: int = 0
    until: datetime | None = None  # set: a pause, over or not
    probed: bool = False  # the one that is let through after a pause is on its way


class Pauses:
    """By name; in memory, the ones that were heard from longest ago are forgotten first."""

    def __init__(self, policy: PausePolicy, most: int = 10_000) -> None:
        self._policy, self._most = policy, most
        self._streaks: OrderedDict[str, Streak] = OrderedDict()

    def ask(self, name: str, now: datetime) -> Streak | None:
        """Why not to try this now; None: try it, and say then what came of it. After a pause one is let through."""
        streak = self._streaks.get(name)
        if streak is None or streak.until is None:
            return None
        if streak.probed or self._lasts(streak.until, now):
            return streak
        streak.probed = True
        return None

    def put_off(self, name: str, words: str, status: str, now: datetime) -> None:
        streak = self._streaks.setdefault(name, Streak())
        self._streaks.move_to_end(name)
        streak.length, streak.words, streak.status, streak.probed = streak.length + 1, words, status, False
        if streak.length >= self._policy.after and not (streak.until and self._lasts(streak.until, now)):
            streak.until = now + self._pause(name, streak.pauses)
            streak.pauses += 1
        if len(self._streaks) > self._most:
            self._streaks.popitem(last=False)

    def answered(self, name: str) -> None:
        """Something else came than a putting off: all is forgotten."""
        self._streaks.pop(name, None)

    def not_asked(self, name: str) -> None:
        """It was tried, but did not come so far: another one is let through."""
        if streak := self._streaks.get(name):
            streak.probed = False

    def _lasts(self, until: datetime, now: datetime) -> bool:
        """A clock that was set back ends it too."""
        return timedelta() < until - now <= self._policy.longest * (1 + JITTER)

    def _pause(self, name: str, earlier: int) -> timedelta:
        pause = min(self._policy.first * (1 << min(earlier, 20)), self._policy.longest)
        return jittered(pause, name, "pause", str(earlier))
