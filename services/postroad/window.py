"""The sliding window: exact counts per key across any boundary, in any order of arrival, repeats counted once."""

from bisect import bisect_left, bisect_right
from operator import itemgetter

import msgspec

_when = itemgetter(0)
_amount = itemgetter(2)


class Recent(msgspec.Struct, frozen=True, array_like=True):
    """Who counted when: (UTC seconds, id, amount), oldest first."""

    entries: tuple[tuple[float, str, int], ...] = ()

    def __contains__(self, entry_id: str) -> bool:
        return any(entry[1] == entry_id for entry in self.entries)

    def has(self, entry_id: str, at: float) -> bool:
        """Like `in`, and quicker, for who knows the time."""
        found = bisect_left(self.entries, (at, entry_id))
        return found < len(self.entries) and self.entries[found][:2] == (at, entry_id)

    def with_(self, entry_id: str, at: float, amount: int = 1) -> "Recent":
        """A repeat of the same id changes nothing."""
        return self if entry_id in self else self.with_new(entry_id, at, amount)

    def with_new(self, entry_id: str, at: float, amount: int = 1) -> "Recent":
        """Like `with_`, and quicker, for who knows that the id is new."""
        entry = (at, entry_id, amount)
        place = bisect_left(self.entries, entry)
        return Recent(entries=(*self.entries[:place], entry, *self.entries[place:]))

    def without(self, entry_id: str) -> "Recent":
        return Recent(entries=tuple(entry for entry in self.entries if entry[1] != entry_id))

    def since(self, at: float) -> "Recent":
        """Only what is later than `at`."""
        return Recent(entries=self.entries[bisect_right(self.entries, at, key=_when) :])

    def count(self, at: float, window: float) -> int:
        """How much lies within the `window` seconds that end at `at`: later than `at` - window, not later than `at`."""
        first = bisect_right(self.entries, at - window, key=_when)
        last = bisect_right(self.entries, at, key=_when)
        return sum(map(_amount, self.entries[first:last]))

    def fits(self, at: float, amount: int, window: float, limit: int) -> bool:
        """Whether `amount` more at `at` leaves every stretch of `window` seconds with at most `limit`.

        Looks at the stretches before and after `at`, so that a late arrival cannot slip past the limit. What is nearer
        than `window` to `at` can share a stretch with it, nothing else can.
        """
        if amount > limit:
            return False
        first = bisect_right(self.entries, at - window, key=_when)
        last = bisect_left(self.entries, at + window, key=_when)
        near = self.entries[first:last]
        if sum(map(_amount, near)) + amount <= limit:
            return True
        times = sorted([when for when, _, weight in near for _ in range(weight)] + [at] * amount)
        return all(later - earlier >= window for earlier, later in zip(times, times[limit:], strict=False))
