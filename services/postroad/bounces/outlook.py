"""What would blacklist an address next, and what other numbers would say of its history. Changes nothing (B6)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from postroad.bounces.addresses import AddressLog
from postroad.bounces.blacklist import BlacklistPolicy, Logged, counts, evidence


@dataclass(frozen=True, slots=True)
class Outlook:
    """How far an address that is not blacklisted is from it, if every further failure counts."""

    counted: tuple[Logged, ...]  # those of the window that ends now, oldest first
    more: int  # so many further failures, at least 1
    after: datetime | None  # the last of them after this, for the span; None: whenever it comes


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One address under other numbers."""

    address: str
    evidence: tuple[Logged, ...]  # what would blacklist it; empty: nothing would
    listed: bool  # now
    by_hand: bool  # now, by a person or a complaint (B5): numbers do not matter

    @property
    def would(self) -> bool:
        return bool(self.evidence) or self.by_hand


def outlook(log: tuple[Logged, ...], rules: BlacklistPolicy, now: datetime) -> Outlook:
    begin = now.timestamp() - rules.window.total_seconds()
    counted = tuple(entry for entry in log if entry.at > begin and counts(entry, rules))
    more = max(rules.count - len(counted), 1)
    first = counted[0].at if counted else now.timestamp()
    after = datetime.fromtimestamp(first + rules.span.total_seconds(), UTC)
    return Outlook(counted, more, after if after >= now else None)


def what_if(address: str, log: AddressLog, rules: BlacklistPolicy) -> WhatIf:
    """The failures kept are those since it was last heard from, or pardoned (B3): so are those asked about."""
    by_hand = log.row is not None and log.row.rule != "B4"
    return WhatIf(address, evidence(log.failures, rules), log.listed, by_hand)
