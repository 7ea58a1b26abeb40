"""`postroad domain`: alias domains, one per company (D1)."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

import cyclopts
import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, listing, propose, standing
from postroad.mail.address import ascii_domain
from postroad_schemas.directory import AliasDomain

app = cyclopts.App(
    name="domain",
    help="""Alias domains, one per company, with catchall, bounce and default From: list, add, set, remove.

    Example: postroad domain add example.com --company Example""",
)

Redirect = Annotated[
    tuple[str, ...],
    Parameter(name="--redirect", negative="", help="An outside address redirected to it: it counts as its catchall."),
]


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every alias domain."""
    return listing(standing(where.reach()), "domain", where.json, "no domain yet: `postroad domain add example.com`")


@app.command
def add(
    name: str,
    /,
    *,
    company: str = "",
    company_address: str = "",
    catchall: str = "catchall",
    bounce: str = "bounce",
    default_from: str = "notifications",
    default: Annotated[bool, Parameter(negative="")] = False,
    redirect: Redirect = (),
    who: Who = Who(),  # noqa: B008
) -> int:
    """Add one. The first is the default one.

    Parameters
    ----------
    name
        Such as example.com.
    company
        Whose it is, as shown in replies.
    company_address
        The company's own address.
    catchall
        Local part of the address that replies are sent to.
    bounce
        Local part of the address that failure reports go to.
    default_from
        Local part, or a complete address that is used as it is.
    default
        Make it the default one.
    """
    if f"domain/{ascii_domain(name)}" in standing(who.reach()):
        return complain(f"{name} is an alias domain already: `postroad domain set` changes it", os.EX_DATAERR)
    row = AliasDomain(
        name=name,
        company=company,
        company_address=company_address,
        catchall=catchall,
        bounce=bounce,
        default_from=default_from,
        default=default,
        redirects=redirect,
    )
    return propose(who, row)


@app.command(name="set")
def set_(
    name: str,
    /,
    *,
    rename: str | None = None,
    company: str | None = None,
    company_address: str | None = None,
    catchall: str | None = None,
    bounce: str | None = None,
    default_from: str | None = None,
    default: Annotated[bool | None, Parameter(negative="")] = None,
    redirect: Annotated[tuple[str, ...] | None, Parameter(name="--redirect", negative="")] = None,
    who: Who = Who(),  # noqa: B008
) -> int:
    """Change what is given of one. Former addresses still arrive (see mail.former.policy).

    Parameters
    ----------
    name
        Such as example.com.
    rename
        Its new name; its aliases move with it.
    company
        Whose it is, as shown in replies.
    company_address
        The company's own address.
    catchall
        Local part of the address that replies are sent to.
    bounce
        Local part of the address that failure reports go to.
    default_from
        Local part, or a complete address that is used as it is.
    default
        Make it the default one.
    redirect
        Outside addresses redirected to it, all of them.
    """
    found = standing(who.reach())
    row = found.get(f"domain/{ascii_domain(name)}")
    if not isinstance(row, AliasDomain):
        return _no_domain(name, found)
    given: dict[str, Any] = {
        "name": rename,
        "company": company,
        "company_address": company_address,
        "catchall": catchall,
        "bounce": bounce,
        "default_from": default_from,
        "default": default,
        "redirects": redirect,
    }
    changed = {field: value for field, value in given.items() if value is not None}
    return propose(who, msgspec.structs.replace(row, **changed), f"domain/{row.name}" if rename else "")


@app.command
def remove(name: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Remove one that has no aliases any more."""
    found = standing(who.reach())
    key = f"domain/{ascii_domain(name)}"
    return propose(who, remove=key) if key in found else _no_domain(name, found)


def _no_domain(name: str, found: Mapping[str, Any]) -> int:
    return absent("domain", name, [key.removeprefix("domain/") for key in found if key.startswith("domain/")])
