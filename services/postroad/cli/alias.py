"""`postroad alias`: addresses whose mail opens records or posts to a thread (D2)."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import cyclopts
import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, listing, propose, standing
from postroad.routing.cleaning import clean
from postroad_schemas.directory import Alias, AliasState, Limits, Match, Policy, row_key
from postroad_schemas.mail import Scope

app = cyclopts.App(
    name="alias",
    help="""Addresses whose mail opens a record, or posts to one thread: list, add, rename, disable, enable, remove.

    Example: postroad alias add sales@example.com --type crm.lead""",
)

Default = Annotated[
    tuple[str, ...], Parameter(name="--default", negative="", help="A value given on to the app, NAME=VALUE.")
]
Counts = Literal["author", "alias", "type"]  # L2
replace = msgspec.structs.replace


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every alias, and what people should look at: `invalid` is said of one to which nobody can write."""
    found = standing(where.reach())
    code = listing(found, "alias", where.json, "no alias yet: `postroad alias add sales@example.com --type crm.lead`")
    for row in found.values():
        if isinstance(row, AliasState) and row.invalid:
            complain(f"{row.alias} is flagged invalid: {row.reason}", os.EX_OK)
    return code


@app.command
def add(
    address: str,
    /,
    *,
    type_: Annotated[str, Parameter(name=("--type", "--record-type"))] = "",
    policy: Policy = Policy.EVERYONE,
    thread: str = "",
    owner_thread: str = "",
    default: Default = (),
    refusal_text: str = "",
    threshold: int | None = None,
    minutes: int | None = None,
    scope: Counts | None = None,
    match: Match = Match.FULL,
    who: Who = Who(),  # noqa: B008
) -> int:
    """Add one. Prints it as it is stored: names are cleaned of accents, capitals and spaces.

    Parameters
    ----------
    address
        local@domain; without a domain it matches by its local part alone.
    type_
        The record type that a mail to it opens, such as crm.lead.
    policy
        Who may write.
    thread
        The thread that it always posts to, as type/id, instead of opening records.
    owner_thread
        Its team's thread: whose followers may write, and where answers go.
    refusal_text
        What we write to those who may not.
    threshold
        Its own limit of records in the window of the loop guard.
    minutes
        Its own window of the loop guard.
    scope
        What its limit counts.
    match
        `local` matches the local part on other domains too.
    """
    local_part, _, domain = address.partition("@")
    pairs = [pair.partition("=") for pair in default]
    if bad := next((name for name, equals, _ in pairs if not equals), None):
        return complain(f"--default {bad}: write NAME=VALUE", os.EX_USAGE)
    row = Alias(
        local_part=local_part,
        domain=domain,
        record_type=type_,
        policy=policy,
        thread=thread,
        owner_thread=owner_thread,
        defaults={name: value for name, _, value in pairs},
        refusal_text=refusal_text,
        limits=Limits(threshold=threshold, minutes=minutes, scope=Scope(scope) if scope else None),
        match=match,
    )
    key = row_key(clean(row))
    if key in standing(who.reach()):
        name = key.removeprefix("alias/")
        return complain(f"{name} is an alias already: remove it first, or rename it", os.EX_DATAERR)
    return propose(who, row)


@app.command
def rename(old: str, new: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Give one another address. Mail to the old one still arrives (see mail.former.policy).

    Parameters
    ----------
    old
        Its address.
    new
        Its new address; without @ only the local part changes.
    """
    found = standing(who.reach())
    row = named(old, found)
    if row is None:
        return _no_alias(old, found)
    local_part, at, domain = new.partition("@")
    return propose(who, replace(row, local_part=local_part, domain=domain if at else row.domain), row_key(row))


@app.command
def disable(address: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Mail to it is refused from now on; what is declared stays, `enable` brings it back."""
    return _with_active(address, False, who)


@app.command
def enable(address: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Take mail to a disabled one again."""
    return _with_active(address, True, who)


@app.command
def remove(address: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Remove one. Its threads stay, and replies on them still arrive."""
    found = standing(who.reach())
    row = named(address, found)
    return _no_alias(address, found) if row is None else propose(who, remove=row_key(row))


def named(address: str, found: Mapping[str, Any]) -> Alias | None:
    """The alias of this address, as written or as it would be stored (D3)."""
    local_part, _, domain = address.partition("@")
    row = found.get(f"alias/{address}") or found.get(row_key(clean(Alias(local_part=local_part, domain=domain))))
    return row if isinstance(row, Alias) else None


def _with_active(address: str, active: bool, who: Who) -> int:
    found = standing(who.reach())
    row = named(address, found)
    return _no_alias(address, found) if row is None else propose(who, replace(row, active=active))


def _no_alias(address: str, found: Mapping[str, Any]) -> int:
    return absent("alias", address, [key.removeprefix("alias/") for key in found if key.startswith("alias/")])
