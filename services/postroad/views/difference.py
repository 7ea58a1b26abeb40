"""What a declaration changes in what stands: shown first, and only that is applied (D10)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from postroad.views.declared import Declared, Undeclarable
from postroad.views.parameters import DOMAIN_FIELDS
from postroad_schemas.directory import AliasDomain, Contact, DirectoryRow, Parameter, row_key

_SET_BY_THE_GATE = {"version", "created_at", "changed_at", "changed_by", "confirmed"}
_PRUNED = ("alias", "domain", "smarthost", "mailbox", "parameter", "dkim_key")  # a domain goes after its aliases


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row to write, one contact to write, or one key to remove."""

    key: str
    words: str
    row: DirectoryRow | None = None
    contact: Contact | None = None
    remove: str = ""

    def stands(self, standing: Mapping[str, Any]) -> bool:
        """Whether it has taken effect."""
        if self.remove:
            return self.remove not in standing
        wanted = self.contact or self.row
        if isinstance(wanted, Parameter):
            return not _fields(wanted, _domain_field(wanted, standing))
        return wanted is None or not _fields(wanted, standing.get(self.key))


def difference(
    found: Declared, standing: Mapping[str, Any], *, prune: bool = False, clean: Callable[[Any], Any] = lambda row: row
) -> list[Change]:
    """In the order of the declaration; removals last. Declared again, what was applied changes nothing.

    `clean` brings a row into the form in which it will stand. Raises Undeclarable for what is declared twice.
    """
    rows = tuple(map(clean, _as_the_gate_will(tuple(map(clean, found.rows)), standing)))
    found = msgspec.structs.replace(found, rows=rows)
    _refuse_twice([row_key(row) for row in rows] + [f"contact/{contact.contact_id}" for contact in found.contacts])
    changes = [*_written(found, standing)]
    declared_keys = {row_key(row) for row in found.rows}
    gone = [*found.remove]
    if prune:
        gone += [key for kind in _PRUNED for key in standing if key.startswith(f"{kind}/") and key not in declared_keys]
    changes += [Change(key=key, words=f"- {key}", remove=key) for key in dict.fromkeys(gone) if key in standing]
    return changes


def _refuse_twice(keys: list[str]) -> None:
    twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
    if twice:
        raise Undeclarable(f"{twice} is declared twice: leave one of the two")


def _as_the_gate_will(rows: tuple[DirectoryRow, ...], standing: Mapping[str, Any]) -> tuple[DirectoryRow, ...]:
    """D1: one domain is the default, said or not. D5: parameters that are its fields go into its row, if declared."""
    default = _default_domain(rows, standing)
    fields = {
        DOMAIN_FIELDS[row.name]: row.value
        for row in rows
        if isinstance(row, Parameter) and DOMAIN_FIELDS.get(row.name, "name") != "name"
    }
    if not any(isinstance(row, AliasDomain) and row.name == default for row in rows):
        return rows
    return tuple(
        msgspec.structs.replace(row, default=True, **fields)
        if isinstance(row, AliasDomain) and row.name == default
        else row
        for row in rows
        if not (isinstance(row, Parameter) and DOMAIN_FIELDS.get(row.name) in fields)
    )


def _default_domain(rows: Iterable[DirectoryRow], standing: Mapping[str, Any]) -> str:
    """The name of the domain that will be the default one: the one that says so, or that stands so, or the first."""
    wanted = [row for row in rows if isinstance(row, AliasDomain)]
    stand = [row for row in standing.values() if isinstance(row, AliasDomain)]
    said = [*(row for row in wanted if row.default), *(row for row in stand if row.default), *wanted]
    return said[0].name if said else ""


def _written(found: Declared, standing: Mapping[str, Any]) -> list[Change]:
    changes = []
    for row in found.rows:
        key = row_key(row)
        stands = _domain_field(row, standing) if isinstance(row, Parameter) else standing.get(key)
        if words := _words(key, row, stands):
            changes.append(Change(key=key, words=words, row=row))
    for contact in found.contacts:
        key = f"contact/{contact.contact_id}"
        stands = standing.get(key)
        if isinstance(stands, Contact) and contact.created_at is None:
            contact = msgspec.structs.replace(contact, created_at=stands.created_at)
        if words := _words(key, contact, stands):
            changes.append(Change(key=key, words=words, contact=contact))
    return changes


def _domain_field(row: Parameter, standing: Mapping[str, Any]) -> Any:
    """D5: parameters that are fields of the default domain under their old names."""
    if row.name not in DOMAIN_FIELDS:
        return standing.get(row_key(row))
    domains = [domain for domain in standing.values() if isinstance(domain, AliasDomain)]
    default = next((domain for domain in domains if domain.default), domains[0] if domains else None)
    return default and Parameter(name=row.name, value=str(getattr(default, DOMAIN_FIELDS[row.name])))


def _words(key: str, wanted: Any, stands: Any) -> str:
    fields = _fields(wanted, stands)
    if stands is None:
        return f"+ {key}"
    return f"~ {key}: {', '.join(fields)}" if fields else ""


def _fields(wanted: Any, stands: Any) -> list[str]:
    """The fields that differ, with both values; all of them where nothing stands."""
    if stands is None:
        return ["new"]
    before, after = msgspec.to_builtins(stands), msgspec.to_builtins(wanted)
    return [
        f"{name} {before.get(name)!r} -> {value!r}"
        for name, value in after.items()
        if (isinstance(wanted, Contact) or name not in _SET_BY_THE_GATE) and before.get(name) != value
    ]
