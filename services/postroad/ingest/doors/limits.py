"""How much of anything the SMTP door takes at once. Counting alone: no clock, no sockets."""

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address, IPv6Network

from postroad.ingest.doors.replies import Says
from postroad.runtime.config import Smtp

ENDLESS = float("inf")


def network(peer: str) -> str:
    """Whom limits count as one: an IPv4 address, or the /64 that one customer has of IPv6."""
    try:
        address = IPv6Address(peer.partition("%")[0])
    except AddressValueError:
        return peer
    return str(address.ipv4_mapped or IPv6Network((int(address) >> 64 << 64, 64)))


@dataclass
class Peers:
    """Who is connected, and how many mails each began in this minute."""

    most: int
    most_each: int
    mails_a_minute: int  # 0: any number
    _connected: Counter[str] = field(default_factory=Counter)
    _mails: Counter[str] = field(default_factory=Counter)
    _minute: int = -1

    def enter(self, peer: str) -> Says | None:
        """Counts a connection, or says why it is not had. Who was let in must leave."""
        if self._connected.total() >= self.most:
            return Says.TOO_MANY_CONNECTIONS
        if self._connected[peer] >= self.most_each:
            return Says.TOO_MANY_OF_PEER
        self._connected[peer] += 1
        return None

    def leave(self, peer: str) -> None:
        self._connected[peer] -= 1
        if not self._connected[peer]:
            del self._connected[peer]

    def mail(self, peer: str, now: float) -> Says | None:
        """A mail begins at `now`, in seconds."""
        if not self.mails_a_minute:
            return None
        if now // 60 != self._minute:
            self._minute = int(now // 60)
            self._mails.clear()
        self._mails[peer] += 1
        return Says.TOO_FAST if self._mails[peer] > self.mails_a_minute else None


@dataclass
class Flight:
    """Octets that are being taken in. One mail alone is always let through, whatever its size."""

    most: int
    octets: int = 0

    def fits(self, announced: int) -> bool:
        """Whether a mail of so many octets may begin. Nothing is kept for it: a word costs its speaker nothing."""
        return not self.octets or self.octets + announced <= self.most


@dataclass
class Share:
    """What one mail has of the flight."""

    flight: Flight
    octets: int = 0

    def take(self, more: int) -> bool:
        """False: there is no room, and what it had is given back."""
        if self.flight.octets - self.octets and self.flight.octets + more > self.flight.most:
            self.give_back()
            return False
        self.flight.octets += more
        self.octets += more
        return True

    def give_back(self) -> None:
        self.flight.octets -= self.octets
        self.octets = 0


def slow_at(began: float, octets: int, smtp: Smtp) -> float:
    """When a message that began then, of which so much has come, is too slow: after the grace at the least rate."""
    return began + smtp.data_grace + octets / smtp.data_rate
