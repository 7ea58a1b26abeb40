"""The directory as workers see it: who an address is, and what the settings say, as of now."""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from postroad.mail.address import normalise
from postroad.views.parameters import DOMAIN_FIELDS, SETTINGS, listed
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
    FormerAddress,
    FormerPolicy,
    IncomingMailbox,
    Match,
    Parameter,
    Smarthost,
)
from postroad_schemas.event import Row

P = TypeVar("P")
REMEMBERED = 8192  # addresses looked up: the same few write to the same few


class Kind(StrEnum):
    """What an address of ours is."""

    CATCHALL = "catchall"
    BOUNCE = "bounce"
    ALIAS = "alias"
    DEFAULT_FROM = "default_from"
    OPERATOR = "operator"  # postmaster, abuse (RFC 2142)


class Ours(msgspec.Struct, frozen=True):
    """An address of ours, taken apart."""

    kind: Kind
    address: str  # without token
    token: str = ""
    domain: str = ""  # the alias domain it belongs to
    aliases: tuple[Alias, ...] = ()
    former: FormerAddress | None = None  # reached by an address that was renamed (D9)


class Directory:
    """A view of `directory`. Addresses given to it are normalised."""

    def __init__(self) -> None:
        self.version = 0
        self._kinds: dict[str, dict[str, Row]] = {}
        self._by_local: dict[str, tuple[str, ...]] = {}  # keys of aliases that match by local part
        self._special: dict[str, tuple[Kind, str]] = {}  # catchall, bounce, default From -> domain
        self._policies: dict[Callable[..., Any], Any] = {}
        self._looked_up = lru_cache(maxsize=REMEMBERED)(self._look_up)

    def apply(self, key: str, row: Row | None) -> None:
        """Takes a row, or its end. Keys are "kind/name"."""
        kind, _, name = key.partition("/")
        self._policies.clear()
        self._looked_up.cache_clear()
        rows = self._kinds.setdefault(kind, {})
        former = rows.pop(name, None)
        if row is not None:
            rows[name] = row
            self.version = max(self.version, row.version)
        if kind == "alias":
            self._index_alias(name, former, row)
        elif kind == "domain":
            self._special = dict(self._special_addresses())

    def _index_alias(self, name: str, former: Row | None, row: Row | None) -> None:
        if isinstance(former, Alias) and _by_local_part(former):
            left = tuple(entry for entry in self._by_local.get(former.local_part, ()) if entry != name)
            self._by_local[former.local_part] = left
        if isinstance(row, Alias) and _by_local_part(row):
            self._by_local[row.local_part] = (*self._by_local.get(row.local_part, ()), name)

    def _special_addresses(self) -> Iterator[tuple[str, tuple[Kind, str]]]:
        for domain in self.domains():
            if "@" not in domain.default_from:
                yield f"{domain.default_from}@{domain.name}", (Kind.DEFAULT_FROM, domain.name)
            else:
                yield normalise(domain.default_from), (Kind.DEFAULT_FROM, domain.name)
            for address in domain.redirects:
                yield normalise(address), (Kind.CATCHALL, domain.name)
        for domain in self.domains():  # later entries win: these two are never anything else
            yield f"{domain.catchall}@{domain.name}", (Kind.CATCHALL, domain.name)
            yield f"{domain.bounce}@{domain.name}", (Kind.BOUNCE, domain.name)

    # rows

    def row(self, key: str) -> Row | None:
        kind, _, name = key.partition("/")
        return self._kinds.get(kind, {}).get(name)

    def flagged(self, alias: str) -> AliasState | None:
        """D2: what people are told of an alias, named "local@domain", that is flagged invalid."""
        state = self.row(f"alias_state/{alias}")
        return state if isinstance(state, AliasState) and state.invalid else None

    def rows(self, kind: str) -> tuple[Row, ...]:
        return tuple(self._kinds.get(kind, {}).values())

    def keys(self, kind: str = "") -> tuple[str, ...]:
        """Of one kind, or of all."""
        kinds = (kind,) if kind else tuple(self._kinds)
        return tuple(f"{each}/{name}" for each in kinds for name in self._kinds.get(each, {}))

    def domains(self) -> tuple[AliasDomain, ...]:
        return tuple(row for row in self._kinds.get("domain", {}).values() if isinstance(row, AliasDomain))

    def domain(self, name: str = "") -> AliasDomain | None:
        """The named alias domain, else the default one; None in an installation without any (D1)."""
        row = self._kinds.get("domain", {}).get(name)
        if isinstance(row, AliasDomain):
            return row
        domains = self.domains()
        return next((d for d in domains if d.default), domains[0] if domains else None)

    def has_domain(self, name: str) -> bool:
        return name in self._kinds.get("domain", {})

    def smarthosts(self) -> tuple[Smarthost, ...]:
        """Active outgoing servers, in order of choice within a step (O1)."""
        found = (row for row in self.rows("smarthost") if isinstance(row, Smarthost) and row.active)
        return tuple(
            sorted(found, key=lambda s: (s.priority, s.created_at.timestamp() if s.created_at else 0.0, s.name))
        )

    def mailboxes(self) -> tuple[IncomingMailbox, ...]:
        return tuple(row for row in self.rows("mailbox") if isinstance(row, IncomingMailbox))

    def local_aliases(self, local_part: str) -> tuple[Alias, ...]:
        """R13: those that match by this local part, on whatever domain."""
        found = (self._kinds["alias"].get(name) for name in self._by_local.get(local_part, ()))
        return tuple(alias for alias in found if isinstance(alias, Alias))

    def called(self, name: str) -> tuple[Alias, ...]:
        """The alias that events call so, "local@domain"; if it was renamed since, under its new name (D9)."""
        row = self._kinds.get("alias", {}).get(name)
        if isinstance(row, Alias):
            return (row,)
        found = self.ours(name)
        return found.aliases if found and found.former else ()

    def aliases(self) -> tuple[Alias, ...]:
        return tuple(row for row in self.rows("alias") if isinstance(row, Alias))

    # settings

    def setting(self, name: str) -> str:
        """A parameter's value or default (D5). Raises KeyError for a name that no rule knows."""
        if name in DOMAIN_FIELDS:
            domain = self.domain()
            return str(getattr(domain, DOMAIN_FIELDS[name])) if domain else ""
        row = self._kinds.get("parameter", {}).get(name)
        return row.value if isinstance(row, Parameter) else SETTINGS[name].default

    def number(self, name: str) -> int:
        return int(self.setting(name))

    def flag(self, name: str) -> bool:
        return self.setting(name) == "true"

    def listed(self, name: str) -> tuple[str, ...]:
        return listed(self.setting(name))

    def policy(self, build: Callable[["Directory"], P]) -> P:
        """What `build` makes of the settings, made anew when a row has changed."""
        if build not in self._policies:
            self._policies[build] = build(self)
        found: P = self._policies[build]
        return found

    # addresses

    def ours(self, address: str) -> Ours | None:
        """Who an address of ours is, with or without `+token`; None for anybody else's."""
        return self._looked_up(address)

    def _look_up(self, address: str) -> Ours | None:
        if not address:
            return None
        local, _, domain = address.rpartition("@")
        bases = [(local, "")]
        at = local.rfind("+")
        while at > 0:
            bases.append((local[:at], local[at + 1 :]))
            at = local.rfind("+", 0, at)
        for base, token in bases:
            if found := self._known(base, domain, token):
                return found
        return None

    def own(self, address: str) -> bool:
        """R15, L8: whether nobody writes from this address: an alias, catchall, bounce or default From.

        An alias that matches by its local part alone makes no stranger's address ours: only domains of ours and listed
        ones count here.
        """
        found = self.ours(address)
        if found is None or found.kind is Kind.OPERATOR:
            return False
        if found.kind is not Kind.ALIAS or found.former is not None:
            return True
        domain = found.address.rpartition("@")[2]
        if self.has_domain(domain) or domain in self.listed("mail.catchall.domain.allowed"):
            return True
        return any(f"{alias.local_part}@{alias.domain}" == found.address for alias in found.aliases)

    def _known(self, local: str, domain: str, token: str) -> Ours | None:
        address = f"{local}@{domain}"
        if special := self._special.get(address):
            kind, owner = special
            if kind is not Kind.DEFAULT_FROM or not self._aliases(local, domain):
                return Ours(kind, address, token, owner)
        if aliases := self._aliases(local, domain):
            return Ours(Kind.ALIAS, address, token, aliases[0].domain or domain, aliases)
        former = self._kinds.get("former", {}).get(address)
        if isinstance(former, FormerAddress):
            return self._renamed(former, address, token)
        if local in ("postmaster", "abuse") and self.has_domain(domain):
            return Ours(Kind.OPERATOR, address, token, domain)
        return None

    def _renamed(self, former: FormerAddress, address: str, token: str) -> Ours:
        """D9: what the former address was, at the address that took its place."""
        now = former.now or address
        local, _, domain = now.rpartition("@")
        special = self._special.get(now)
        owner = special[1] if special else domain
        return Ours(Kind(former.kind), address, token, owner, self._aliases(local, domain), former)

    def _aliases(self, local: str, domain: str) -> tuple[Alias, ...]:
        """The alias with this whole address, then those that match by the local part alone (R13)."""
        full = self._kinds.get("alias", {}).get(f"{local}@{domain}")
        found = [full] if isinstance(full, Alias) and full.active else []
        if self._by_local.get(local) and self.local_part_counts(domain):
            for name in self._by_local[local]:
                alias = self._kinds["alias"].get(name)
                if isinstance(alias, Alias) and alias.active and alias is not full:
                    found.append(alias)
        return tuple(found)

    def local_part_counts(self, domain: str) -> bool:
        """D6, R13: whether an alias may match on this domain by its local part alone."""
        allowed = self.listed("mail.catchall.domain.allowed")
        return not allowed or domain in allowed or self.has_domain(domain)

    def serves(self, domain: str) -> bool:
        """I5: whether mail for this domain is ours at all."""
        if self.has_domain(domain):
            return True
        local_aliases = any(self._by_local.values())
        return local_aliases and domain in self.listed("mail.catchall.domain.allowed")

    def refused_now(self, former: FormerAddress, at: datetime) -> bool:
        """D9: whether a former address is refused at this time."""
        if former.policy != FormerPolicy.REFUSE:
            return False
        return former.refuse_after is None or at > former.refuse_after

    def catchall_address(self, domain: str = "") -> str:
        found = self.domain(domain)
        return f"{found.catchall}@{found.name}" if found and found.catchall else ""

    def bounce_address(self, domain: str = "") -> str:
        found = self.domain(domain)
        return f"{found.bounce}@{found.name}" if found and found.bounce else ""

    def default_from(self, domain: str = "") -> str:
        """O3: complete as it stands, else with the domain's name."""
        found = self.domain(domain)
        if not found or not found.default_from:
            return ""
        return found.default_from if "@" in found.default_from else f"{found.default_from}@{found.name}"


def _by_local_part(alias: Alias) -> bool:
    return alias.match == Match.LOCAL or not alias.domain
