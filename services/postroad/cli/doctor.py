"""`postroad doctor`: what is missing or wrong, and what to do about it."""

import asyncio
import os
import re
from dataclasses import asdict
from ipaddress import ip_address
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from postroad.cli.doctor_dns import examine
from postroad.cli.finding import Finding, Installation, State
from postroad.cli.main import complain
from postroad.cli.propose import Where, directory_of, json_line, plain, standing
from postroad.cli.zone import zone_text
from postroad.dispatch.caller import built_in_server
from postroad.dispatch.signing import Signer
from postroad.mail.address import ascii_domain
from postroad.runtime.config import secret
from postroad.runtime.dns import Resolver

app = cyclopts.App(name="doctor", help="What is missing or wrong, and what to do about it.")

_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\Z")


AskedResolver = Annotated[str, Parameter(help="Whom to ask, ADDRESS or ADDRESS:PORT; the system's by default.")]
Addresses = Annotated[
    tuple[str, ...],
    Parameter(negative="", help="An address that our mail comes from, where no server's name tells it; several times."),
]


@app.default
def doctor(
    *,
    resolver: AskedResolver = "",
    address: Addresses = (),
    offline: Annotated[bool, Parameter(negative="", help="Ask neither DNS nor mail servers.")] = False,
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """Look at the whole installation: log or brokers, topics, store, directory, servers, mailboxes, secrets,
    certificates, clock, disks, and the DNS of every alias domain.

    Nothing is changed; each mailbox is logged in to; one object is written to the store, read and deleted. Exit code 0
    if nothing is wrong, 69 if something does not answer, else 78.
    """
    from postroad.cli.doctor_all import look

    try:
        addresses, asked = tuple(map(ip_address, address)), None if offline else Resolver(resolver)
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    states: set[State] = set()

    def tell(finding: Finding) -> None:
        states.add(finding.state)
        print(json_line(asdict(finding)) if where.json else _told(finding, 11), flush=True)

    asyncio.run(look(where, addresses, asked, tell))
    return os.EX_UNAVAILABLE if State.DOWN in states else os.EX_CONFIG if State.WRONG in states else os.EX_OK


@app.command
def dns(
    domain: str,
    /,
    *,
    resolver: AskedResolver = "",
    address: Addresses = (),
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """SPF, DKIM, DMARC and MX of a domain that we send from: what receivers see, and what to publish if it is wrong.

    Exit code 78 if something is wrong, 69 if DNS does not answer.

    Parameters
    ----------
    domain
        What stands behind the @ of From.
    """
    name = ascii_domain(domain)
    if not _DOMAIN.match(name):
        return complain(f"{plain(domain)} is no domain name, such as example.com", os.EX_USAGE)
    try:
        addresses = tuple(map(ip_address, address))
        asked = Resolver(resolver)
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    config = where.settings
    here = Installation(
        directory=directory_of(standing(where.reach())),
        relay=built_in_server(config.relay),
        signer=Signer(secret),
        hostname=config.smtp.hostname,
        addresses=addresses,
    )
    findings = asyncio.run(examine(name, here, asked))
    for finding in findings:
        print(json_line(asdict(finding)) if where.json else _told(finding))
    return os.EX_CONFIG if any(finding.state is State.WRONG for finding in findings) else os.EX_OK


def _told(finding: Finding, width: int = 5) -> str:
    line = plain(f"{finding.check:{width}} {finding.state:5} {finding.words}")
    if (record := finding.publish) is None:
        return line
    value = zone_text(record.value) if record.type == "TXT" else record.value
    return f"{line}\n{' ' * (width + 7)}publish: {record.name}. {record.type} {plain(value)}"
