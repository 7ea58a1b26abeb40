"""A DNS server on the loopback for tests (RFC 1035, UDP): it knows the names it is given, and no others exist.

async with DnsServer({"example.com TXT": ["v=spf1 -all"], "example.com MX": ["10 mx.example.com."]}) as server:
    ... ask server.address ...
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Self, cast

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

SILENT = "silent"
"""In place of records: no answer ever comes."""
BROKEN = "servfail"
"""In place of records: the server says that it failed."""


class DnsServer(asyncio.DatagramProtocol):
    """`asked` is what it was asked, in order, as "name TYPE"."""

    def __init__(self, zone: Mapping[str, Sequence[str]] | None = None) -> None:
        self.zone = dict(zone or {})
        self.asked: list[str] = []
        self.host, self.port = "127.0.0.1", 0
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        self._transport = transport
        self.port = cast("tuple[str, int]", transport.get_extra_info("sockname"))[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport
        self._transport.close()

    def datagram_received(self, packet: bytes, peer: tuple[str, int]) -> None:
        query = dns.message.from_wire(packet)
        if (answer := self._answer(query)) is not None:
            assert self._transport
            self._transport.sendto(answer.to_wire(max_size=65_000), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        type_ = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {type_}")
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        match self.zone.get(f"{name} {type_}"):
            case str() as how if how == SILENT:
                return None
            case str():
                answer.set_rcode(dns.rcode.SERVFAIL)
            case None if name not in self._names():
                answer.set_rcode(dns.rcode.NXDOMAIN)
            case None:
                pass
            case records:
                texts = [written(type_, record) for record in records]
                answer.answer.append(dns.rrset.from_text(question.name, 300, "IN", type_, *texts))
        return answer

    def _names(self) -> set[str]:
        """Every known name and those above it, which exist too (RFC 8020)."""
        names = [known.partition(" ")[0].split(".") for known in self.zone]
        return {".".join(labels[at:]) for labels in names for at in range(len(labels))}


def written(type_: str, record: str) -> str:
    """A record as zone files have it: texts are cut into strings of 255 octets (RFC 1035 3.3.14)."""
    if type_ != "TXT":
        return record
    octets = record.encode()
    pieces = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
    return " ".join('"' + "".join(_letter(octet) for octet in piece) + '"' for piece in pieces)


def _letter(octet: int) -> str:
    return chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\{octet:03d}"
