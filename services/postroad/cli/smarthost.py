"""`postroad smarthost`: outgoing servers (D7)."""

import os
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, listing, propose, standing
from postroad_schemas.directory import Credentials, Security, Smarthost
from postroad_schemas.values import Stream

app = cyclopts.App(
    name="smarthost",
    help="""Outgoing servers: list, add, remove. While there is none, the relay of postroad.toml sends.

    Example: postroad smarthost add main smtp.example.com --security starttls --filter example.com""",
)


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every outgoing server."""
    empty = "no outgoing server yet: the relay of postroad.toml sends everything"
    return listing(standing(where.reach()), "smarthost", where.json, empty)


@app.command
def add(
    name: str,
    host: str,
    /,
    *,
    port: int = 0,
    security: Security = Security.NONE,
    verify: bool = True,
    ca_file: str = "",
    username: str = "",
    secret: str = "",
    priority: int = 10,
    filter_: Annotated[tuple[str, ...], Parameter(name="--filter", negative="")] = (),
    stream: Annotated[tuple[Stream, ...], Parameter(name="--stream", negative="")] = tuple(Stream),
    daily_limit: int = 0,
    rate: int = 0,
    connections: int = 5,
    inactive: Annotated[bool, Parameter(negative="")] = False,
    who: Who = Who(),  # noqa: B008
) -> int:
    """Add one, or declare the one of this name anew.

    Parameters
    ----------
    name
        As reports name it.
    host
        Where it listens.
    port
        By default what goes with the security: 25, 587 or 465.
    security
        starttls or tls encrypt.
    verify
        Check the server's certificate.
    ca_file
        A private certificate authority (PEM).
    username
        For AUTH; with --secret.
    secret
        The password by reference, never a value: env:NAME or file:PATH, as every dispatch worker resolves it.
    priority
        Smaller first.
    filter_
        An address or domain whose mail it sends; several times for several. None: it sends for all.
    stream
        What it sends: chatter, notice, bulk; several times for several.
    daily_limit
        Mails a UTC day; 0: none.
    rate
        Mails a second; 0: no limit.
    connections
        At most so many at once.
    inactive
        Declared, but not used.
    """
    if bool(username) != bool(secret):
        return complain("--username and --secret go together", os.EX_USAGE)
    row = Smarthost(
        name=name,
        host=host,
        port=port,
        security=security,
        verify=verify,
        ca_file=ca_file,
        credentials=Credentials(username=username, secret=secret) if secret else None,
        priority=priority,
        from_filter=filter_,
        streams=stream,
        daily_limit=daily_limit,
        rate=rate,
        connections=connections,
        active=not inactive,
    )
    return propose(who, row)


@app.command
def remove(name: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Remove one. What it was to send goes through the others."""
    found = standing(who.reach())
    if f"smarthost/{name}" not in found:
        names = [key.removeprefix("smarthost/") for key in found if key.startswith("smarthost/")]
        return absent("outgoing server", name, names)
    return propose(who, remove=f"smarthost/{name}")
