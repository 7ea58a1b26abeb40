"""One address's standing with bulk mail, in words and as fields: its failures, lists left, what comes next (B3-B6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from postroad.bounces.addresses import AddressLog
from postroad.bounces.blacklist import BlacklistPolicy, as_failure, why_not
from postroad.bounces.outlook import WhatIf, outlook
from postroad_schemas.address import AddressBlacklisted, Failure, ListLeft
from postroad_schemas.outbound import SettledSubmission


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is known of an address at one moment."""

    address: str
    log: AddressLog
    rules: BlacklistPolicy
    left: tuple[ListLeft, ...]
    sent: tuple[SettledSubmission, ...]  # the last messages to it
    now: datetime

    def fields(self) -> dict[str, Any]:
        log = self.log
        ahead = outlook(log.failures, self.rules, self.now)
        return {
            "address": self.address,
            "blacklisted": row_fields(log.row) if log.row else None,
            "failures": [
                {**msgspec.to_builtins(as_failure(entry)), "why_not": why_not(entry, self.rules)}
                for entry in log.failures
            ],
            "heard_from": _time(log.cleared_at),
            "lifted": _time(log.pardoned_at),
            "lists_left": [row.list_name for row in self.left],
            "next": None if log.listed else {"counted": len(ahead.counted), "more": ahead.more, "after": ahead.after},
            "messages": [{"id": one.submission_id, "state": one.state, "at": one.at} for one in self.sent],
        }

    def lines(self) -> Iterator[str]:
        log = self.log
        yield row_told(log.row) if log.row else f"{self.address}  not blacklisted"
        if log.row and log.row.evidence:
            yield "evidence"
            yield from (f"  {_failure(failure)}" for failure in log.row.evidence)
        yield f"failures since it was last heard from: {len(log.failures) or 'none'}"
        for entry in log.failures:
            reason = why_not(entry, self.rules)
            yield f"  {_failure(as_failure(entry))}{f'; does not count: {reason}' if reason else ''}"
        if log.pardoned_at:
            yield f"lifted by hand: {_time(log.pardoned_at):%Y-%m-%d %H:%M}"
        if log.cleared_at > log.pardoned_at:
            yield f"last heard from: {_time(log.cleared_at):%Y-%m-%d %H:%M}"
        yield from map(left_told, self.left)
        if not log.listed:
            yield self._next()
        if self.sent:
            yield "last messages to it (`postroad trace ID` tells more)"
            yield from (f"  {one.at:%Y-%m-%d %H:%M}  {one.submission_id}  {one.state}" for one in self.sent)

    def _next(self) -> str:
        ahead = outlook(self.log.failures, self.rules, self.now)
        after = f", the last of them after {ahead.after:%Y-%m-%d %H:%M}" if ahead.after else ""
        counted = f"{len(ahead.counted)} failures count within {self.rules.window.days} days"
        return f"{counted}; {ahead.more} more blacklist it{after} [B4]"


def row_fields(row: AddressBlacklisted) -> dict[str, Any]:
    return {
        "address": row.address,
        "blacklisted": row.active,
        "since": row.occurred_at,
        "rule": row.rule,
        "note": row.note,
        "by": row.by,
        "evidence": row.evidence,
    }


def row_told(row: AddressBlacklisted) -> str:
    state = "blacklisted" if row.active else "lifted"
    return f"{row.address}  {state} {row.occurred_at:%Y-%m-%d %H:%M} [{row.rule}] {row.note}"


def left_fields(row: ListLeft) -> dict[str, Any]:
    return {"address": row.address, "list": row.list_name, "since": row.occurred_at, "how": row.how}


def left_told(row: ListLeft) -> str:
    how = f" ({row.how})" if row.how else ""
    return f"{row.address}  left {row.list_name} {row.occurred_at:%Y-%m-%d %H:%M}{how}"


def asked_fields(one: WhatIf) -> dict[str, Any]:
    return {
        "address": one.address,
        "would": one.would,
        "is": one.listed,
        "by_hand": one.by_hand,
        "evidence": [as_failure(entry) for entry in one.evidence],
    }


def asked_told(one: WhatIf) -> str:
    now = "is now" if one.listed else "is not now"
    if one.evidence:
        first, last = as_failure(one.evidence[0]), as_failure(one.evidence[-1])
        spread = f"{len(one.evidence)} failures between {first.at:%Y-%m-%d} and {last.at:%Y-%m-%d}"
        return f"{one.address}  would be blacklisted ({now}): {spread}"
    if one.by_hand:
        return f"{one.address}  stays blacklisted: by hand or complaint, whatever the numbers [B5]"
    return f"{one.address}  would not be blacklisted ({now})"


def rules_told(rules: BlacklistPolicy) -> str:
    streams = ", ".join(sorted(stream.value for stream in rules.streams))
    return (
        f"{rules.count} failures within {rules.window.days} days, more than {rules.span.days} days apart, "
        f"{rules.failures} of {streams}{'' if rules.proven else ', unproven too'}"
    )


def _failure(failure: Failure) -> str:
    words = f"{failure.at:%Y-%m-%d %H:%M}  {failure.status or '-':<6} {failure.diagnostic or 'no words'}"
    return f"{words} (hard)" if failure.hard else words


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
