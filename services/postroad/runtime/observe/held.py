"""What waits for a person, as the table `held` has it: how many by rule, and since when."""

from collections import Counter
from typing import Any

from postroad.runtime.observe import metrics
from postroad_schemas.mail import HeldMail


class HeldTable:
    """A view of `held` that keeps no mail: rule and time of each row."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, float]] = {}

    def apply(self, table: str, key: str, row: Any) -> None:
        """Takes a row, or its end (None). Rows of other tables are passed over."""
        if table != "held":
            return
        if isinstance(row, HeldMail):
            self._rows[key] = (row.rule, row.occurred_at.timestamp())
        else:
            self._rows.pop(key, None)

    def sample(self, now: float) -> None:
        """Sets the gauges."""
        rules = Counter(rule for rule, _ in self._rows.values())
        metrics.HELD_NOW.replace({(rule,): float(count) for rule, count in rules.items()})
        metrics.HELD_AGE.set(max((now - since for _, since in self._rows.values()), default=0.0))
