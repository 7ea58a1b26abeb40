"""`postroad apply` and `postroad show`: the directory, declared and looked at."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.options import Bootstrap, Json, Settings, settings_of
from postroad.cli.propose import as_stored, directory_of, standing
from postroad.routing.checks import remark
from postroad.routing.cleaning import clean
from postroad.runtime.config import load
from postroad.runtime.reach import Reach, reach
from postroad.stage import Emission
from postroad.views.declared import declared
from postroad.views.difference import Change, difference
from postroad_schemas import Tombstone, event_id
from postroad_schemas.directory import RowProposed, RowRefused, row_key

ANSWERED = 5.0  # seconds that running workers are given to answer


def apply(
    file: Path,
    /,
    *,
    kafka: Bootstrap = "",
    config: Settings = None,
    dry_run: bool = False,
    prune: Annotated[bool, Parameter(negative="")] = False,
    by: str = "",
    json: Json = False,
) -> int:
    """Declare domains, aliases, servers, mailboxes, parameters and contacts from a TOML file.

    Shows the difference first and applies only what changed. Refuses unknown keys. Which installation it is for say
    --config or POSTROAD_CONFIG, else the file itself.

    With --json a line for each change once it is known what became of it: `done`, `waits` (for routing to run),
    `refused` with the reason, or `planned` by a dry run.

    Parameters
    ----------
    file
        The file; deploy/postroad.toml shows every table.
    dry_run
        Only show the difference.
    prune
        Also remove what stands and is not in the file (parameters go back to their defaults).
    by
        Who changes it, for the history; by default the user of this process.
    """
    found = declared(load(file)[1])
    reached = reach(settings_of(config or file, kafka))
    standing = _standing(reached)
    changes = difference(found, standing, prune=prune, clean=clean)
    for change in [] if json else changes:
        print(change.words)
    if not changes and not json:
        print("nothing to change")
    code = os.EX_OK
    if dry_run:
        for change in changes if json else []:
            print(_line(change, "planned"))
    elif changes:
        code = _propose(reached, changes, by or os.environ.get("USER", "operator"), json)
    for words in dict.fromkeys(_remarks(changes, standing)):
        complain(words, os.EX_OK)
    return code


def _remarks(changes: list[Change], standing: dict[str, Any]) -> Iterator[str]:
    """What whoever declared this should know, told of the directory as it will be."""
    after = {key: row for key, row in standing.items() if not key.startswith("contact/")}
    for change in changes:
        after.pop(change.remove, None)
        if change.row is not None:
            row = as_stored(change.row, after)
            after[row_key(row)] = row
    view = directory_of(after)
    return (words for change in changes if change.row is not None and (words := remark(change.row, view)))


def _standing(reached: Reach) -> dict[str, Any]:
    return {**standing(reached), **{f"contact/{key}": row for key, row in standing(reached, "contacts").items()}}


def _propose(reached: Reach, changes: list[Change], by: str, json: bool) -> int:
    """Publishes what changes and waits for the gate's answers."""
    now = datetime.now(UTC)
    asked: dict[str, Change] = {}
    emissions: list[Emission] = []
    for ordinal, change in enumerate(changes):
        new_id = event_id("applied", now.isoformat(), by, str(ordinal))
        if change.contact is not None:
            contact = msgspec.structs.replace(change.contact, created_at=change.contact.created_at or now)
            change = msgspec.structs.replace(change, contact=contact)
            emissions.append(contact)
        elif change.remove.startswith("contact/"):
            emissions.append(Tombstone("contacts", change.remove.removeprefix("contact/")))
        else:
            emissions.append(
                RowProposed(
                    event_id=new_id, occurred_at=now, trace_id=new_id, row=change.row, remove=change.remove, by=by
                )
            )
        asked[new_id] = change
    reached.publish(emissions)
    refused, waiting = _answers(reached, asked)
    if json:
        for new_id, change in asked.items():
            outcome = "refused" if new_id in refused else "waits" if new_id in waiting else "done"
            print(_line(change, outcome, refused.get(new_id)))
    for row in refused.values():
        complain(f"refused {row.row_key}: {row.reason}", os.EX_DATAERR)
    if waiting and not json:
        several = "1 change is" if len(waiting) == 1 else f"{len(waiting)} changes are"
        print(f"{several} in the log and will take effect when routing runs (`postroad up`); see `postroad show`")
    return os.EX_DATAERR if refused else os.EX_OK


def _answers(reached: Reach, asked: dict[str, Change]) -> tuple[dict[str, RowRefused], set[str]]:
    """What is refused, and what is unanswered: it waits for the workers to run."""
    deadline = time.monotonic() + (ANSWERED if reached.answers() else 0.0)
    while True:
        standing = _standing(reached)
        rows = (row for row in standing.values() if isinstance(row, RowRefused))
        refused = {row.proposal: row for row in rows if row.proposal in asked}
        waiting = {new_id for new_id, it in asked.items() if new_id not in refused and not it.stands(standing)}
        if not waiting or time.monotonic() > deadline:
            return refused, waiting
        time.sleep(0.1)


def _line(change: Change, outcome: str, refused: RowRefused | None = None) -> str:
    said = {"key": change.key, "change": change.words, "outcome": outcome, "reason": refused.reason if refused else ""}
    return msgspec.json.encode(said).decode()


def show(
    what: str = "",
    name: str = "",
    /,
    *,
    kafka: Bootstrap = "",
    config: Settings = None,
    json_: Json = False,
) -> int:
    """What is declared: everything, one kind (alias, domain, smarthost, parameter, contact, refusal, ...), or one row.

    Parameters
    ----------
    what
        A kind, or a row's key such as alias/sales@example.com.
    name
        Of a kind, the one row of this name.
    """
    standing = _standing(reach(settings_of(config, kafka)))
    what = f"{what}/{name}" if name else what
    wanted = {
        key: row for key, row in sorted(standing.items()) if not what or key == what or key.startswith(f"{what}/")
    }
    if what and not wanted:
        kinds = sorted({key.partition("/")[0] for key in standing})
        return complain(f"nothing under {what!r}; there is: {', '.join(kinds) or 'nothing yet'}", os.EX_NOINPUT)
    if not wanted:
        complain("nothing is declared yet: `postroad apply FILE` does, deploy/postroad.toml shows how", os.EX_OK)
    for key, row in wanted.items():
        fields = msgspec.to_builtins(row)
        if json_:
            print(msgspec.json.encode({"key": key, "row": fields}).decode())
        else:
            print(f"{key}: {', '.join(f'{name}={value}' for name, value in _said(fields).items())}")
    return os.EX_OK


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty, and without the type, which the key says."""
    return {
        name: _said(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if name != "type" and value not in ("", None, (), []) and (not isinstance(value, dict) or _said(value))
    }
