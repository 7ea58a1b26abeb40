"""`postroad mailbox`: incoming mailboxes (D8). Only those whose login worked are polled."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from postroad.cli.credentials import ByToken
from postroad.cli.main import complain
from postroad.cli.propose import (
    WAITS,
    Where,
    Who,
    absent,
    awaited,
    json_line,
    listing,
    propose,
    standing,
    told,
)
from postroad.ingest.doors.mailboxes import open_session
from postroad.ingest.doors.polling import MailboxError, Seen
from postroad.runtime.reach import Reach
from postroad.runtime.words import counted
from postroad_schemas import event_id
from postroad_schemas.directory import (
    Credentials,
    IncomingMailbox,
    Protocol,
    RowProposed,
    RowRefused,
    Security,
)

app = cyclopts.App(
    name="mailbox",
    help="""Incoming mailboxes: list, add, confirm, remove.

    Example: postroad mailbox add office imap.example.com --username office --secret env:OFFICE_PASSWORD""",
)
Flag = Annotated[bool, Parameter(negative="")]


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every incoming mailbox. Those without confirmed=True are drafts, which nobody polls."""
    empty = "no incoming mailbox yet: declare a [[mailbox]] and run `postroad apply`, or `postroad mailbox add`"
    return listing(standing(where.reach()), "mailbox", where.json, empty)


@app.command
def add(
    name: str,
    host: str,
    /,
    *,
    username: str,
    secret: str,
    protocol: Protocol = Protocol.IMAP,
    port: int = 0,
    security: Security = Security.TLS,
    verify: bool = True,
    ca_file: str = "",
    by_token: ByToken = ByToken(),  # noqa: B008  # frozen
    folder: str = "INBOX",
    interval: int = 300,
    idle: Flag = False,
    keep_attachments: bool = True,
    keep_original: Flag = False,
    record_type: str = "",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Add one as a draft, or declare the one of this name anew. `confirm` has it polled.

    Parameters
    ----------
    name
        As logs and events name it.
    host
        Where it is.
    username
        For the login.
    secret
        The password, or with --oauth2-token-url the refresh token, by reference, never a value: env:NAME or
        file:PATH, as every ingest worker resolves it.
    protocol
        imap or pop3. With POP3 mails that were taken are deleted there.
    port
        By default what goes with protocol and security: 993 or 143, 995 or 110.
    security
        starttls or tls encrypt.
    verify
        Check the server's certificate.
    ca_file
        A private certificate authority (PEM).
    folder
        Of IMAP.
    interval
        Seconds between polls.
    idle
        Have the server tell of new mails at once (IMAP IDLE).
    keep_attachments
        Off: attachments are dropped.
    keep_original
        Attach the whole mail as original_email.eml.
    record_type
        What a mail opens that no alias is meant by.
    """
    try:
        credentials = Credentials(username=username, secret=secret, oauth2=by_token.made())
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    row = IncomingMailbox(
        name=name,
        protocol=protocol,
        host=host,
        port=port,
        security=security,
        verify=verify,
        ca_file=ca_file,
        credentials=credentials,
        folder=folder,
        interval=interval,
        idle=idle,
        keep_attachments=keep_attachments,
        keep_original=keep_original,
        record_type=record_type,
    )
    code = propose(who, row)
    stands = standing(who.reach()).get(f"mailbox/{name}")
    if code == os.EX_OK and not (isinstance(stands, IncomingMailbox) and stands.confirmed):
        complain(f"{name} is a draft: `postroad mailbox confirm {name}` logs in and has it polled", os.EX_OK)
    return code


@app.command
def remove(name: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Remove one. Its mails stay where they are."""
    found = standing(who.reach())
    if f"mailbox/{name}" not in found:
        return absent("incoming mailbox", name, _names(found))
    return propose(who, remove=f"mailbox/{name}")


def _names(found: Mapping[str, object]) -> list[str]:
    return [key.removeprefix("mailbox/") for key in found if key.startswith("mailbox/")]


@app.command
def confirm(name: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Log in now, say what is seen there, and have the mailbox polled from now on. Nothing there is changed.

    The password's reference is resolved in this process: give it what the ingest worker has.
    """
    reached = who.reach()
    found = standing(reached)
    row = found.get(f"mailbox/{name}")
    if not isinstance(row, IncomingMailbox):
        return absent("incoming mailbox", name, _names(found))
    try:
        seen = log_in(row)
    except MailboxError as error:
        return complain(f"{name} is not confirmed: {error}", os.EX_UNAVAILABLE)
    _tell(row, seen, who.json)
    return _propose(reached, row, who)


def log_in(row: IncomingMailbox) -> Seen:
    """What is seen there. Raises MailboxError."""
    session = open_session(row)
    try:
        return session.seen()
    finally:
        session.close()


def _tell(row: IncomingMailbox, seen: Seen, json: bool) -> None:
    if json:
        print(json_line({"mailbox": row.name, "saw": {name: getattr(seen, name) for name in Seen.__slots__}}))
        return
    print(f"{row.name}: {saw(row, seen)}; can {', '.join(seen.capabilities) or 'little'}", flush=True)
    for remark in seen.remarks:
        complain(f"{row.name}: {remark}", os.EX_OK)


def saw(row: IncomingMailbox, seen: Seen) -> str:
    """Whose login worked, and what it saw."""
    folder = f" in {seen.folder}" if seen.folder else ""
    oauth2 = row.credentials.oauth2
    by = f" by a token of {oauth2.token_url}" if oauth2 else ""
    return (
        f"logged in at {row.host}:{row.port} as {row.credentials.username}{by}; "
        f"{counted(seen.messages, 'message')}{folder}, {seen.unseen} to be taken"
    )


def _propose(reached: Reach, row: IncomingMailbox, who: Who) -> int:
    key, now = f"mailbox/{row.name}", datetime.now(UTC)
    new_id = event_id("proposed", now.isoformat(), who.name, key)
    wanted = msgspec.structs.replace(row, confirmed=True)
    reached.publish([RowProposed(event_id=new_id, occurred_at=now, trace_id=new_id, row=wanted, by=who.name)])

    def look() -> RowRefused | IncomingMailbox | None:
        found = standing(reached)
        refused, stands = found.get(f"refusal/{new_id}"), found.get(key)
        if isinstance(refused, RowRefused):
            return refused
        return stands if isinstance(stands, IncomingMailbox) and stands.confirmed else None

    match awaited(reached, look):
        case RowRefused(row_key=refused, reason=reason):
            return complain(f"refused {refused}: {reason}", os.EX_DATAERR)
        case IncomingMailbox() as stands:
            print(told(key, stands, who.json))
        case None:
            print(json_line({"key": key, "waits": True}) if who.json else f"{key}: {WAITS}")
    return os.EX_OK
