"""Which server sends a message: the steps of O1 in the document's order or in the code's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from postroad.mail.address import ascii_domain, normalise
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Stream

Matches: TypeAlias = Callable[[Smarthost, str, str], bool]

# Each step: does this server match this From and this default From (both normalised)?
STEPS: dict[str, Matches] = {
    "from address": lambda server, sender, _: sender in filter_of(server),
    "from domain": lambda server, sender, _: _domain(sender) in filter_of(server),
    "no filter": lambda server, _, __: not filter_of(server),
    "default address": lambda server, _, default: default in filter_of(server),
    "default domain": lambda server, _, default: _domain(default) in filter_of(server),
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
    usable = [server for server in servers if server.active and stream in server.streams]
    default = normalise(default_from)
    sender = normalise(sender) or default
    for rule in ORDERS[order]:
        for server in usable:
            if STEPS[rule](server, sender, default):
                return Choice(server, rule)
    return None


def filter_of(server: Smarthost) -> frozenset[str]:
    """The addresses and domains of a from_filter, in the form in which they compare."""
    entries = (entry.strip().removeprefix("@") for entry in server.from_filter)
    return frozenset(normalise(entry) if "@" in entry else ascii_domain(entry) for entry in entries if entry)


def covers(server: Smarthost, address: str) -> bool:
    """Whether the server's filter names this address or exactly its domain (no sub-domains)."""
    address = normalise(address)
    return bool(address) and not filter_of(server).isdisjoint((address, _domain(address)))


def _domain(address: str) -> str:
    return address.rpartition("@")[2] if "@" in address else ""
