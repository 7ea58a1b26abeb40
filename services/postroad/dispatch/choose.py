"""Which server sends a message: the steps of O1 in the document's order or in the code's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from postroad.mail.address import ascii_domain, normalise
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Stream

Matches: TypeAlias = Callable[[frozenset[str], tuple[str, str], tuple[str, str]], bool]

# Each step: does this filter match this From and this default From (both normalised, with their domains)?
STEPS: dict[str, Matches] = {
    "from address": lambda names, sender, _: sender[0] in names,
    "from domain": lambda names, sender, _: sender[1] in names,
    "no filter": lambda names, _, __: not names,
    "default address": lambda names, _, default: default[0] in names,
    "default domain": lambda names, _, default: default[1] in names,
    "priority": lambda _, __, ___: True,
}

ORDERS: dict[str, tuple[str, ...]] = {
    "doc": ("from address", "from domain", "no filter", "default address", "default domain", "priority"),
    "code": ("from address", "from domain", "default address", "default domain", "no filter", "priority"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A server, and the step of O1 that chose it."""

    server: Smarthost
    rule: str


def choose(
    servers: Sequence[Smarthost], sender: str, default_from: str, stream: Stream, order: str = "doc"
) -> Choice | None:
    """The server for a From address; None if no active server serves the stream.

    `servers` come in their order within a step: smallest priority, then oldest. With no `sender` the default From is
    chosen for. Addresses are bare.
    """
    usable = [(server, filter_of(server)) for server in servers if server.active and stream in server.streams]
    default = compared(default_from)
    from_ = compared(sender) if sender.strip() else default
    for rule in ORDERS[order]:
        matches = STEPS[rule]
        for server, names in usable:
            if matches(names, from_, default):
                return Choice(server, rule)
    return None


def compared(address: str) -> tuple[str, str]:
    """An address and its domain, in the form in which they compare."""
    address = normalise(address)
    return address, _domain(address)


def filter_of(server: Smarthost) -> frozenset[str]:
    """The addresses and domains of a from_filter, in the form in which they compare."""
    return _names(server.from_filter)


@lru_cache(maxsize=4096)
def _names(from_filter: tuple[str, ...]) -> frozenset[str]:
    """Kept: every message asks for the same few again."""
    entries = (entry.strip().removeprefix("@") for entry in from_filter)
    return frozenset(normalise(entry) if "@" in entry else ascii_domain(entry) for entry in entries if entry)


def covers(server: Smarthost, address: str) -> bool:
    """Whether the server's filter names this address or exactly its domain (no sub-domains)."""
    return bool(address) and not filter_of(server).isdisjoint(compared(address))


def _domain(address: str) -> str:
    return address.rpartition("@")[2] if "@" in address else ""
