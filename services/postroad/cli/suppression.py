"""`postroad suppression`: who gets no bulk mail, why, and what other numbers would say (B3-B6, O6)."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from postroad.bounces.addresses import ADDRESSES, AddressLog
from postroad.bounces.blacklist import BlacklistPolicy, Counted, policy
from postroad.bounces.outlook import what_if
from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, awaited, directory_of, json_line, nothing, plain, standing
from postroad.dispatch.waiting import DISPATCH
from postroad.explain.suppression import (
    Standing,
    asked_fields,
    asked_told,
    left_fields,
    left_told,
    row_fields,
    row_told,
    rules_told,
)
from postroad.mail.address import normalise
from postroad.runtime.reach import Reach
from postroad.runtime.state import states
from postroad_schemas import event_id
from postroad_schemas.address import AddressBarred, AddressBlacklisted, AddressPardoned, ListLeft
from postroad_schemas.values import Stream

SHOWN = 5  # messages
WAITS = "in the log; it takes effect when bounces runs (`postroad up`)"

app = cyclopts.App(
    name="suppression",
    help="""Addresses that get no bulk mail: list, show, lift, add, what-if.

    Failures blacklist an address (B4), a complaint or a person does (B5); who left a list gets none of its mail.""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Instead of what the parameters say."""

    count: Annotated[int | None, Parameter(help="Failures that blacklist.")] = None
    window_days: Annotated[int | None, Parameter(help="Within so many days.")] = None
    span_days: Annotated[int | None, Parameter(help="First and last further apart than so many days.")] = None
    streams: Annotated[tuple[Stream, ...], Parameter(negative="", help="Streams whose failures count.")] = ()
    failures: Annotated[Counted | None, Parameter(help="Which failures count.")] = None
    unproven: Annotated[bool, Parameter(negative="", help="Also what nothing proves.")] = False

    def over(self, rules: BlacklistPolicy) -> BlacklistPolicy:
        """Raises ValueError for a number below zero."""
        given = {"--count": self.count, "--window-days": self.window_days, "--span-days": self.span_days}
        for name, number in given.items():
            if number is not None and number < 0:
                raise ValueError(f"{name} is a number of at least 0, not {number}")
        return BlacklistPolicy(
            count=rules.count if self.count is None else self.count,
            window=rules.window if self.window_days is None else timedelta(days=self.window_days),
            span=rules.span if self.span_days is None else timedelta(days=self.span_days),
            streams=frozenset(self.streams) or rules.streams,
            failures=self.failures or rules.failures,
            proven=rules.proven and not self.unproven,
        )


@app.command(name="list")
def list_(
    *,
    lists: Annotated[bool, Parameter(negative="", help="Who left which list, instead.")] = False,
    where: Where = Where(),  # noqa: B008  # frozen
) -> int:
    """Every blacklisted address: since when, by which rule, why."""
    found = standing(where.reach(), "suppressions").values()
    told = []
    for row in sorted(found, key=lambda row: (row.occurred_at, row.address)):
        if isinstance(row, ListLeft) and lists:
            told.append(json_line(left_fields(row)) if where.json else plain(left_told(row)))
        elif isinstance(row, AddressBlacklisted) and row.active and not lists:
            told.append(json_line(row_fields(row)) if where.json else plain(row_told(row)))
    for line in told:
        print(line)
    if not told and not where.json:
        nothing(where, "nobody has left a list" if lists else "no address is blacklisted")
    return os.EX_OK


@app.command
def show(address: str, /, *, where: Where = Where()) -> int:  # noqa: B008
    """All that is known of one address: its failures, which of them count, and what would blacklist it next.

    Parameters
    ----------
    address
        As people write it.
    """
    wanted = normalise(address)
    if "@" not in wanted:
        return _no_address(address)
    reached, live = where.reach(), states(where.settings)
    rows = standing(reached, "suppressions").values()
    known = Standing(
        address=wanted,
        log=live.one(ADDRESSES, wanted),
        rules=policy(directory_of(standing(reached))),
        left=tuple(row for row in rows if isinstance(row, ListLeft) and row.address == wanted),
        sent=live.one(DISPATCH, wanted).submissions[-SHOWN:],
        now=datetime.now(UTC),
    )
    if where.json:
        print(json_line(known.fields()))
        return os.EX_OK
    for line in known.lines():
        print(plain(line))
    return os.EX_OK


@app.command
def lift(address: str, /, *, note: str = "", who: Who = Who()) -> int:  # noqa: B008
    """Let an address have bulk mail again. What came before is forgotten: only new failures count.

    Parameters
    ----------
    address
        As people write it.
    note
        Why, for the contact.
    """
    wanted, reached = normalise(address), who.reach()
    log: AddressLog = states(who.settings).one(ADDRESSES, wanted)
    row = standing(reached, "suppressions").get(wanted)
    if not log.failures and not (isinstance(row, AddressBlacklisted) and row.active):
        return complain(f"nothing is held against {wanted}: see `postroad suppression list`", os.EX_NOINPUT)
    return _ordered(AddressPardoned, wanted, note, who, reached)


@app.command
def add(address: str, /, *, note: str = "", who: Who = Who()) -> int:  # noqa: B008
    """Blacklist an address by hand: it gets no bulk mail until it is lifted.

    Parameters
    ----------
    address
        As people write it.
    note
        Why, for the contact.
    """
    wanted = normalise(address)
    if "@" not in wanted:
        return _no_address(address)
    return _ordered(AddressBarred, wanted, note, who, who.reach())


@app.command(name="what-if")
def what_if_(
    address: str = "all",
    /,
    *,
    numbers: Numbers = Numbers(),
    where: Where = Where(),  # noqa: B008
) -> int:
    """Who would be blacklisted if the numbers were others. Changes nothing.

    Asked of the failures that are kept: since an address was last heard from, up to 100 and 180 days.

    Parameters
    ----------
    address
        One, or all.
    """
    reached, live = where.reach(), states(where.settings)
    try:
        rules = numbers.over(policy(directory_of(standing(reached))))
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    wanted = normalise(address)
    if address != "all" and "@" not in wanted:
        return complain(f"{address} is neither an address nor all", os.EX_USAGE)
    logs = live.all(ADDRESSES) if address == "all" else {wanted: live.one(ADDRESSES, wanted)}
    found = [what_if(name, log, rules) for name, log in sorted(logs.items())]
    for one in found:
        if one.would or one.listed or address != "all":
            print(json_line(asked_fields(one)) if where.json else plain(asked_told(one)))
    if not where.json:
        would, are = sum(one.would for one in found), sum(one.listed for one in found)
        complain(f"{rules_told(rules)}: {would} of {len(found)} blacklisted, now {are}", os.EX_OK)
    return os.EX_OK


def _ordered(
    order: type[AddressPardoned] | type[AddressBarred], address: str, note: str, who: Who, reached: Reach
) -> int:
    """Says it, and waits until it stands."""
    now = datetime.now(UTC)
    new_id = event_id("suppression", order.__name__, address, now.isoformat())
    said = order(event_id=new_id, occurred_at=now, trace_id=new_id, address=address, by=who.name, note=note)
    reached.publish([said])

    def look() -> AddressBlacklisted | None:
        row = standing(reached, "suppressions").get(address)
        return row if isinstance(row, AddressBlacklisted) and row.cause_id == new_id else None

    if row := awaited(reached, look):
        print(json_line(row_fields(row)) if who.json else plain(row_told(row)))
    else:
        print(json_line({"address": address, "waits": True}) if who.json else f"{address}: {WAITS}")
    return os.EX_OK


def _no_address(given: str) -> int:
    return complain(f"{given or repr(given)} is no address: local-part@domain", os.EX_USAGE)
