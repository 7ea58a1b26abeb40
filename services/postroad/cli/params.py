"""`postroad params`: the settings that rules name (D5), each with its default without being set."""

import difflib
import os
from typing import Annotated

import cyclopts
from cyclopts import Parameter as Option

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, directory_of, json_line, propose, standing
from postroad.routing.checks import removal_fault
from postroad.routing.rows import Rows
from postroad.views.directory import Directory
from postroad.views.parameters import DOMAIN_FIELDS, SETTINGS
from postroad_schemas.directory import AliasDomain, Parameter

app = cyclopts.App(
    name="params",
    help="""The settings of the rules, under the names of Odoo's guide: list, get, set, unset.

    A change takes effect at once in every running worker.""",
)

_OF_THE_DOMAIN = {
    "mail.catchall.alias": "local part of the catchall address (D1)",
    "mail.bounce.alias": "local part of the bounce address (D1)",
    "mail.catchall.domain": "name of the default alias domain (D1)",
    "mail.default.from": "default From: a local part, or a complete address (D1, O3)",
}
_DEFAULTS = AliasDomain(name="")


@app.command(name="list")
def list_(*, where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every setting: its value, whether that is the default, and what it means."""
    directory = directory_of(standing(where.reach()))
    for name in (*SETTINGS, *DOMAIN_FIELDS):
        print(_told(name, directory, where.json))
    return os.EX_OK


@app.command
def get(name: str, /, *, where: Where = Where()) -> int:  # noqa: B008
    """One setting: its value, its default and what it means.

    Parameters
    ----------
    name
        Such as mail.gateway.loop.threshold; `postroad params list` names all.
    """
    if code := _unknown(name):
        return code
    print(_told(name, directory_of(standing(where.reach())), where.json))
    return os.EX_OK


@app.command(name="set")
def set_(name: str, value: Annotated[str, Option(allow_leading_hyphen=True)], /, *, who: Who = Who()) -> int:  # noqa: B008
    """Set one. Prints it as it is stored, or why it cannot be so.

    Parameters
    ----------
    name
        Such as mail.gateway.loop.threshold; `postroad params list` names all.
    value
        Lists with commas.
    """
    return _unknown(name) or propose(who, Parameter(name=name, value=value))


@app.command
def unset(name: str, /, *, who: Who = Who()) -> int:  # noqa: B008
    """Back to its default.

    Parameters
    ----------
    name
        Such as mail.gateway.loop.threshold; `postroad params list` names all.
    """
    if code := _unknown(name):
        return code
    found = standing(who.reach())
    if reason := removal_fault(f"parameter/{name}", Rows(directory_of(found))):
        return complain(reason, os.EX_DATAERR)
    if f"parameter/{name}" not in found:
        print(f"{name} is not set: it has its default {SETTINGS[name].default!r}")
        return os.EX_OK
    return propose(who, remove=f"parameter/{name}")


def _unknown(name: str) -> int:
    """An exit code, with the nearest name; 0 for a setting that a rule knows."""
    known = (*SETTINGS, *DOMAIN_FIELDS)
    if name in known:
        return os.EX_OK
    near = difflib.get_close_matches(name, known, 1, 0.0)[0]
    return complain(f"no rule knows {name!r}; did you mean {near}? `postroad params list` names all", os.EX_USAGE)


def _told(name: str, directory: Directory, json: bool) -> str:
    value = directory.setting(name)
    default = str(getattr(_DEFAULTS, DOMAIN_FIELDS[name])) if name in DOMAIN_FIELDS else SETTINGS[name].default
    meaning = _OF_THE_DOMAIN.get(name) or SETTINGS[name].meaning
    if json:
        return json_line({"name": name, "value": value, "default": default, "meaning": meaning})
    choices = f"; {', '.join(SETTINGS[name].choices)}" if name in SETTINGS and SETTINGS[name].choices else ""
    how = "default" if value == default else f"default {default!r}"
    return f"{name} = {value!r} ({how}): {meaning}{choices}"
