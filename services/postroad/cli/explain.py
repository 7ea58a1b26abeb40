"""`postroad explain`: what would happen to a mail, or to mail for an address, now."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, json_line, plain, standing
from postroad.explain.address import Finding, explain_address
from postroad.explain.mail import Explained, explain
from postroad.explain.overlay import Look
from postroad.fanout.worker import WORKER as FANOUT
from postroad.ingest.accept import Origin
from postroad.ingest.read import read
from postroad.ingest.received import Acceptance, received
from postroad.ingest.recipients import judge
from postroad.loop_guard.budgets import BUDGETS
from postroad.routing.core import ROUTING
from postroad.runtime.config import Config, secret
from postroad.runtime.named import digest
from postroad.runtime.state import States, states
from postroad.stage import Stage
from postroad.views import TABLES, Views
from postroad_schemas import event_id
from postroad_schemas.directory import KeyState, SigningKey
from postroad_schemas.mail import Door, MailReceived
from postroad_schemas.values import Envelope

ASKED: tuple[Stage[Any], ...] = (ROUTING, BUDGETS, *FANOUT.stages)


def explain_(
    what: Annotated[str, Parameter(name="WHAT", allow_leading_hyphen=True)],
    /,
    *,
    mail_from: Annotated[
        str | None, Parameter(help="MAIL FROM, as the envelope would have it; <> is the null one.")
    ] = None,
    rcpt_to: Annotated[tuple[str, ...], Parameter(negative="", help="RCPT TO; several times for several.")] = (),
    anew: Annotated[bool, Parameter(negative="", help="As if its Message-ID had never been taken.")] = False,
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """What would happen to a mail now: every rule tried, each budget, the outcome, who would be told. Changes nothing.

    With an address instead of a mail: what it is here, as recipient and as sender.

    Parameters
    ----------
    what
        A file that holds one mail (.eml), - for standard input, or an address.
    """
    settings = where.settings
    views, live = views_now(where), states(settings)
    now = datetime.now(UTC)
    if what != "-" and not (what and Path(what).exists()):
        if "@" not in what:
            return complain(f"{what or repr(what)} is neither a file nor an address", os.EX_NOINPUT)
        _say_address(explain_address(what, views, live.all(BUDGETS), now), what, where.json)
        return os.EX_OK
    try:
        raw = sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes()
    except OSError as error:
        return complain(f"{what}: {error.strerror}", os.EX_NOINPUT)
    reverse_path = None if mail_from is None else mail_from.strip("<>")
    envelope = Envelope(mail_from=reverse_path, rcpt_to=rcpt_to or None)
    mail = as_received(raw, envelope, settings, views, now)
    replies = [(address, judge(address, views.directory, now)) for address in rcpt_to]
    refused = [f"{address}: {reply.code} {reply.text}" for address, reply in replies if reply.code != 250]
    found = explain(mail, ASKED, _looking(live, mail.message_id if anew else ""), views)
    if where.json:
        print(json_line({**msgspec.to_builtins(found), "refused_at_rcpt": refused}))
        return os.EX_OK
    for line in refused:
        print(f"the door would refuse {line} (I5)")
    for line in _lines(found):
        print(plain(line))
    return os.EX_OK


def as_received(raw: bytes, envelope: Envelope, config: Config, views: Views, now: datetime) -> MailReceived:
    """The acceptance that a door would publish; nothing is stored."""
    door = Door.PIPE if envelope.rcpt_to is None else Door.SMTP
    reading = read(raw, Origin(door, session="explained", ordinal=""))
    stored = reading.stored({content: digest(content) for content in reading.objects})
    acceptance = Acceptance(
        event_id=event_id("explained", digest(raw).ref, now.isoformat()),
        at=now,
        door=door,
        envelope=envelope,
        trusted_authserv=config.trusted_authserv,
    )
    return received(reading.mail, stored, acceptance, views.directory)


def views_now(where: Where) -> Views:
    """The tables as they stand. Says so where a signing key cannot be read from here."""
    reached, views = where.reach(), Views(secret)
    for table in TABLES:
        for key, row in standing(reached, table).items():
            views.apply(table, key, row)
    for row in views.directory.rows("signing_key"):
        if isinstance(row, SigningKey) and row.state is not KeyState.RETIRED and row.key_id not in views.keys.keys:
            complain(
                f"key {row.key_id} ({row.secret}) cannot be read from here: what it signed proves nothing", os.EX_OK
            )
    return views


def _looking(live: States, forgotten: str) -> Look:
    """Live states; of the forgotten Message-ID nothing is known."""

    stages = {stage.name: stage for stage in ASKED}

    def look(stage: str, key: str) -> Any:
        core = stages[stage]
        return core.state() if stage == ROUTING.name and key == forgotten else live.one(core, key)

    return look


def _lines(found: Explained) -> Iterator[str]:
    yield f"{found.message_id}, by version {found.directory_version} of the directory"
    yield "rules, in their order"
    for tried in found.rules:
        yield f"  {tried.rule:<3} {tried.name:<22} {tried.verdict}{tried.why and f': {tried.why}'}"
    yield "states that were looked at"
    for looked in found.looked:
        yield f"  {looked.stage:<8} {looked.key}: {looked.state}"
    if found.budgets:
        yield "budgets, in their order"
    for one in found.budgets:
        count = (
            "" if one.verdict == "not reached" else f"{one.count} of {one.limit} within {one.window // 60} minutes, "
        )
        yield f"  {one.budget}: {count}{one.verdict}"
    yield f"outcome: {found.outcome} [{found.rule}] {found.why}".rstrip()
    yield from (f"  on {thread}" for thread in found.threads)
    yield f"notice: {found.notice}"
    yield "told" if found.told else "told: nobody"
    yield from (f"  {one.who}: {one.channel} ({one.reason}), on {one.thread}" for one in found.told)
    yield from (f"also: {line}" for line in found.also)


def _say_address(findings: tuple[Finding, ...], address: str, json: bool) -> None:
    if json:
        print(json_line({"address": address, "findings": [msgspec.to_builtins(one) for one in findings]}))
        return
    for one in findings:
        print(plain(f"[{one.rule}] {one.says}"))
