"""`postroad contact`: the people an app knows (R12, R15), for installations whose app does not say."""

import os
from datetime import UTC, datetime
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import WAITS, Where, absent, awaited, json_line, standing, told
from postroad.mail.address import normalise
from postroad.runtime.reach import Reach
from postroad_schemas import Tombstone
from postroad_schemas.directory import Contact, ContactChannel, ContactKind

app = cyclopts.App(
    name="contact",
    help="""The people that are known, by an id and their addresses: list, add, remove.

    An app writes them itself; these commands are for installations without one.
    Example: postroad contact add 7 mary@example.com --name Mary --kind internal""",
)


@app.command(name="list")
def list_(address: str = "", /, *, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every contact, or those with one address.

    Parameters
    ----------
    address
        Only those.
    """
    found = standing(where.reach(), "contacts")
    wanted = normalise(address)
    shown = {k: c for k, c in sorted(found.items()) if not address or wanted in map(normalise, c.addresses)}
    for key, contact in shown.items():
        print(told(f"contact/{key}", contact, where.json))
    if address and not shown:
        return complain(f"no contact has the address {address}", os.EX_NOINPUT)
    if not shown and not where.json:
        complain("no contact yet: `postroad contact add 7 mary@example.com --name Mary`", os.EX_OK)
    return os.EX_OK


@app.command
def add(
    id_: Annotated[str, Parameter(name="ID")],
    addresses: Annotated[tuple[str, ...], Parameter(name="ADDRESS", negative="")],
    /,
    *,
    name: str = "",
    kind: ContactKind = ContactKind.EXTERNAL,
    channel: ContactChannel = ContactChannel.MAIL,
    archived: Annotated[bool, Parameter(negative="")] = False,
    language: str = "",
    where: Where = Where(),  # noqa: B008
) -> int:
    """Add one, or replace the one with this id.

    Parameters
    ----------
    id_
        The app's own id of this person.
    addresses
        One or more.
    name
        As shown.
    kind
        Internal people see notes.
    channel
        How he is told of posts.
    archived
        He is told nothing, and is not known to `policy contacts`.
    language
        BCP 47, such as de.
    """
    if bad := next((address for address in addresses if "@" not in normalise(address)), None):
        return complain(f"{bad!r} is no address", os.EX_DATAERR)
    if not id_.strip():
        return complain("the ID is empty: give the app's own id of this person", os.EX_DATAERR)
    reached = where.reach()
    former = standing(reached, "contacts").get(id_)
    contact = Contact(
        contact_id=id_,
        addresses=addresses,
        name=name,
        kind=kind,
        channel=channel,
        active=not archived,
        language=language,
        created_at=(former.created_at if former else None) or datetime.now(UTC),
    )
    reached.publish([contact])
    return _stands(reached, id_, contact, where)


@app.command
def remove(id_: Annotated[str, Parameter(name="ID")], /, *, where: Where = Where()) -> int:  # noqa: B008
    """Remove one: his addresses are strangers' from now on.

    Parameters
    ----------
    id_
        The app's own id of this person.
    """
    reached = where.reach()
    found = standing(reached, "contacts")
    if id_ not in found:
        return absent("contact", id_, found)
    reached.publish([Tombstone("contacts", id_)])
    return _stands(reached, id_, None, where)


def _stands(reached: Reach, id_: str, wanted: Any, where: Where) -> int:
    """Waits until the table says so, where somebody works on it."""
    key = f"contact/{id_}"
    if not awaited(reached, lambda: standing(reached, "contacts").get(id_) == wanted or None):
        print(json_line({"key": key, "waits": True}) if where.json else f"{key}: {WAITS}")
    elif wanted is None:
        print(json_line({"key": key, "row": None}) if where.json else f"- {key}")
    else:
        print(told(key, wanted, where.json))
    return os.EX_OK
