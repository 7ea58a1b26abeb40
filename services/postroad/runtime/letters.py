"""Dead letters as a person meets them: what stands in `<worker>.dead` unresolved, and how one is sent back or ended.

A topic has no place to strike a letter out, so its end is written behind it: a record without value whose header
`resolved` names the letter.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from postroad.runtime.dead import KEPT, OURS
from postroad_schemas import TOPICS, WORKERS, Record
from postroad_schemas.wire import Unreadable, read

RESOLVED = "resolved"
_CLASS = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")


class Letter(NamedTuple):
    """One record that could not be worked on."""

    worker: str
    partition: int  # of `<worker>.dead`
    offset: int
    at: datetime  # when it was buried, UTC
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def id(self) -> str:
        return f"{self.worker}/{self.partition}/{self.offset}"

    def said(self, header: str) -> str:
        return next((text.decode("utf-8", "replace") for name, text in self.headers if name == header), "")

    @property
    def topic(self) -> str:
        """Where it was read, and goes back to."""
        return self.said("topic")

    @property
    def kind(self) -> str:
        """The type of its event, as far as it can be told."""
        return self.said("type") or kind_of(self.topic, self.value)

    @property
    def fingerprint(self) -> str:
        """The same for letters that died of the same: reason, kind of error, topic, kind of event."""
        error = _CLASS.match(self.said("error"))
        return " ".join((self.said("reason"), error[0] if error else "-", self.topic, self.kind or "-"))

    @property
    def attempts(self) -> int:
        said = self.said("attempts")
        return int(said) if _NUMBER.fullmatch(said) else 1


def kind_of(topic: str, value: bytes | None) -> str:
    try:
        return str(type(read(topic, value or b"")).__struct_config__.tag)
    except Unreadable:
        return ""


def unresolved(letters: Iterable[Letter]) -> list[Letter]:
    """Those that nobody has sent back or dropped yet, the oldest first."""
    found: dict[str, Letter] = {}
    ended: set[str] = set()
    for letter in letters:
        if resolved := letter.said(RESOLVED):
            ended.add(resolved)
        else:
            found[letter.id] = letter
    return sorted((found[id_] for id_ in found.keys() - ended), key=lambda letter: (letter.at, letter.id))


def sent_back(letter: Letter, by: str, now: datetime) -> tuple[Record, Record]:
    """The record where it was read, its bytes as they were, and the end of the letter: in this order.

    A crash in between sends it back twice, which is the same event twice. Raises ValueError for a letter that names
    no topic of the catalogue.
    """
    if letter.topic not in TOPICS:
        raise ValueError(f"{letter.id}: {letter.topic or 'nothing'} is no topic that it could go back to")
    kept = tuple((name, text) for name, text in letter.headers if name in KEPT or name not in OURS)
    return Record(letter.topic, letter.key, letter.value, kept), ended(letter, "retried", by, now)


def ended(letter: Letter, how: str, by: str, now: datetime) -> Record:
    """What strikes a letter out."""
    said = {RESOLVED: letter.id, "how": how, "by": by, "at": now.astimezone(UTC).isoformat()}
    headers = tuple((name, text.encode()) for name, text in said.items())
    return Record(f"{letter.worker}.dead", letter.key, None, headers)


def workers(named: str) -> tuple[str, ...]:
    """One worker, or all of them. Raises ValueError for a name that is none."""
    if named and named not in WORKERS:
        raise ValueError(f"no worker {named!r}; there are: {', '.join(WORKERS)}")
    return (named,) if named else WORKERS
