"""The directory as the gate knows it: the view, and over it what the gate wrote that the view has not seen yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from postroad.views.directory import Directory
from postroad_schemas.directory import Alias, AliasDomain, FormerAddress, Match
from postroad_schemas.event import Row


@dataclass(slots=True)
class Rows:
    """Rows by key. `written` holds newer ones; None: the row is gone."""

    view: Directory
    written: dict[str, Row | None] = field(default_factory=dict)

    def get(self, key: str) -> Row | None:
        return self.written[key] if key in self.written else self.view.row(key)

    def of(self, kind: str) -> Iterator[tuple[str, Row]]:
        """All rows of a kind, by key, the newest of each."""
        keys = [key for key in self.view.keys(kind) if key not in self.written]
        keys += [key for key, row in self.written.items() if row is not None and key.startswith(f"{kind}/")]
        for key in sorted(keys):
            if (row := self.get(key)) is not None:
                yield key, row

    def domains(self) -> list[AliasDomain]:
        return [row for _, row in self.of("domain") if isinstance(row, AliasDomain)]

    def default_domain(self) -> AliasDomain | None:
        domains = self.domains()
        return next((domain for domain in domains if domain.default), domains[0] if domains else None)

    def aliases_of(self, domain: str) -> list[Alias]:
        return [row for _, row in self.of("alias") if isinstance(row, Alias) and row.domain == domain]

    def alias_taking(self, local_part: str, domain: str) -> Alias | None:
        """The alias that mail for this address would reach: by its whole address, or by its local part (R13)."""
        full = self.get(f"alias/{local_part}@{domain}")
        return full if isinstance(full, Alias) else next(self._by_local_part(local_part), None)

    def _by_local_part(self, local_part: str) -> Iterator[Alias]:
        candidates: Iterable[Row | None] = (
            *(alias for alias in self.view.local_aliases(local_part) if _key(alias) not in self.written),
            *self.written.values(),
        )
        for row in candidates:
            if isinstance(row, Alias) and row.local_part == local_part and (row.match is Match.LOCAL or not row.domain):
                yield row

    def former(self) -> list[FormerAddress]:
        return [row for _, row in self.of("former") if isinstance(row, FormerAddress)]


def _key(alias: Alias) -> str:
    return f"alias/{alias.local_part}@{alias.domain}"
