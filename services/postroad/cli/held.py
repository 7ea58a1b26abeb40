"""`postroad held`: mails that wait for a person (R11, L5, R17)."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import cyclopts
import msgspec
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, agreed, awaited, json_line, nothing, plain, standing
from postroad.explain.held import Filter, age, how_long, per_second, recipients
from postroad.routing.release import released
from postroad.runtime.objects import open_store
from postroad.runtime.reach import Reach
from postroad.stage import Emission
from postroad_schemas import Tombstone, event_id
from postroad_schemas.mail import HeldMail

app = cyclopts.App(
    name="held",
    help="""Mails that wait for a person: list, show, release, drop.

    Nobody was told that they are lost: release lets them go on by the current rules, drop ends them.""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which of them."""

    rule: Annotated[str, Parameter(help="Held by this rule, such as L1.")] = ""
    alias: Annotated[str, Parameter(help="To this address.")] = ""
    older_than: Annotated[str, Parameter(help="Waiting for longer, such as 30m, 12h or 2d.")] = ""

    def __bool__(self) -> bool:
        return bool(self.rule or self.alias or self.older_than)

    def filter(self) -> Filter:
        """Raises ValueError for an age that is none."""
        waited = age(self.older_than) if self.older_than else timedelta(0)
        return Filter(rule=self.rule, alias=self.alias, waited=waited)


@app.command(name="list")
def list_(*, chosen: Chosen = Chosen(), where: Where = Where()) -> int:  # noqa: B008  # frozen
    """Every mail that waits: since when, the rule that holds it and why, from whom, to whom."""
    now, waiting = datetime.now(UTC), _held(where.reach())
    try:
        found = chosen.filter().of(waiting.values(), now)
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    for held in found:
        print(json_line(_fields(held, now)) if where.json else _told(held, now))
    if not found and not where.json:
        nothing(where, "no mail waits")
    return os.EX_OK


@app.command
def show(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    raw: Annotated[bool, Parameter(negative="", help="The mail's own bytes, nothing else.")] = False,
    where: Where = Where(),  # noqa: B008
) -> int:
    """One that waits, with all that is known of it.

    Parameters
    ----------
    id_
        As `postroad held list` shows it, or its beginning.
    """
    found = _held(where.reach())
    held = _one(id_, found)
    if held is None:
        return absent("held mail", id_, found)
    if raw:
        return _raw(held, where)
    now = datetime.now(UTC)
    if where.json:
        print(json_line({**_fields(held, now), "mail": msgspec.to_builtins(held.mail)}))
        return os.EX_OK
    for name, value in _fields(held, now).items():
        print(f"{name.replace('_', ' '):<12} {plain(', '.join(value) if isinstance(value, list) else value)}")
    print(f"{'raw':<12} {held.mail.raw.ref} ({held.mail.raw.size} octets; --raw shows it)")
    return os.EX_OK


@app.command
def release(
    id_: Annotated[str, Parameter(name="ID")] = "",
    /,
    *,
    chosen: Chosen = Chosen(),
    rate: Annotated[str, Parameter(help="So many a second, such as 5/s.")] = "10/s",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Let one go on by the current rules, or all that a filter names. The rule that held it does not hold it again.

    Parameters
    ----------
    id_
        As `postroad held list` shows it, or its beginning; or give a filter.
    """

    def on(held: HeldMail) -> Emission:
        new_id = event_id("released", held.event_id)  # twice by two people it is one release
        return released(held, who.name, datetime.now(UTC), new_id)

    return _each(id_, chosen, rate, who, "released", on)


@app.command
def drop(
    id_: Annotated[str, Parameter(name="ID")] = "",
    /,
    *,
    chosen: Chosen = Chosen(),
    rate: Annotated[str, Parameter(help="So many a second, such as 5/s.")] = "10/s",
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    where: Where = Where(),  # noqa: B008
) -> int:
    """End one, or all that a filter names: nobody will see them. Their raw bytes stay in the store.

    Parameters
    ----------
    id_
        As `postroad held list` shows it, or its beginning; or give a filter.
    """

    def on(held: HeldMail) -> Emission:
        return Tombstone("held", held.mail.event_id)

    return _each(id_, chosen, rate, where, "dropped", on, ask=not yes)


def _each(
    id_: str,
    chosen: Chosen,
    rate: str,
    where: Where,
    done: str,
    on: Callable[[HeldMail], Emission],
    *,
    ask: bool = False,
) -> int:
    if bool(id_) == bool(chosen):
        return complain("name one by its ID, or several by --rule, --alias, --older-than", os.EX_USAGE)
    reached = where.reach()
    found = _held(reached)
    try:
        pause, choice = 1 / per_second(rate), chosen.filter()
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    one = _one(id_, found) if id_ else None
    if id_ and one is None:
        return absent("held mail", id_, found)
    wanted = [one] if one else choice.of(found.values(), datetime.now(UTC))
    several = "this mail" if len(wanted) == 1 else f"these {len(wanted)} mails"
    if ask and wanted and not agreed(f"Drop {several} for ever?"):
        return complain("nothing is dropped: --yes does it without asking", os.EX_USAGE)
    for number, held in enumerate(wanted):
        if number:
            time.sleep(pause)
        reached.publish([on(held)])
        said = {"id": held.mail.event_id, done: True, "message_id": held.mail.message_id}
        print(json_line(said) if where.json else f"{done} {plain(_told(held, datetime.now(UTC)))}", flush=True)
    if not wanted and not where.json:
        complain("no mail waits that is meant", os.EX_OK)
    elif not _gone(reached, wanted):
        complain("in the log; it takes effect when the workers run (`postroad up`)", os.EX_OK)
    elif done == "released" and len(wanted) == 1 and not where.json:
        print(f"what became of it: postroad trace '{wanted[0].mail.message_id}'")
    return os.EX_OK


def _gone(reached: Reach, wanted: Iterable[HeldMail]) -> bool:
    """Whether they wait no more, once there was time."""
    ids = {held.mail.event_id for held in wanted}
    return bool(awaited(reached, lambda: ids.isdisjoint(standing(reached, "held")) or None))


def _held(reached: Reach) -> dict[str, HeldMail]:
    return {key: row for key, row in standing(reached, "held").items() if isinstance(row, HeldMail)}


def _one(id_: str, found: dict[str, HeldMail]) -> HeldMail | None:
    """By its id, an unambiguous beginning of it, or its Message-ID."""
    message_id = f"<{id_.strip('<>')}>"
    meant = [held for key, held in found.items() if key.startswith(id_) or held.mail.message_id == message_id]
    return found.get(id_) or (meant[0] if len(meant) == 1 else None)


def _fields(held: HeldMail, now: datetime) -> dict[str, Any]:
    mail = held.mail
    return {
        "id": mail.event_id,
        "since": f"{held.occurred_at:%Y-%m-%d %H:%M:%S}",
        "age": how_long(now - held.occurred_at),
        "rule": held.rule,
        "reason": held.reason,
        "from": mail.author.address if mail.author else "",
        "to": sorted(recipients(held)),
        "subject": mail.subject,
        "message_id": mail.message_id,
    }


def _told(held: HeldMail, now: datetime) -> str:
    said = _fields(held, now)
    who = f"{said['from'] or 'nobody'} to {', '.join(said['to'])}: {said['subject']!r}"
    return plain(f"{said['id']}  {said['age']:>6}  [{said['rule']}] {said['reason']}; {who}")


def _raw(held: HeldMail, where: Where) -> int:
    store = open_store(where.settings.store.url)
    try:
        sys.stdout.buffer.write(asyncio.run(store.get(held.mail.raw.ref)))
    except LookupError as error:
        return complain(str(error), os.EX_NOINPUT)
    return os.EX_OK
