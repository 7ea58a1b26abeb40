"""Which server sends a message: the steps of O1 in the document's order or in the code's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from postroad.mail.address import ascii_domain, normalise
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Stream


@dataclass(frozen=True, slots=True)
class Servers:
    """The active servers of one stream, by what their filters name: of each name the first in O1's order."""

    named: Mapping[str, Smarthost]  # addresses and domains, normalised
    unfiltered: Smarthost | None
    first: Smarthost | None


Finds: TypeAlias = Callable[[Servers, tuple[str, str], tuple[str, str]], Smarthost | None]

# Each step: which server fits this From and this default From (both normalised, with their domains)?
STEPS: dict[str, Finds] = {
    "from address": lambda servers, sender, _: servers.named.get(sender[0]),
    "from domain": lambda servers, sender, _: servers.named.get(sender[1]),
    "no filter": lambda servers, _, __: servers.unfiltered,
    "default address": lambda servers, _, default: servers.named.get(default[0]),
    "default domain": lambda servers, _, default: servers.named.get(default[1]),
    "priority": lambda servers, _, __: servers.first,
}

ORDERS: dict[str, tuple[str, ...]] = {
    "doc": ("from address", "from domain", "no filter", "default address", "default domain", "priority"),
    "code": ("from address", "from domain", "default address", "default domain", "no filter", "priority"),
}


DEDICATED = "dedicated"
"""The rule of a server that the message itself names."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A server, and the step of O1 that chose it."""

    server: Smarthost
    rule: str


def serving(servers: Sequence[Smarthost], stream: Stream) -> Servers:
    """Those that send this stream. `servers` come in their order within a step: smallest priority, then oldest."""
    usable = [server for server in servers if server.active and stream in server.streams]
    named: dict[str, Smarthost] = {}
    for server in usable:
        for name in filter_of(server):
            named.setdefault(name, server)
    unfiltered = next((server for server in usable if not filter_of(server)), None)
    return Servers(named, unfiltered, usable[0] if usable else None)


def choose(servers: Servers, sender: str, default_from: str, order: str = "doc") -> Choice | None:
    """The server for a From address; None if no active server serves the stream.

    With no `sender` the default From is chosen for. Addresses are bare.
    """
    default = compared(default_from)
    from_ = compared(sender) if sender.strip() else default
    for rule in ORDERS[order]:
        if server := STEPS[rule](servers, from_, default):
            return Choice(server, rule)
    return None


@lru_cache(maxsize=4096)
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
