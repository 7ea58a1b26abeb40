"""Asking the DNS: a few questions at once, answers kept for as long as they say, an end to waiting."""

import asyncio
import re
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.rdata import Rdata

from postroad.runtime.worker import Unavailable

AT_ONCE = 32
KEPT = 10_000  # answers, the least recently used go first
SECONDS = 5.0  # that a question may take, repeats included

_PORT = re.compile(r"([^:]+|\[.+\]):([0-9]{1,5})", re.ASCII)


class DnsUnavailable(Unavailable):
    """No answer that means anything: time-outs, SERVFAIL, no server. Ask again later."""


class Resolver:
    """`server` is "HOST:PORT" or "HOST"; without it the system's own are asked."""

    def __init__(self, server: str = "", seconds: float = SECONDS) -> None:
        """Raises ValueError for a server that is none, DnsUnavailable where the system names none."""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not server)
        except dns.resolver.NoResolverConfiguration as error:
            raise DnsUnavailable("this system names no DNS server: give one as HOST:PORT") from error
        if server:
            self._resolver.nameservers, self._resolver.port = _place(server)
        self._resolver.cache = dns.resolver.LRUCache(KEPT)
        self._resolver.use_edns(0, 0, 1232)
        self._seconds = seconds
        self._places = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, name: str, type_: str) -> tuple[str, ...]:
        """The records of a name as texts: addresses, "10 mx.example.com", whole TXT records. Empty: there are none.

        Raises DnsUnavailable.
        """
        try:
            absolute = dns.name.from_text(name.rstrip(".") + ".")
        except dns.exception.DNSException:  # no name that could be asked for
            return ()
        async with self._places:
            try:
                answer = await self._resolver.resolve(
                    absolute, type_, raise_on_no_answer=False, lifetime=self._seconds, search=False
                )
            except dns.resolver.NXDOMAIN:
                return ()
            except (dns.exception.DNSException, OSError) as error:
                raise DnsUnavailable(f"DNS says nothing about {name} {type_}: {_line(error)}") from error
        return tuple(_told(type_, record) for record in answer.rrset or ())


def _place(server: str) -> tuple[list[str], int]:
    host, port = server, "53"
    if with_port := _PORT.fullmatch(server):
        host, port = with_port[1], with_port[2]
    try:
        address = str(ip_address(host.strip("[]")))
    except ValueError as error:
        raise ValueError(f"{server!r} is no DNS server: write its IP address, with :PORT if that is not 53") from error
    return [address], int(port)


def _told(type_: str, record: Rdata) -> str:
    if type_ == "TXT":
        strings: tuple[bytes, ...] = getattr(record, "strings", ())
        return b"".join(strings).decode("utf-8", "replace")
    return str(record.to_text()).removesuffix(".").lower()


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
