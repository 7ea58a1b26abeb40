"""`postroad outbound`: messages that wait to be sent, and what an operator does with them (O8)."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import cyclopts
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, agreed, awaited, json_line, nothing, plain
from postroad.dispatch.waiting import DISPATCH, Choice, Waiting, next_attempt, submissions, waiting
from postroad.explain.held import how_long, per_second
from postroad.runtime.reach import Reach
from postroad.runtime.state import States, states
from postroad_schemas import Event, event_id
from postroad_schemas.outbound import (
    OutboundCancelled,
    OutboundHeld,
    OutboundReleased,
    OutboundRetried,
    OutboundSubmitted,
    SettledState,
)
from postroad_schemas.topics import TIERS

CARRIERS = (*(f"outbound.deferred.{step}" for step in TIERS), "outbound.submitted")

app = cyclopts.App(
    name="outbound",
    help="""Messages that wait to be sent: list, show, retry, hold, release, cancel.

    What is deferred goes on by itself; retry does not wait for its time. What is held waits for a person.""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which of them."""

    to: Annotated[str, Parameter(help="To this address.")] = ""
    domain: Annotated[str, Parameter(help="To addresses of this domain.")] = ""
    server: Annotated[str, Parameter(help="Tried last at this server.")] = ""

    def __bool__(self) -> bool:
        return bool(self.to or self.domain or self.server)

    def of(self, found: Sequence[Waiting], state: str = "") -> list[Waiting]:
        choice = Choice(state=state, to=self.to, domain=self.domain, server=self.server)
        return [one for one in found if choice.means(one)]


Ids = Annotated[
    tuple[str, ...],
    Parameter(
        name="ID",
        negative="",
        help="As `postroad outbound list` shows them, or their beginnings; or give a filter.",
    ),
]
Rate = Annotated[str, Parameter(help="So many a second, such as 5/s.")]


@app.command(name="list")
def list_(
    *,
    state: Annotated[Literal["", "deferred", "held", "cancelled"], Parameter(help="Only those.")] = "",
    chosen: Chosen = Chosen(),  # frozen
    where: Where = Where(),  # noqa: B008
) -> int:
    """Every message that waits: until when, how often it was tried, at which server, and what that said."""
    now = datetime.now(UTC)
    found = chosen.of(_waiting(where), state)
    for one in found:
        print(json_line(_fields(one, now)) if where.json else _told(one, now))
    if not found and not where.json:
        nothing(where, "no message waits")
    return os.EX_OK


@app.command
def show(id_: Annotated[str, Parameter(name="ID")], /, *, where: Where = Where()) -> int:  # noqa: B008
    """One that waits, with what is known of the message: its subject too, but not its words.

    Parameters
    ----------
    id_
        As `postroad outbound list` shows it, or its beginning.
    """
    found = _waiting(where)
    one = _one(id_, found)
    if one is None:
        return absent("waiting message", id_, [each.id for each in found])
    message = submissions(_events(where.reach()), (one,)).get(one.id)
    fields = {**_fields(one, datetime.now(UTC)), **(_message(message) if message else {})}
    if where.json:
        print(json_line(fields))
        return os.EX_OK
    for name, value in fields.items():
        print(plain(f"{name.replace('_', ' '):<13} {value}"))
    return os.EX_OK


@app.command
def retry(
    ids: Ids = (),
    /,
    *,
    chosen: Chosen = Chosen(),
    rate: Rate = "10/s",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Try what is deferred now: some by their IDs, or all that a filter names. Daily limits hold all the same."""

    def on(one: Waiting, message: OutboundSubmitted | None, now: datetime) -> Event | None:
        if message is None:
            return None
        new_id = event_id("retried", one.id, str(one.entry.attempt), one.entry.at.isoformat())  # by two people: once
        return OutboundRetried(
            event_id=new_id,
            occurred_at=now,
            trace_id=message.trace_id,
            cause_id=message.event_id,
            recipient=one.recipient,
            submission=message,
            by=who.name,
        )

    return _each(ids, chosen, rate, who, _Deed("retried", (SettledState.DEFERRED,), on))


@app.command
def hold(
    ids: Ids = (),
    /,
    *,
    chosen: Chosen = Chosen(),
    rate: Rate = "10/s",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Keep back what is deferred, until it is released."""
    return _each(ids, chosen, rate, who, _Deed("held", (SettledState.DEFERRED,), _ordered(OutboundHeld, who)))


@app.command
def release(
    ids: Ids = (),
    /,
    *,
    chosen: Chosen = Chosen(),
    rate: Rate = "10/s",
    who: Who = Who(),  # noqa: B008
) -> int:
    """Let go what is held: it is tried at once, or at its next time if that was still to come."""
    return _each(ids, chosen, rate, who, _Deed("released", (SettledState.HELD,), _ordered(OutboundReleased, who)))


@app.command
def cancel(
    ids: Ids = (),
    /,
    *,
    chosen: Chosen = Chosen(),
    rate: Rate = "10/s",
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    who: Who = Who(),  # noqa: B008
) -> int:
    """End what waits: it is not sent, and its author is told so."""
    deed = _Deed("cancelled", (SettledState.DEFERRED, SettledState.HELD), _ordered(OutboundCancelled, who), ask=not yes)
    return _each(ids, chosen, rate, who, deed)


Order = Callable[[Waiting, OutboundSubmitted | None, datetime], Event | None]


@dataclass(frozen=True, slots=True)
class _Deed:
    """What is done, with what is in one of these states; `order` makes the event, None if there is no message."""

    word: str
    states: tuple[SettledState, ...]
    order: Order
    ask: bool = False


def _ordered(kind: type[OutboundHeld | OutboundReleased | OutboundCancelled], who: Who) -> Order:
    def on(one: Waiting, message: OutboundSubmitted | None, now: datetime) -> Event:
        new_id = event_id(kind.__name__, one.id, now.isoformat())
        return kind(
            event_id=new_id,
            occurred_at=now,
            trace_id=message.trace_id if message else new_id,
            cause_id=message.event_id if message else "",
            recipient=one.recipient,
            submission_id=one.id,
            by=who.name,
        )

    return on


def _each(ids: tuple[str, ...], chosen: Chosen, rate: str, who: Who, deed: _Deed) -> int:
    if bool(ids) == bool(chosen):
        return complain("name some by their IDs, or several by --to, --domain, --server", os.EX_USAGE)
    try:
        pause = 1 / per_second(rate)
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    found = _waiting(who)
    named = [_one(id_, found) for id_ in ids]
    if None in named:
        return absent("waiting message", ids[named.index(None)], [one.id for one in found])
    meant = [one for one in named if one] or chosen.of(found)
    wanted = [one for one in dict.fromkeys(meant) if one.entry.state in deed.states]
    several = "this message" if len(wanted) == 1 else f"these {len(wanted)} messages"
    if deed.ask and wanted and not agreed(f"Cancel {several} for good?"):
        return complain("nothing is cancelled: --yes does it without asking", os.EX_USAGE)
    if not wanted and not who.json:
        fit = " or ".join(deed.states)
        complain(f"nothing is {deed.word}: of what is meant nothing is {fit}", os.EX_OK)
    return _done(wanted, deed, pause, who)


def _done(wanted: Sequence[Waiting], deed: _Deed, pause: float, who: Who) -> int:
    """Orders one after another, and waits until they are obeyed."""
    reached, code = who.reach(), os.EX_OK
    messages = submissions(_events(reached), wanted) if wanted else {}
    ordered: list[Waiting] = []
    for one in wanted:
        order = deed.order(one, messages.get(one.id), datetime.now(UTC))
        if order is None:
            code = complain(f"{one.id}: its message is on the log no more; it cannot be {deed.word}", os.EX_NOINPUT)
            continue
        if ordered:
            time.sleep(pause)
        reached.publish([order])
        ordered.append(one)
        said = {"id": one.id, "recipient": one.recipient, deed.word: True}
        print(json_line(said) if who.json else f"{deed.word} {_told(one, datetime.now(UTC))}", flush=True)
    if ordered and not _obeyed(states(who.settings), reached, ordered):
        complain("in the log; it takes effect when dispatch comes to it (`postroad up`)", os.EX_OK)
    return code


def _obeyed(live: States, reached: Reach, ordered: Sequence[Waiting]) -> bool:
    """Whether all of them have changed, once there was time."""
    left = list(ordered)

    def look() -> bool | None:
        left[:] = [one for one in left if one.entry in live.one(DISPATCH, one.recipient).submissions]
        return not left or None

    return bool(awaited(reached, look))


def _waiting(where: Where) -> list[Waiting]:
    return waiting(states(where.settings).all(DISPATCH))


def _events(reached: Reach) -> Iterator[Any]:
    return (seen.event for topic in CARRIERS for seen in reached.records(topic))


def _one(id_: str, found: Sequence[Waiting]) -> Waiting | None:
    """By its id, or an unambiguous beginning of it."""
    meant = [one for one in found if one.id.startswith(id_)]
    return meant[0] if id_ and len(meant) == 1 else None


def _fields(one: Waiting, now: datetime) -> dict[str, Any]:
    entry, at = one.entry, next_attempt(one)
    return {
        "id": one.id,
        "to": one.recipient,
        "state": entry.state.value,
        "attempts": entry.attempt,
        "next_attempt": f"{at:%Y-%m-%d %H:%M:%S}" if at else "",
        "server": entry.server,
        "reply": f"{entry.reply.code or ''} {entry.reply.text}".strip(),
        "since": f"{entry.at:%Y-%m-%d %H:%M:%S}",
        "age": how_long(now - entry.at),
    }


def _message(message: OutboundSubmitted) -> dict[str, Any]:
    return {
        "from": message.from_.address if message.from_ else "",
        "subject": message.subject,
        "message_id": message.message_id,
        "stream": message.stream.value,
        "thread": message.thread,
        "mailing": message.mailing,
        "submitted": f"{message.occurred_at:%Y-%m-%d %H:%M:%S}",
    }


def _told(one: Waiting, now: datetime) -> str:
    said = _fields(one, now)
    if one.entry.state is not SettledState.DEFERRED:
        when = f"{said['state']} for {said['age']}"
    elif said["next_attempt"]:
        when = f"next at {said['next_attempt']}"
    else:
        when = "next at once"
    count = said["attempts"]
    tried = f"tried {count} time{'s' if count > 1 else ''}" if count else "not tried yet"
    if not said["attempts"] and one.entry.not_before:
        tried = "over the daily limit"
    server = f" at {said['server']}" if said["server"] else ""
    reply = f": {said['reply']}" if said["reply"] else ""
    return plain(f"{said['id']}  {said['to']}  {when}, {tried}{server}{reply}")
