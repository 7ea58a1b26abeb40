"""The sliding window: exact counts per key across any boundary, in any order of arrival, repeats counted once."""

from bisect import bisect_left, bisect_right

import msgspec


class Recent(msgspec.Struct, frozen=True, array_like=True):
    """Who counted when: (UTC seconds, id, amount), oldest first."""

    entries: tuple[tuple[float, str, int], ...] = ()

    def __contains__(self, entry_id: str) -> bool:
        return any(entry[1] == entry_id for entry in self.entries)

    def with_(self, entry_id: str, at: float, amount: int = 1) -> "Recent":
        """A repeat of the same id changes nothing."""
        if entry_id in self:
            return self
        return Recent(entries=tuple(sorted((*self.entries, (at, entry_id, amount)))))

    def without(self, entry_id: str) -> "Recent":
        return Recent(entries=tuple(entry for entry in self.entries if entry[1] != entry_id))

    def since(self, at: float) -> "Recent":
        """Only what is later than `at`."""
        return Recent(entries=tuple(entry for entry in self.entries if entry[0] > at))

    def count(self, at: float, window: float) -> int:
        """How much lies within the `window` seconds that end at `at`: later than `at` - window, not later than `at`."""
        return sum(amount for when, _, amount in self.entries if at - window < when <= at)

    def fits(self, at: float, amount: int, window: float, limit: int) -> bool:
        """Whether `amount` more at `at` leaves every stretch of `window` seconds with at most `limit`.

        Looks at the stretches before and after `at`, so that a late arrival cannot slip past the limit.
        """
        times = [when for when, _, weight in self.entries for _ in range(weight)]
        first = bisect_left(times, at)
        times[first:first] = [at] * amount
        last = bisect_right(times, at) - 1
        for start in range(max(0, first - limit), last + 1):
            if start + limit < len(times) and times[start + limit] - times[start] < window:
                return False
        return amount <= limit
