"""`postroad apply` and `postroad show`: the directory, declared and looked at."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.options import Bootstrap, Json, Settings, settings_of
from postroad.routing.cleaning import clean
from postroad.runtime.config import load
from postroad.runtime.reach import Reach, reach, rows
from postroad.runtime.worker import Unavailable
from postroad.stage import Emission
from postroad.views.declared import declared
from postroad.views.difference import Change, difference
from postroad_schemas import Tombstone, event_id
from postroad_schemas.directory import RowProposed, RowRefused

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
) -> int:
    """Declare domains, aliases, servers, mailboxes, parameters and contacts from a TOML file.

    Shows the difference first and applies only what changed. Refuses unknown keys.

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
    changes = difference(found, _standing(reached), prune=prune, clean=clean)
    for change in changes:
        print(change.words)
    if not changes:
        print("nothing to change")
    if dry_run or not changes:
        return os.EX_OK
    return _propose(reached, changes, by or os.environ.get("USER", "operator"))


def _standing(reached: Reach) -> dict[str, Any]:
    try:
        return {**rows(reached, "directory"), **{f"contact/{k}": row for k, row in rows(reached, "contacts").items()}}
    except Unavailable as error:
        if "is not there" in str(error):  # nothing was ever started here: everything is new
            return {}
        raise


def _propose(reached: Reach, changes: list[Change], by: str) -> int:
    """Publishes what changes and waits for the gate's answers."""
    now = datetime.now(UTC)
    proposals: dict[str, Change] = {}
    emissions: list[Emission] = []
    for ordinal, change in enumerate(changes):
        if change.contact is not None:
            made = change.contact.created_at or now
            emissions.append(msgspec.structs.replace(change.contact, created_at=made))
        elif change.remove.startswith("contact/"):
            emissions.append(Tombstone("contacts", change.remove.removeprefix("contact/")))
        else:
            new_id = event_id("applied", now.isoformat(), by, str(ordinal))
            proposals[new_id] = change
            emissions.append(
                RowProposed(
                    event_id=new_id, occurred_at=now, trace_id=new_id, row=change.row, remove=change.remove, by=by
                )
            )
    reached.publish(emissions)
    return _answers(reached, proposals)


def _answers(reached: Reach, proposals: dict[str, Change]) -> int:
    """What the gate said: refusals are named, what is unanswered waits for the workers to run."""
    deadline = time.monotonic() + (ANSWERED if reached.answers() else 0.0)
    while True:
        standing = _standing(reached)
        refused = [row for row in standing.values() if isinstance(row, RowRefused) and row.proposal in proposals]
        answered = {row.proposal for row in refused}
        unanswered = [
            change for new_id, change in proposals.items() if new_id not in answered and not change.stands(standing)
        ]
        if not unanswered or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    for row in refused:
        complain(f"refused {row.row_key}: {row.reason}", os.EX_DATAERR)
    if unanswered:
        several = "1 change is" if len(unanswered) == 1 else f"{len(unanswered)} changes are"
        print(f"{several} in the log and will take effect when routing runs (`postroad up`); see `postroad show`")
    return os.EX_DATAERR if refused else os.EX_OK


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
