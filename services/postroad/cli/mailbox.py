"""`postroad mailbox`: incoming mailboxes (D8). Only those whose login worked are polled."""

import os
import time
from datetime import UTC, datetime

import cyclopts
import msgspec

from postroad.cli.main import complain
from postroad.cli.propose import (
    ANSWERED,
    LOOK,
    WAITS,
    Where,
    Who,
    absent,
    json_line,
    listing,
    standing,
    told,
)
from postroad.ingest.doors.mailboxes import open_session
from postroad.ingest.doors.polling import MailboxError, Seen
from postroad.runtime.reach import Reach
from postroad_schemas import event_id
from postroad_schemas.directory import IncomingMailbox, RowProposed, RowRefused

app = cyclopts.App(
    name="mailbox",
    help="""Incoming mailboxes: list, confirm. They are declared in a file, see `postroad apply`.

    Example: postroad mailbox confirm office""",
)


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every incoming mailbox. Those without confirmed=True are drafts, which nobody polls."""
    empty = "no incoming mailbox yet: declare a [[mailbox]] and run `postroad apply`"
    return listing(standing(where.reach()), "mailbox", where.json, empty)


@app.command
def confirm(name: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Log in now, say what is seen there, and have the mailbox polled from now on. Nothing there is changed.

    The password's reference is resolved in this process: give it what the ingest worker has.
    """
    reached = who.reach()
    found = standing(reached)
    row = found.get(f"mailbox/{name}")
    if not isinstance(row, IncomingMailbox):
        names = [key.removeprefix("mailbox/") for key in found if key.startswith("mailbox/")]
        return absent("incoming mailbox", name, names)
    try:
        seen = _login(row)
    except MailboxError as error:
        return complain(f"{name} is not confirmed: {error}", os.EX_UNAVAILABLE)
    _tell(row, seen, who.json)
    return _propose(reached, row, who)


def _login(row: IncomingMailbox) -> Seen:
    session = open_session(row)
    try:
        return session.seen()
    finally:
        session.close()


def _tell(row: IncomingMailbox, seen: Seen, json: bool) -> None:
    if json:
        print(json_line({"mailbox": row.name, "saw": {name: getattr(seen, name) for name in Seen.__slots__}}))
        return
    folder = f" in {seen.folder}" if seen.folder else ""
    print(
        f"{row.name}: logged in at {row.host}:{row.port} as {row.credentials.username}; "
        f"{seen.messages} messages{folder}, {seen.unseen} to be taken; can {', '.join(seen.capabilities) or 'little'}",
        flush=True,
    )
    for remark in seen.remarks:
        complain(f"{row.name}: {remark}", os.EX_OK)


def _propose(reached: Reach, row: IncomingMailbox, who: Who) -> int:
    key, now = f"mailbox/{row.name}", datetime.now(UTC)
    new_id = event_id("proposed", now.isoformat(), who.name, key)
    wanted = msgspec.structs.replace(row, confirmed=True)
    reached.publish(
        [RowProposed(event_id=new_id, occurred_at=now, trace_id=new_id, row=wanted, by=who.name)],
    )
    deadline = time.monotonic() + (ANSWERED if reached.answers() else 0.0)
    while True:
        found = standing(reached)
        refused, stands = found.get(f"refusal/{new_id}"), found.get(key)
        if isinstance(refused, RowRefused):
            return complain(f"refused {refused.row_key}: {refused.reason}", os.EX_DATAERR)
        if isinstance(stands, IncomingMailbox) and stands.confirmed:
            print(told(key, stands, who.json))
            return os.EX_OK
        if time.monotonic() > deadline:
            print(json_line({"key": key, "waits": True}) if who.json else f"{key}: {WAITS}")
            return os.EX_OK
        time.sleep(LOOK)
