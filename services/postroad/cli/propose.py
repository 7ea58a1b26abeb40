"""What commands that change the directory share: a proposal to the gate, its answer, and how rows are told (D10)."""

import difflib
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from cyclopts import Parameter as Option

from postroad.cli.main import complain
from postroad.cli.options import Bootstrap, Json, Settings, settings_of
from postroad.routing.checks import remark
from postroad.routing.cleaning import clean
from postroad.runtime.config import Config
from postroad.runtime.reach import Reach, reach, rows
from postroad.runtime.worker import NotThere
from postroad.views.difference import Change
from postroad.views.directory import Directory
from postroad.views.parameters import DOMAIN_FIELDS
from postroad_schemas import event_id
from postroad_schemas.directory import AliasDomain, DirectoryRow, Parameter, RowProposed, RowRefused, row_key

ANSWERED = 5.0  # seconds that running workers are given to answer
LOOK = 0.05
WAITS = "in the log; it takes effect when routing runs (`postroad up`)"
T = TypeVar("T")

_HIDDEN = {"type", "version", "created_at", "changed_at", "changed_by"}  # `postroad history` tells them


@Option(name="*")
@dataclass(frozen=True, kw_only=True)
class Where:
    """Which installation a command is about, and how it answers."""

    kafka: Bootstrap = ""
    config: Settings = None
    json: Json = False

    @property
    def settings(self) -> Config:
        return settings_of(self.config, self.kafka)

    def reach(self) -> Reach:
        return reach(self.settings)


@Option(name="*")
@dataclass(frozen=True, kw_only=True)
class Who(Where):
    """A command that changes something, and in whose name."""

    by: Annotated[str, Option(help="Who changes it, for the history; by default the user of this process.")] = ""

    @property
    def name(self) -> str:
        return self.by or os.environ.get("USER", "operator")


def standing(reached: Reach, table: str = "directory") -> dict[str, Any]:
    """A table's rows by key; nothing where no worker ever ran."""
    try:
        return rows(reached, table)
    except NotThere:
        return {}


def directory_of(found: Mapping[str, Any]) -> Directory:
    """The view that workers have of these rows."""
    view = Directory()
    for key, row in found.items():
        view.apply(key, row)
    return view


def propose(who: Who, row: DirectoryRow | None = None, remove: str = "") -> int:
    """Asks the gate for a row, for the end of one, or for a rename; prints what stands then. Gives the exit code."""
    reached, now = who.reach(), datetime.now(UTC)
    row = clean(row) if row is not None else None
    stands_as = None if row is None else as_stored(row, standing(reached))
    key = row_key(stands_as) if stands_as is not None else remove
    new_id = event_id("proposed", now.isoformat(), who.name, key)
    proposal = RowProposed(event_id=new_id, occurred_at=now, trace_id=new_id, row=row, remove=remove, by=who.name)
    reached.publish([proposal])
    found = _answer(reached, proposal, Change(key=key, words="", row=stands_as, remove="" if row else remove))
    if found is None:
        print(json_line({"key": key, "waits": True}) if who.json else f"{key}: {WAITS}")
        return os.EX_OK
    refused = found.get(f"refusal/{new_id}")
    if isinstance(refused, RowRefused):
        return complain(f"refused {refused.row_key}: {refused.reason}", os.EX_DATAERR)
    _tell(found, proposal, key, who.json)
    if row is not None and (words := remark(row, directory_of(found))):
        complain(words, os.EX_OK)
    return os.EX_OK


def as_stored(row: DirectoryRow, found: Mapping[str, Any]) -> DirectoryRow:
    """D5: some parameters are fields of the default alias domain under their old names."""
    if not isinstance(row, Parameter) or row.name not in DOMAIN_FIELDS:
        return row
    domain = directory_of(found).domain()
    field = {DOMAIN_FIELDS[row.name]: row.value}
    if domain is None:
        return AliasDomain(name=row.value, default=True) if "name" in field else row
    stored: AliasDomain = clean(msgspec.structs.replace(domain, **field))
    return stored


def _answer(reached: Reach, proposal: RowProposed, wanted: Change) -> dict[str, Any] | None:
    """The directory once the gate has answered; None if it does not within its time."""

    def look() -> dict[str, Any] | None:
        found = standing(reached)
        refused = f"refusal/{proposal.event_id}" in found
        return found if refused or wanted.key in written(found, proposal) or wanted.stands(found) else None

    return awaited(reached, look)


def awaited(reached: Reach, look: Callable[[], T | None]) -> T | None:
    """What `look` finds once running workers have done their part; None if they have not in time, or none runs."""
    deadline = time.monotonic() + (ANSWERED if reached.answers() else 0.0)
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(LOOK)
    return found


def written(found: Mapping[str, Any], proposal: RowProposed) -> dict[str, Any]:
    """The rows that the gate wrote for this proposal: what it stamps on them is the proposal's time and name."""
    stamp = (proposal.occurred_at, proposal.by)
    return {key: row for key, row in found.items() if (row.changed_at, row.changed_by) == stamp}


def _tell(found: Mapping[str, Any], proposal: RowProposed, key: str, json: bool) -> None:
    """The row as it stands, what ended, and what else changed with it."""
    new = written(found, proposal)
    keys = [key] if proposal.row is not None else []
    if not new and proposal.row is not None and not json:
        print("nothing to change", flush=True)
    if proposal.remove and proposal.remove not in found:
        print(json_line({"key": proposal.remove, "row": None}) if json else f"- {proposal.remove}")
    for each in dict.fromkeys((*keys, *sorted(new))):
        if each in found:
            print(told(each, found[each], json))


def told(key: str, row: Any, json: bool) -> str:
    """One row in one line."""
    fields = msgspec.to_builtins(row)
    if json:
        return json_line({"key": key, "row": fields})
    return f"{key}: {', '.join(f'{name}={value}' for name, value in _said(fields).items())}"


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty, and without what nobody entered."""
    entered = {name: _entered(value) for name, value in fields.items() if name not in _HIDDEN}
    return {name: value for name, value in entered.items() if value not in ("", None, {})}


def _entered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: entry for name, entry in value.items() if entry is not None}
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def listing(found: Mapping[str, Any], kind: str, json: bool, empty: str) -> int:
    """Every row of a kind; of none, how there could be one."""
    chosen = {key: row for key, row in sorted(found.items()) if key.startswith(f"{kind}/")}
    for key, row in chosen.items():
        print(told(key, row, json))
    if not chosen and not json:
        complain(empty, os.EX_OK)
    return os.EX_OK


def nothing(where: Where, words: str) -> None:
    """A list is empty. Where no log is, that may be the wrong folder, and is said too."""
    log = Path(where.settings.log.path)
    there = where.settings.kafka.bootstrap or log.exists()
    complain(words if there else f"{words}, but {log} is not there: --config names the settings of another", os.EX_OK)


def absent(what: str, name: str, known: Iterable[str]) -> int:
    """There is nothing by this name: which one may be meant."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = (
        f"did you mean {near[0]}?" if near else f"there is: {', '.join(names[:20])}" if names else "there is none now"
    )
    return complain(f"there is no {what} {name}; {hint}", os.EX_NOINPUT)


def agreed(question: str) -> bool:
    """Asks a person; a script has nobody to ask."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def json_line(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def plain(text: str) -> str:
    """Strangers' words do not steer a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
