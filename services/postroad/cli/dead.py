"""`postroad dead`: records that a worker could not work on, with the reason, and what a person does with them."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.propose import Where, Who, absent, agreed, json_line, nothing, plain
from postroad.explain.held import age, how_long, per_second
from postroad.runtime.letters import Letter, ended, sent_back, unresolved, workers
from postroad.runtime.reach import Reach
from postroad_schemas import Record

app = cyclopts.App(
    name="dead",
    help="""Dead letters: list, show, retry, drop.

    A record that cannot be worked on goes to <worker>.dead with its reason, and those behind it go on. After a hundred
    in a row the worker stops instead (exit code 70): then it is the worker that is at fault. Put it right and start it:
    the records are where they were. Then `postroad dead retry` sends back what was buried before it stopped.""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which of them: all of what is given must be so."""

    worker: Annotated[str, Parameter(help="Buried by this worker.")] = ""
    reason: Annotated[str, Parameter(help="Such as invalid, unknown_type, raised or too_large.")] = ""
    topic: Annotated[str, Parameter(help="Read from this topic.")] = ""
    type_: Annotated[str, Parameter(name="--type", help="Of this type, such as mail.received.")] = ""
    fingerprint: Annotated[str, Parameter(help="As the list shows it.")] = ""
    older_than: Annotated[str, Parameter(help="Buried longer ago, such as 30m, 12h or 2d.")] = ""

    def __bool__(self) -> bool:
        return any((self.worker, self.reason, self.topic, self.type_, self.fingerprint, self.older_than))

    def of(self, reached: Reach, now: datetime) -> list[Letter]:
        """Raises ValueError for a worker or an age that is none."""
        waited = age(self.older_than) if self.older_than else timedelta(0)
        wanted = {"reason": self.reason, "topic": self.topic}
        return [
            letter
            for letter in _all(reached, self.worker)
            if all(letter.said(name) == text for name, text in wanted.items() if text)
            and self.type_ in ("", letter.kind)
            and self.fingerprint in ("", letter.fingerprint)
            and now - letter.at >= waited
        ]


@app.command(name="list")
def list_(
    *,
    each: Annotated[bool, Parameter(negative="", help="Every letter, not grouped.")] = False,
    chosen: Chosen = Chosen(),  # frozen
    where: Where = Where(),  # noqa: B008
) -> int:
    """What lies there, grouped by what it died of: how many, since when, one of them, its words."""
    now, reached = datetime.now(UTC), where.reach()
    try:
        found = chosen.of(reached, now)
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    if each:
        for letter in found:
            print(json_line(_fields(letter)) if where.json else _told(letter, now))
    else:
        for group in _groups(found):
            print(json_line(group) if where.json else _group_told(group, now))
    if not found and not where.json:
        nothing(where, "no dead letters")
    return os.EX_OK


@app.command
def show(
    id_: Annotated[str, Parameter(name="ID")],
    /,
    *,
    raw: Annotated[bool, Parameter(negative="", help="The record's own bytes, nothing else.")] = False,
    where: Where = Where(),  # noqa: B008
) -> int:
    """One letter: where it was read, why it is here, and the record as it was.

    Parameters
    ----------
    id_
        As the list shows it: worker/partition/offset.
    """
    found = {letter.id: letter for letter in _all(where.reach())}
    letter = found.get(id_)
    if letter is None:
        return absent("dead letter", id_, found)
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
        return os.EX_OK
    fields = {**_fields(letter), "record": (letter.value or b"").decode("utf-8", "backslashreplace")}
    if where.json:
        print(json_line(fields))
        return os.EX_OK
    for name, value in fields.items():
        print(f"{name.replace('_', ' '):<12} {plain(str(value))}")
    return os.EX_OK


@app.command
def retry(
    *ids: Annotated[str, Parameter(name="ID")],
    chosen: Chosen = Chosen(),
    rate: Annotated[str, Parameter(help="So many a second, such as 5/s.")] = "10/s",
    dry_run: Annotated[bool, Parameter(negative="", help="Only say which.")] = False,
    who: Who = Who(),  # noqa: B008
) -> int:
    """Send letters back to where they were read, as they were: one, several, or all that a filter names.

    What fails again is buried again, with one attempt more.

    Parameters
    ----------
    ids
        As the list shows them; or give a filter.
    """

    def on(letter: Letter) -> Sequence[Record]:
        return sent_back(letter, who.name, datetime.now(UTC))

    return _each(ids, chosen, rate, who, "sent back", on, dry_run=dry_run)


@app.command
def drop(
    *ids: Annotated[str, Parameter(name="ID")],
    chosen: Chosen = Chosen(),
    rate: Annotated[str, Parameter(help="So many a second, such as 5/s.")] = "100/s",
    dry_run: Annotated[bool, Parameter(negative="", help="Only say which.")] = False,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask.")] = False,
    who: Who = Who(),  # noqa: B008
) -> int:
    """End letters: what they asked for will not happen. Their bytes stay as long as the topic keeps them.

    Parameters
    ----------
    ids
        As the list shows them; or give a filter.
    """

    def on(letter: Letter) -> Sequence[Record]:
        return (ended(letter, "dropped", who.name, datetime.now(UTC)),)

    return _each(ids, chosen, rate, who, "dropped", on, dry_run=dry_run, ask=not yes)


def _each(
    ids: Sequence[str],
    chosen: Chosen,
    rate: str,
    who: Who,
    done: str,
    on: Callable[[Letter], Sequence[Record]],
    *,
    dry_run: bool,
    ask: bool = False,
) -> int:
    if bool(ids) == bool(chosen):
        return complain("name letters by their IDs, or several by --worker, --reason, --topic, --type", os.EX_USAGE)
    reached = who.reach()
    try:
        per_turn = per_second(rate)
        found = {letter.id: letter for letter in (chosen.of(reached, datetime.now(UTC)) if chosen else _all(reached))}
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    if unknown := [id_ for id_ in ids if id_ not in found]:
        return absent("dead letter", unknown[0], found)
    wanted = [found[id_] for id_ in dict.fromkeys(ids)] or list(found.values())
    if not wanted and not who.json:
        return complain("no dead letters are meant", os.EX_OK)
    several = "this letter" if len(wanted) == 1 else f"these {len(wanted)} letters"
    if ask and wanted and not dry_run and not agreed(f"Drop {several} for ever?"):
        return complain("nothing is dropped: --yes does it without asking", os.EX_USAGE)
    return _in_turns(
        wanted, per_turn, reached, who.json, f"would be {done}" if dry_run else done, None if dry_run else on
    )


def _in_turns(
    wanted: Sequence[Letter],
    rate: float,
    reached: Reach,
    json: bool,
    done: str,
    on: Callable[[Letter], Sequence[Record]] | None,
) -> int:
    """At most a second's worth at once; of a letter that cannot go back the others are not kept from it."""
    code, size = os.EX_OK, max(1, int(rate))
    for first in range(0, len(wanted), size):
        if first and on is not None:
            time.sleep(size / rate)
        turn, steps = [], []
        for letter in wanted[first : first + size]:
            try:
                steps.append(on(letter) if on is not None else ())
                turn.append(letter)
            except ValueError as error:
                code = complain(str(error), os.EX_DATAERR)
        # What is sent back is on the log before its letter is ended.
        for number in range(max(map(len, steps), default=0)):
            reached.hand_back([step[number] for step in steps])
        for letter in turn:
            said = {"id": letter.id, "done": done}
            print(json_line(said) if json else f"{done} {plain(_told(letter, datetime.now(UTC)))}", flush=True)
    return code


def _all(reached: Reach, worker: str = "") -> list[Letter]:
    """Raises ValueError for a worker that is none."""
    return [letter for name in workers(worker) for letter in unresolved(reached.letters(name))]


def _groups(found: Iterable[Letter]) -> list[dict[str, Any]]:
    """The largest first."""

    def by(letter: Letter) -> tuple[str, str]:
        return letter.worker, letter.fingerprint

    groups = []
    for (worker, fingerprint), members in groupby(sorted(found, key=lambda it: (*by(it), it.at)), by):
        letters = list(members)
        groups.append(
            {
                "worker": worker,
                "fingerprint": fingerprint,
                "letters": len(letters),
                "first": letters[0].at,
                "last": letters[-1].at,
                "attempts": max(letter.attempts for letter in letters),
                "example": letters[-1].id,
                "error": letters[-1].said("error"),
            }
        )
    return sorted(groups, key=lambda group: -group["letters"])


def _group_told(group: dict[str, Any], now: datetime) -> str:
    since = f"{how_long(now - group['first'])} to {how_long(now - group['last'])} ago"
    return plain(
        f"{group['letters']:>6}  {group['worker']:<10} {group['fingerprint']}  {since}, "
        f"such as {group['example']}: {group['error']}"
    )


def _fields(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "at": letter.at,
        "worker": letter.worker,
        "fingerprint": letter.fingerprint,
        "reason": letter.said("reason"),
        "error": letter.said("error"),
        "topic": letter.topic,
        "partition": letter.said("partition"),
        "offset": letter.said("offset"),
        "type": letter.kind,
        "event_id": letter.said("event_id"),
        "attempts": letter.attempts,
        "first_failed": letter.said("first_failed"),
        "version": letter.said("version"),
        "key": letter.key.decode("utf-8", "backslashreplace"),
    }


def _told(letter: Letter, now: datetime) -> str:
    return plain(
        f"{letter.id}  {how_long(now - letter.at):>4}  {letter.kind or letter.topic} "
        f"({letter.said('reason')}, attempt {letter.attempts}): {letter.said('error')}"
    )
