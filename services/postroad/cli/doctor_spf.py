"""Whether all our servers may send for a domain (RFC 7208), and the record that lets them (O13)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from postroad.cli.finding import Finding, Installation, Published, State
from postroad.dispatch.choose import filter_of
from postroad.dispatch.plan import servers
from postroad.mail.spf import Address
from postroad.mail.spf_check import LOOKUPS, Checked, LookUp, Verdict, check, records_of
from postroad.views.directory import Directory
from postroad_schemas.directory import Smarthost

_NOBODY = ip_address("0.0.0.0")  # noqa: S104  # an address that no record lets pass: every term is looked at
_INSIDE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"))
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where our mail comes from."""

    what: str
    host: str  # "" for a mere address
    addresses: tuple[Address, ...]


async def spf(domain: str, here: Installation, look_up: LookUp) -> AsyncIterator[Finding]:
    """The record, then each source of mail. Raises what `look_up` raises."""
    texts = await records_of(domain, look_up)
    whole = await check(_NOBODY, domain, _sender(domain), look_up)
    found, missing = list[Finding](), list[str]()
    for source in await _sources(domain, here, look_up):
        if not source.addresses:
            found.append(Finding("spf", State.WRONG, f"{source.what} has no address in DNS"))
        for address in source.addresses:
            if _inside(address):
                words = (
                    f"{source.what} is at {address}, which the world does not see: check what it sees with --address"
                )
                found.append(Finding("spf", State.NOTE, words))
                continue
            checked = await check(address, domain, _sender(domain), look_up)
            found.append(_told(source, address, checked))
            if checked.verdict is not Verdict.PASS:
                missing.append(_term(source.host, address))
    yield _of_the_record(domain, texts, whole, missing)
    for finding in found:
        yield finding


def servers_of(domain: str, directory: Directory, relay: Smarthost) -> tuple[Smarthost, ...]:
    """Every server that may send for the domain: its filter names it, or an address there, or it has none."""
    return tuple(server for server in servers(directory, relay) if _sends_for(server, domain))


def _sends_for(server: Smarthost, domain: str) -> bool:
    entries = filter_of(server)
    return not entries or any(entry.rpartition("@")[2] == domain for entry in entries)


async def _sources(domain: str, here: Installation, look_up: LookUp) -> list[Source]:
    ours = servers_of(domain, here.directory, here.relay)
    return [
        *(Source(f"address {address}", "", (address,)) for address in here.addresses),
        *[Source(f"server {it.name} ({it.host})", it.host, await _addresses(it.host, look_up)) for it in ours],
    ]


async def _addresses(host: str, look_up: LookUp) -> tuple[Address, ...]:
    if host.lower().rstrip(".") == "localhost":
        return (ip_address("127.0.0.1"),)
    try:
        return (ip_address(host.strip("[]")),)
    except ValueError:
        found = (*await look_up(host, "A"), *await look_up(host, "AAAA"))
        return tuple(map(ip_address, found))


def _inside(address: Address) -> bool:
    return address.is_loopback or any(address in network for network in _INSIDE if network.version == address.version)


def _sender(domain: str) -> str:
    return f"postmaster@{domain}"


def _told(source: Source, address: Address, checked: Checked) -> Finding:
    if checked.verdict is Verdict.PASS:
        return Finding("spf", State.OK, f"{source.what}: {address} may send ({checked.why})")
    hosted = "; if it sends from other addresses, its provider names the include: to add" if source.host else ""
    words = f"{source.what}: {address} may not send ({checked.verdict}: {checked.why}){hosted}"
    return Finding("spf", State.WRONG, words)


def _of_the_record(domain: str, texts: Sequence[str], whole: Checked, missing: Sequence[str]) -> Finding:
    """With the record to publish where there is none, there are several, or it lets somebody of ours not send."""
    better = Published(domain, "TXT", proposal(texts, missing))
    if len(texts) != 1:
        return Finding("spf", State.WRONG, whole.why, better)
    words = f"{texts[0]}: {whole.lookups} of {LOOKUPS} look-ups"
    if whole.verdict is Verdict.PERMERROR:
        return Finding("spf", State.WRONG, f"{words}; receivers stop at an error: {whole.why}")
    if whole.verdict is Verdict.PASS:
        return Finding("spf", State.WRONG, f"{words}; {whole.why} lets everybody send", better)
    return Finding("spf", State.WRONG if missing else State.OK, words, better if missing else None)


def _term(host: str, address: Address) -> str:
    """What lets a server send: its name, which outlives its addresses, or the address where it has no name."""
    named = host and host.strip("[]") != str(address)
    return f"a:{host.rstrip('.').lower()}" if named else f"ip{address.version}:{address}"


def proposal(texts: Sequence[str], missing: Sequence[str]) -> str:
    """One record: the terms of all that are there, those that are missing, and an end that lets nobody else send."""
    there = dict.fromkeys(term for text in texts for term in text.split()[1:])
    ends = [term for term in there if term.lower().lstrip("+-~?") == "all" or term.lower().startswith("redirect=")]
    terms = [term for term in there if term not in ends]
    new = [term for term in dict.fromkeys(missing) if term not in there]
    end = next((term for term in ends if term.lower() not in ("all", "+all")), "~all")
    return " ".join(("v=spf1", *terms, *new, end))
