"""`postroad smarthost explain`: which server would send a message now, From and envelope sender (O1, O2, O4)."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, json_line, plain, standing
from postroad.dispatch.attempt import Plan
from postroad.dispatch.caller import built_in_server
from postroad.dispatch.considered import considered
from postroad.dispatch.plan import built_in, plan
from postroad.dispatch.reports import shown
from postroad.dispatch.server import port_of
from postroad.mail.address import mailboxes
from postroad.runtime.config import secret
from postroad.views import Views
from postroad_schemas.directory import Smarthost
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Mailbox, Stream


def explain(
    author: str,
    /,
    *,
    stream: Annotated[Stream, Parameter(name="--stream")] = Stream.CHATTER,
    to: str = "",
    domain: str = "",
    server: str = "",
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """Which server would send a message with this From, and why not the others. Nothing is sent.

    Parameters
    ----------
    author
        What stands in From: an address, with or without a name.
    stream
        chatter, notice or bulk.
    to
        The recipient, for what is kept from it (the blacklist, lists that were left).
    domain
        The alias domain of the record's company; by default the default one.
    server
        A dedicated server that the message names.
    """
    reached, settings = where.reach(), where.settings
    views = Views(secret)
    for table in ("directory", "suppressions"):
        for key, row in standing(reached, table).items():
            views.apply(table, key, row)
    relay = built_in_server(settings.relay)
    submission = _submission(author, stream, to, domain, server)
    planned = plan(submission, views, relay)
    if not isinstance(planned, Plan):
        if where.json:
            print(json_line({"failure": planned.failure, "why": planned.why, "status": planned.status}))
        return complain(f"not sent: {planned.why} ({planned.failure})", os.EX_DATAERR)
    for rule, says in _findings(planned, submission, views, relay):
        print(json_line({"rule": rule, "says": says}) if where.json else f"{rule:4}{plain(says)}")
    return os.EX_OK


def _submission(author: str, stream: Stream, to: str, domain: str, server: str) -> OutboundSubmitted:
    found = next(iter(mailboxes(author)), None)
    from_ = Mailbox(address=found.address, name=found.name) if found else Mailbox(address=author)
    return OutboundSubmitted(
        event_id="0" * 32,
        occurred_at=datetime.now(UTC),
        trace_id="0" * 32,
        recipient=to or "somebody@example.org",
        from_=from_ if author.strip() else None,
        message_id="<explained@postroad>",
        stream=stream,
        domain=domain,
        server=server,
    )


def _findings(
    planned: Plan, submission: OutboundSubmitted, views: Views, relay: Smarthost
) -> Iterator[tuple[str, str]]:
    """Rules, and what each says."""
    directory = views.directory
    default_from, order = directory.default_from(submission.domain), directory.setting("mail.server.order")
    declared = [row for row in directory.rows("smarthost") if isinstance(row, Smarthost)]
    if not declared:
        yield "O5", "no server is declared: the relay of postroad.toml sends"
    servers = declared or [built_in(directory, relay)]
    for server, verdict in considered(servers, planned, default_from, submission.stream, order):
        filter_ = ", ".join(server.from_filter) or "no filter"
        of = f", of {server.provider}" if server.provider else ""
        at = f"{server.host}:{port_of(server)}{of}, priority {server.priority}, {filter_}"
        yield "O1", f"{server.name} ({at}): {verdict}"
    before, after = shown(planned.from_before), shown(planned.from_after)
    yield "O2", f"From {before}, unchanged" if before == after else f"From {before} becomes {after}"
    yield "O4", f"MAIL FROM:<{planned.envelope_from}>"
    if planned.told:
        names = ", ".join(header.name for header in planned.told)
        yield "B1", f"{planned.server.provider} is told which message it is ({names}), so that its webhooks say it"
    if planned.smtputf8:
        yield "O9", "needs SMTPUTF8: an address has a non-ASCII local part"
    if planned.server.daily_limit:
        yield "O5", f"at most {planned.server.daily_limit} a UTC day; what is over waits"
