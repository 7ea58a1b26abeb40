"""What a declaration changes in what stands: shown first, and only that is applied (D10)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from postroad.views.declared import Declared
from postroad.views.parameters import DOMAIN_FIELDS
from postroad_schemas.directory import AliasDomain, Contact, DirectoryRow, Parameter, row_key

_SET_BY_THE_GATE = {"version", "created_at", "changed_at", "changed_by"}
_PRUNED = ("alias", "domain", "smarthost", "mailbox", "parameter", "dkim_key")


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
        return wanted is None or not _fields(wanted, standing.get(self.key))


def difference(found: Declared, standing: Mapping[str, Any], *, prune: bool = False) -> list[Change]:
    """In the order of the declaration; removals last."""
    changes = [*_written(found, standing)]
    declared_keys = {row_key(row) for row in found.rows}
    gone = [*found.remove]
    if prune:
        gone += [key for key in standing if key.partition("/")[0] in _PRUNED and key not in declared_keys]
    changes += [Change(key=key, words=f"- {key}", remove=key) for key in dict.fromkeys(gone) if key in standing]
    return changes


def _written(found: Declared, standing: Mapping[str, Any]) -> list[Change]:
    changes = []
    for row in found.rows:
        key = row_key(row)
        stands = _domain_field(row, standing) if isinstance(row, Parameter) else standing.get(key)
        if words := _words(key, row, stands):
            changes.append(Change(key=key, words=words, row=row))
    for contact in found.contacts:
        key = f"contact/{contact.contact_id}"
        if words := _words(key, contact, standing.get(key)):
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
        if name not in _SET_BY_THE_GATE and before.get(name) != value
    ]
