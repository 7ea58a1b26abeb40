"""`postroad history`: who changed what in the directory, and when."""

import os

import msgspec

from postroad.cli.main import complain
from postroad.cli.propose import Where, json_line, standing
from postroad.explain.history import Change, history, last_change
from postroad_schemas.directory import RowProposed


def show_history(name: str = "", /, *, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Who changed what, and when: every proposal with its difference, refused or not, then what stands.

    Proposals are told as far back as the log keeps them; who changed a row last stays readable for ever.

    Parameters
    ----------
    name
        A row's key (alias/sales@example.com), its name (sales@example.com), or a kind (parameter); by default all.
    """
    reached, found = where.reach(), standing(where.reach())
    proposals = [it.event for it in reached.records("directory.proposed")] if found else []
    changes = history([event for event in proposals if isinstance(event, RowProposed)], found, name)
    stands = last_change(found, name)
    if not changes and not stands:
        if not name:
            return complain("nothing was declared yet: `postroad apply FILE` does", os.EX_NOINPUT)
        return complain(f"nothing in the directory goes by {name!r}: see `postroad show`", os.EX_NOINPUT)
    for change in changes:
        print(json_line({"change": msgspec.to_builtins(change)}) if where.json else _told(change))
    for key, row in stands:
        if where.json:
            print(json_line({"stands": key, "version": row.version, "by": row.changed_by, "at": row.changed_at}))
        elif row.changed_at:
            by = row.changed_by or "somebody"
            print(f"{row.changed_at:%Y-%m-%d %H:%M:%S}  {key} stands as {by} left it (version {row.version})")
    return os.EX_OK


def _told(change: Change) -> str:
    what = f"{change.key}{f', was {change.renamed}' if change.renamed else ''}"
    outcome = f"REFUSED: {change.refused}" if change.refused else ", ".join(change.changed) or "changes nothing"
    return f"{change.at:%Y-%m-%d %H:%M:%S}  {change.by or 'somebody'}: {what}: {outcome}"
