"""Incoming mailboxes (D8): a login to each, as `postroad mailbox confirm` does it. Nothing there is changed."""

import asyncio

from postroad.cli.finding import Finding, State
from postroad.cli.mailbox import log_in, saw
from postroad.cli.within import within
from postroad.ingest.doors.polling import LoginRefused, MailboxError
from postroad.runtime.config import secret
from postroad.views.directory import Directory
from postroad_schemas.directory import IncomingMailbox

SECONDS = 10.0  # that a server has, from the connection to the last answer
_IN_USE = ("[IN-USE]", "[LOGIN-DELAY]")  # RFC 2449 8.1: POP3 lets in one at a time, or not so soon again


async def logins(view: Directory) -> list[Finding]:
    """To all of them at the same time."""
    return list(await asyncio.gather(*map(_login, view.mailboxes())))


async def _login(row: IncomingMailbox) -> Finding:
    if not secret(row.credentials.secret):
        words = f"{row.name}: no login is tried, {row.credentials.secret} cannot be had from here"
        return Finding("mailbox", State.NOTE, words)
    try:
        seen = await within(SECONDS, lambda: log_in(row))
    except TimeoutError:
        words = f"{row.host}:{row.port} does not answer within {SECONDS:g} seconds: correct its row, or ask again"
        return Finding("mailbox", State.DOWN, f"{row.name}: {words}")
    except MailboxError as error:
        return Finding("mailbox", _state(error), f"{row.name}: {error}")
    remarks = "".join(f"; {remark}" for remark in seen.remarks)
    return Finding("mailbox", State.OK, f"{row.name}: {saw(row, seen)}{remarks}")


def _state(error: MailboxError) -> State:
    if not isinstance(error, LoginRefused):
        return State.DOWN
    return State.NOTE if any(code in str(error) for code in _IN_USE) else State.WRONG
