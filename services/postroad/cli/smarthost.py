"""`postroad smarthost`: outgoing servers (D7), which of them sends (O1), and whether one works (O12)."""

import os
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from postroad.cli.credentials import ByToken, credentials_of
from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, listing, propose, standing
from postroad_schemas.directory import Provider, Security, Smarthost
from postroad_schemas.values import Stream

app = cyclopts.App(
    name="smarthost",
    help="""Outgoing servers: list, add, remove, test, explain. While there is none, the relay of postroad.toml sends.

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
    by_token: ByToken = ByToken(),  # noqa: B008  # frozen
    priority: int = 10,
    filter_: Annotated[tuple[str, ...], Parameter(name="--filter", negative="")] = (),
    stream: Annotated[tuple[Stream, ...], Parameter(name="--stream", negative="")] = tuple(Stream),
    daily_limit: int = 0,
    rate: int = 0,
    connections: int = 5,
    mails_per_connection: int = 100,
    size_limit: int = 0,
    provider: Provider | None = None,
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
        The password by reference, never a value: env:NAME or file:PATH, as every dispatch worker resolves it. Where
        "Bearer ..." stands there, that is an access token; with --oauth2-token-url it is the refresh token.
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
        At most so many at once, of each dispatch worker.
    mails_per_connection
        After so many a connection is closed.
    size_limit
        Octets of a message; 0: as the server says.
    provider
        Whose server it is: a field in each mail's header tells it which message it is, and its webhooks say that back.
    inactive
        Declared, but not used.
    """
    try:
        credentials = credentials_of(username, secret, by_token)
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    row = Smarthost(
        name=name,
        host=host,
        port=port,
        security=security,
        verify=verify,
        ca_file=ca_file,
        credentials=credentials,
        priority=priority,
        from_filter=filter_,
        streams=stream,
        daily_limit=daily_limit,
        rate=rate,
        connections=connections,
        mails_per_connection=mails_per_connection,
        size_limit=size_limit,
        active=not inactive,
        provider=provider,
    )
    return propose(who, row)


@app.command
def remove(name: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Remove one. What it was to send goes through the others."""
    found = standing(who.reach())
    if f"smarthost/{name}" not in found:
        return unknown(name, found)
    return propose(who, remove=f"smarthost/{name}")


def unknown(name: str, found: dict[str, Any]) -> int:
    names = [key.removeprefix("smarthost/") for key in found if key.startswith("smarthost/")]
    return absent("outgoing server", name, names)


app.command("postroad.cli.smarthost_trial:trial", name="test", help="Try a server, as far as the message itself.")
app.command(
    "postroad.cli.smarthost_explain:explain", name="explain", help="Which server would send a message, and why."
)
