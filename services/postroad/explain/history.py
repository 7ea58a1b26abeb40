"""Who changed what in the directory, and when: from the proposals on the log and the rows that stand (D10)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from postroad.routing.cleaning import clean
from postroad_schemas.directory import RowProposed, RowRefused, row_key

_SET_BY_THE_GATE = {"type", "version", "created_at", "changed_at", "changed_by"}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One proposal."""

    at: datetime
    by: str
    key: str
    renamed: str = ""  # from this key
    changed: tuple[str, ...] = ()  # "policy 'everyone' -> 'contacts'"; "removed"
    refused: str = ""  # the gate's reason; empty: accepted


def history(proposals: Iterable[RowProposed], standing: Mapping[str, Any], name: str = "") -> list[Change]:
    """All proposals about a row, in order, with what each changed in the one before it. A renamed row is followed.

    `name`: a key ("alias/sales@example.com"), what stands behind its slash, or a kind; empty: all.
    """
    refused = {row.proposal: row.reason for row in standing.values() if isinstance(row, RowRefused)}
    wanted = list({one.event_id: one for one in proposals}.values())
    keys = _keys(wanted, name)
    known: dict[str, Any] = {}
    found: list[Change] = []
    for one in wanted:
        row = clean(one.row) if one.row is not None else None
        key = row_key(row) if row is not None else one.remove
        renamed = one.remove if row is not None and one.remove != key else ""
        reason = refused.get(one.event_id, "")
        if keys is None or key in keys:
            found.append(
                Change(
                    at=one.occurred_at,
                    by=one.by,
                    key=key,
                    renamed=renamed,
                    changed=_changed(known.get(renamed or key), row),
                    refused=reason,
                )
            )
        if not reason:
            known.pop(renamed, None)
            known[key] = row
    return found


def last_change(standing: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    """Rows that stand under this name: who changed each last is on them, also when the log holds that no more."""
    kept = [(key, row) for key, row in sorted(standing.items()) if not key.startswith("refusal/")]
    return [(key, row) for key, row in kept if not name or _meant(key, name)]


def _keys(proposals: Iterable[RowProposed], name: str) -> set[str] | None:
    """All keys that the row had, by whatever name it is asked for; None: all rows."""
    if not name:
        return None
    pairs = [(row_key(clean(one.row)) if one.row is not None else "", one.remove) for one in proposals]
    found = {key for pair in pairs for key in pair if key and _meant(key, name)}
    while more := {key for pair in pairs if found & set(pair) for key in pair if key} - found:
        found |= more
    return found


def _meant(key: str, name: str) -> bool:
    kind, _, rest = key.partition("/")
    return name in (key, rest, kind)


def _changed(before: Any, after: Any) -> tuple[str, ...]:
    if after is None:
        return ("removed",)
    new, old = _fields(after), _fields(before) if before is not None else {}
    if not old:
        return tuple(f"{name} {value!r}" for name, value in new.items() if not _empty(value))
    return tuple(f"{name} {old.get(name)!r} -> {value!r}" for name, value in new.items() if old.get(name) != value)


def _empty(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
    return all(entry in ("", None) for entry in inside)


def _fields(row: Any) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(row).items() if name not in _SET_BY_THE_GATE}
