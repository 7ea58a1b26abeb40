"""What a file or an app declares, as rows: the tables of `postroad.toml`, and the same as JSON (D10)."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from postroad.views.parameters import DOMAIN_FIELDS, SETTINGS, listed
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    Contact,
    Credentials,
    DirectoryRow,
    DkimKey,
    IncomingMailbox,
    Limits,
    Parameter,
    SigningKey,
    Smarthost,
)

KINDS: dict[str, type[Any]] = {
    "domain": AliasDomain,
    "alias": Alias,
    "smarthost": Smarthost,
    "mailbox": IncomingMailbox,
    "signing_key": SigningKey,
    "dkim_key": DkimKey,
    "contact": Contact,
}
TABLES = ("parameters", *KINDS, "remove")
_SET_BY_THE_GATE = {"version", "changed_at", "changed_by", "confirmed"}


class Undeclarable(ValueError):  # noqa: N818  # it is the entry that cannot be
    """An entry cannot be a row; the message says which and what to write instead."""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in an order in which each finds what it leans on, contacts, and keys to remove."""

    rows: tuple[DirectoryRow, ...] = ()
    contacts: tuple[Contact, ...] = ()
    remove: tuple[str, ...] = ()


def declared(document: Mapping[str, Any]) -> Declared:
    """Raises Undeclarable, naming the nearest known key for an unknown one."""
    for name in document:
        if name not in TABLES:
            raise Undeclarable(f"unknown table {name!r}{_near(name, TABLES)}")
    rows: list[Any] = []
    for kind in ("domain", "signing_key", "alias", "smarthost", "mailbox", "dkim_key"):
        rows += [_row(kind, entry, place) for place, entry in _entries(document.get(kind, ()), kind)]
    rows += [_parameter(name, value) for name, value in _table(document.get("parameters", {}), "parameters").items()]
    contacts = tuple(_row("contact", entry, place) for place, entry in _entries(document.get("contact", ()), "contact"))
    remove = document.get("remove", ())
    if not isinstance(remove, list | tuple) or not all(isinstance(key, str) for key in remove):
        raise Undeclarable('remove is a list of keys such as "alias/sales@example.com"')
    return Declared(rows=tuple(rows), contacts=contacts, remove=tuple(remove))


def _entries(table: Any, kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if isinstance(table, Mapping):
        table = [table]
    if not isinstance(table, list | tuple):
        raise Undeclarable(f"{kind} is a list of tables: [[{kind}]]")
    return [(f"{kind} {number}", _table(entry, f"{kind} {number}")) for number, entry in enumerate(table, 1)]


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Undeclarable(f"{place}: a table of keys and values is needed")
    return value


def _row(kind: str, entry: Mapping[str, Any], place: str) -> Any:
    struct = KINDS[kind]
    fields = _shorthand(kind, dict(entry))
    known = tuple(f for f in struct.__struct_fields__ if f not in _SET_BY_THE_GATE)
    _refuse_unknown(fields, (*known, *SHORTHANDS.get(kind, ())), place)
    for name, inner in _INNER.items():
        if name in known and isinstance(fields.get(name), Mapping):
            _refuse_unknown(fields[name], inner.__struct_fields__, f"{place}, {name}")
    if large := beyond_64_bits(fields):
        raise Undeclarable(f"{place}: {large}")
    try:
        return msgspec.convert({**fields, "type": struct.__struct_config__.tag}, struct)
    except msgspec.ValidationError as error:
        words, _, inside = str(error).partition(" - at `$.")
        missing = _SHORT_FOR.get(words.rpartition(" ")[2].strip("`"), "")
        what = f"{inside.rstrip('`')}: {words}" if inside else words
        raise Undeclarable(f"{place}: {what}{missing and f': give {missing}'}") from error


def beyond_64_bits(value: Any, place: str = "") -> str:
    """Which whole number of a row takes more than 64 bits, signed (TOML 1.0, Integer): neither states nor most apps
    can hold it. Empty if none does.
    """
    if isinstance(value, Mapping):
        found = (beyond_64_bits(entry, f"{place}.{name}" if place else str(name)) for name, entry in value.items())
        return next(filter(None, found), "")
    if not isinstance(value, int) or -(2**63) <= value < 2**63:
        return ""
    instead = ", or a text" if place.startswith("defaults.") else ""
    return f"{place} takes more than 64 bits: write a smaller number{instead}"


def _refuse_unknown(fields: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    names = tuple(known)
    for name in fields:
        if name not in names:
            raise Undeclarable(f"{place}: unknown key {name!r}{_near(name, names)}")


SHORTHANDS = {"alias": ("address",), "contact": ("id", "address")}
_SHORT_FOR = {"local_part": "its address", "contact_id": "an id", "addresses": "its address"}
_INNER: dict[str, type[Any]] = {"limits": Limits, "credentials": Credentials}


def _shorthand(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Ways of writing that people expect: an alias by its address, lists as comma text, one address for a contact."""
    if kind == "alias" and isinstance(fields.get("address"), str):
        fields["local_part"], _, fields["domain"] = fields.pop("address").partition("@")
    if kind == "contact":
        if isinstance(fields.get("id"), str | int):
            fields["contact_id"] = str(fields.pop("id"))
        if isinstance(fields.get("address"), str):
            fields["addresses"] = [fields.pop("address")]
    for name in ("from_filter", "redirects", "streams"):
        if isinstance(fields.get(name), str):
            fields[name] = list(listed(fields[name]))
    return fields


def _parameter(name: str, value: Any) -> Parameter:
    if name not in SETTINGS and name not in DOMAIN_FIELDS:
        raise Undeclarable(f"unknown parameter {name!r}{_near(name, (*SETTINGS, *DOMAIN_FIELDS))}")
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, list | tuple):
        text = ", ".join(map(str, value))
    else:
        text = str(value)
    return Parameter(name=name, value=text)


def _near(name: str, known: Iterable[str]) -> str:
    names = tuple(known)
    near = difflib.get_close_matches(name, names, 1) or [n for n in names if re.sub(r"s$", "", name) == n]
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
