"""Whether an address may send for a domain (RFC 7208 4), within the limits on look-ups."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TypeAlias

from postroad.mail.spf import Address, BadRecord, Record, Term, expand, is_record, read_record

LookUp: TypeAlias = Callable[[str, str], Awaitable[tuple[str, ...]]]
"""The records of a name and type; empty: there are none. Raises what it likes where DNS does not answer."""

LOOKUPS = 10  # 4.6.4
VOIDS = 2
_NAMES = 10  # of mx and ptr


class Verdict(StrEnum):
    """RFC 7208 2.6; where DNS does not answer (temperror) the look-up's own error is raised."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SOFTFAIL = "softfail"
    PERMERROR = "permerror"


_BY_QUALIFIER = {"+": Verdict.PASS, "-": Verdict.FAIL, "~": Verdict.SOFTFAIL, "?": Verdict.NEUTRAL}


@dataclass(frozen=True, slots=True)
class Checked:
    verdict: Verdict
    why: str = ""  # the term that decided, or what is wrong
    lookups: int = 0
    voids: int = 0


async def check(address: Address, domain: str, sender: str, look_up: LookUp) -> Checked:
    """The verdict on mail from `sender` (the reverse-path) that comes from an address. Raises what `look_up` raises."""
    walk = _Walk(address, sender, look_up)
    try:
        verdict, why = await walk.host(domain)
    except BadRecord as error:
        verdict, why = Verdict.PERMERROR, str(error)
    return Checked(verdict, why, walk.lookups, walk.voids)


async def records_of(domain: str, look_up: LookUp) -> tuple[str, ...]:
    """The SPF records of a domain: one, if all is well."""
    return tuple(text for text in await look_up(domain, "TXT") if is_record(text))


class _Walk:
    """One evaluation with its counts. Methods raise BadRecord for a permerror."""

    def __init__(self, address: Address, sender: str, look_up: LookUp) -> None:
        self.address, self.sender = address, sender
        self.lookups = self.voids = 0
        self._look_up = look_up
        self._type = "AAAA" if address.version == 6 else "A"

    async def host(self, domain: str) -> tuple[Verdict, str]:
        texts = await records_of(domain, self._look_up)
        if not texts:
            return Verdict.NONE, f"{domain} has no SPF record"
        if len(texts) > 1:
            raise BadRecord(f"{domain} has {len(texts)} SPF records: one is allowed")
        return await self._record(read_record(texts[0]), domain)

    async def _record(self, record: Record, domain: str) -> tuple[Verdict, str]:
        for term in record.terms:
            if await self._matches(term, domain):
                return _BY_QUALIFIER[term.qualifier], term.written
        if record.redirect:
            self._count()
            target = self._expanded(record.redirect, domain)
            verdict, why = await self.host(target)
            if verdict is Verdict.NONE:
                raise BadRecord(f"redirect={target}: {why}")
            return verdict, f"{why} of {target}"
        return Verdict.NEUTRAL, "no term matches"

    async def _matches(self, term: Term, domain: str) -> bool:
        target = self._expanded(term.domain, domain) if term.domain else domain
        match term.mechanism:
            case "all":
                return True
            case "ip4" | "ip6":
                return term.network is not None and self.address in term.network
        self._count()
        match term.mechanism:
            case "include":
                return await self._included(term, target)
            case "a":
                return self._holds(term, await self._asked(target, self._type))
            case "mx":
                return await self._exchanged(term, target)
            case "exists":
                return bool(await self._asked(target, "A"))
            case _:
                return await self._named(target)

    async def _included(self, term: Term, target: str) -> bool:
        verdict, why = await self.host(target)
        if verdict is Verdict.NONE:
            raise BadRecord(f"{term.written}: {why}")
        return verdict is Verdict.PASS

    async def _exchanged(self, term: Term, target: str) -> bool:
        hosts = [record.rpartition(" ")[2] for record in await self._asked(target, "MX")]
        if len(hosts) > _NAMES:
            raise BadRecord(f"{term.written}: {target} has {len(hosts)} exchangers, {_NAMES} are allowed")
        for host in hosts:
            if self._holds(term, await self._look_up(host, self._type)):
                return True
        return False

    async def _named(self, target: str) -> bool:
        """5.5: one of the address's own names, proven by its addresses, is the domain or below it."""
        for name in (await self._asked(self.address.reverse_pointer, "PTR"))[:_NAMES]:
            below = name == target.lower() or name.endswith(f".{target.lower()}")
            if below and str(self.address) in await self._look_up(name, self._type):
                return True
        return False

    def _holds(self, term: Term, records: tuple[str, ...]) -> bool:
        return any(term.holds(ip_address(record), self.address) for record in records)

    def _expanded(self, spec: str, domain: str) -> str:
        return expand(spec, self.address, self.sender, domain)

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS:
            raise BadRecord(f"more than {LOOKUPS} look-ups")

    async def _asked(self, name: str, type_: str) -> tuple[str, ...]:
        found = await self._look_up(name, type_)
        self.voids += not found
        if self.voids > VOIDS:
            raise BadRecord(f"more than {VOIDS} names that do not exist: {name} {type_} at last")
        return found
