"""What one reader has before it: of one topic, and of its states in memory."""

from collections import OrderedDict, deque
from collections.abc import Collection

from postroad.runtime.embedded.commits import Commits
from postroad.runtime.embedded.log import SqliteLog, Stored

IN_MEMORY = 5_000  # records of a topic that wait in memory for one reader
PAGE = 1_000  # records fetched at once when it lags further behind
STATES = 100_000  # keys of one core whose states are kept in memory


class Backlog:
    """A topic's records not read yet: straight from the writer, or from the file after falling behind."""

    def __init__(self, topic: str, position: int) -> None:
        self.topic = topic
        self.items: deque[Stored] = deque()
        self._last = position  # of what was ever in `items`
        self._follows = False  # `items` runs to the topic's end

    def offer(self, stored: Stored) -> None:
        """A record was appended."""
        if not self._follows or stored.offset <= self._last:
            return
        if len(self.items) >= IN_MEMORY:
            self._follows = False
            return
        self.items.append(stored)
        self._last = stored.offset

    async def fill(self, commits: Commits) -> bool:
        """Fetches where there is nothing in memory; whether there is anything to read then."""
        while not self.items and not self._follows:
            after, end = self._last, commits.ends.get(self.topic, 0)
            page = await commits.ask(SqliteLog.fetch, self.topic, after, PAGE)
            self.items.extend(page)
            if page:
                self._last = page[-1].offset
            if len(page) < PAGE:
                self._last = max(self._last, end)  # what is missing up to there was deleted
            # What was appended while the page was on its way was not offered.
            self._follows = self._last >= commits.ends.get(self.topic, 0)
        return bool(self.items)

    @property
    def empty(self) -> bool:
        return self._follows and not self.items

    def length(self, end: int) -> int:
        """How many there are, if the topic ends there; what was deleted meanwhile counts."""
        return len(self.items) + max(0, end - self._last)


class States:
    """The newest states of a core as they lie in the file, by key; None is known to be absent."""

    def __init__(self, core: str, capacity: int = STATES) -> None:
        self._core = core
        self._capacity = capacity
        self._rows: OrderedDict[bytes, bytes | None] = OrderedDict()

    async def load(self, keys: Collection[bytes], commits: Commits) -> None:
        """After this `keys` can be had with `[]` until others are loaded or kept."""
        while missing := [key for key in keys if key not in self._rows]:
            found = await commits.ask(SqliteLog.load, self._core, missing)
            self._rows.update((key, found.get(key)) for key in missing if key not in self._rows)
        for key in keys:
            self._rows.move_to_end(key)

    def __getitem__(self, key: bytes) -> bytes | None:
        return self._rows[key]

    def __setitem__(self, key: bytes, row: bytes | None) -> None:
        self._rows[key] = row
        self._rows.move_to_end(key)

    def trim(self) -> None:
        """Forgets what was used longest ago; it can be loaded again."""
        while len(self._rows) > self._capacity:
            self._rows.popitem(last=False)
