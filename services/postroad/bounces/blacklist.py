"""When failures blacklist an address (B4): the policy, the log it looks at, and the evidence it finds.

`evidence` changes nothing, so the same history can be asked under other numbers (B6).
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from postroad.views.directory import Directory
from postroad_schemas.address import AddressFailed, Failure
from postroad_schemas.values import Stream

KEPT = 100  # failures of one address (B3)
_SENDERS = ("7", "8")  # RFC 3463 3.2: x.1.7 and x.1.8 are about the sender, the others of subject 1 about the recipient


class Counted(StrEnum):
    """Which failures count."""

    ADDRESS = "address"  # permanent, about mailbox or host (RFC 3463 subjects 1 and 2, or hard)
    HARD = "hard"  # the address itself is dead
    ALL = "all"


@dataclass(frozen=True, slots=True)
class BlacklistPolicy:
    count: int = 5
    window: timedelta = timedelta(days=30)
    span: timedelta = timedelta(days=7)  # first and last must lie further apart than this
    streams: frozenset[Stream] = frozenset({Stream.BULK})
    failures: Counted = Counted.ADDRESS
    proven: bool = True  # an SMTP reply, a signed webhook, a report with our token or signed id


def policy(directory: Directory) -> BlacklistPolicy:
    """As the parameters say now (D5)."""
    names = directory.listed("mail.bounce.blacklist.streams")
    return BlacklistPolicy(
        count=directory.number("mail.bounce.blacklist.count"),
        window=timedelta(days=directory.number("mail.bounce.blacklist.window_days")),
        span=timedelta(days=directory.number("mail.bounce.blacklist.span_days")),
        streams=frozenset(stream for stream in Stream if stream.value in names),
        failures=Counted(directory.setting("mail.bounce.blacklist.failures")),
        proven=directory.flag("mail.bounce.blacklist.proven"),
    )


class Logged(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One failure, as the address's log keeps it."""

    at: float  # UTC seconds
    notification_id: str
    status: str
    diagnostic: str
    permanent: bool
    hard: bool
    proven: bool
    stream: str  # empty: nobody knew


def logged(failure: AddressFailed) -> Logged:
    return Logged(
        at=failure.occurred_at.timestamp(),
        notification_id=failure.notification_id or failure.event_id,
        status=failure.status,
        diagnostic=failure.diagnostic[:200],
        permanent=failure.permanent,
        hard=failure.hard,
        proven=failure.proven,
        stream=failure.stream.value if failure.stream else "",
    )


def as_failure(entry: Logged) -> Failure:
    return Failure(
        at=datetime.fromtimestamp(entry.at, UTC),
        notification_id=entry.notification_id,
        status=entry.status,
        diagnostic=entry.diagnostic,
        hard=entry.hard,
    )


def counts(entry: Logged, rules: BlacklistPolicy) -> bool:
    return not why_not(entry, rules)


def why_not(entry: Logged, rules: BlacklistPolicy) -> str:
    """Why a failure does not count; empty if it does. An unknown stream counts only where every stream does."""
    streams = {stream.value for stream in rules.streams}
    if entry.stream not in streams and (entry.stream or len(streams) < len(Stream)):
        return f"{entry.stream} mail" if entry.stream else "of an unknown stream"
    if rules.proven and not entry.proven:
        return "not proven"
    if entry.hard or rules.failures is Counted.ALL:
        return ""
    if rules.failures is Counted.HARD:
        return "not hard"
    if not entry.permanent:
        return "not permanent"
    match entry.status.split("."):  # RFC 3463 2: class, subject, detail
        case [_, "1", detail] if detail in _SENDERS:
            return "about the sender"
        case [_, "1" | "2", _]:
            return ""
        case _:
            return "about neither mailbox nor host"


def evidence(log: tuple[Logged, ...], rules: BlacklistPolicy) -> tuple[Logged, ...]:
    """The failures that blacklist, oldest first; none if they do not suffice.

    Every stretch of the window is looked at, the latest first: what is told late counts like what is told in time.
    """
    found = [entry for entry in log if counts(entry, rules)]
    window, span = rules.window.total_seconds(), rules.span.total_seconds()
    for last in range(len(found) - 1, -1, -1):
        end = found[last].at
        first = bisect_right(found, end - window, key=lambda entry: entry.at)
        if last - first + 1 >= max(rules.count, 1) and end - found[first].at > span:
            return tuple(found[first : last + 1])
    return ()


def note(failures: tuple[Failure, ...]) -> str:
    """For the contact (B5)."""
    last = failures[-1]
    said = f": {last.diagnostic}" if last.diagnostic else ""
    return (
        f"Bulk mail stopped: {len(failures)} failures between {failures[0].at:%Y-%m-%d} and {last.at:%Y-%m-%d}, "
        f"the last one {last.status or 'without status'}{said}"
    )
