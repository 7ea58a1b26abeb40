"""SPF records as they are written (RFC 7208 4.5, 5, 6, 7, 12): terms, domains, macros."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias
from urllib.parse import quote

Address: TypeAlias = IPv4Address | IPv6Address

VERSION = "v=spf1"
_MACRO = r"%\{[slodiphv][0-9]*r?[.\-+,/_=]*\}|%%|%_|%-"
_SPEC = re.compile(
    rf"(?:[!-$&-~]|{_MACRO})*?(?:{_MACRO}|\.(?=[a-z0-9-]*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?)", re.IGNORECASE
)
_EXPAND = re.compile(r"%(?:\{([slodiphv])([0-9]*)(r?)([.\-+,/_=]*)\}|([%_-]))", re.IGNORECASE)
_TERM = re.compile(r"([+?~-]?)([a-z][a-z0-9._-]*)(?:([:/])(.*))?", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*)=(.*)", re.IGNORECASE)
_MASKS = re.compile(r"(.*?)(?:/([0-9]{1,2}))?(?://([0-9]{1,3}))?")


class BadRecord(ValueError):  # noqa: N818  # it is the record that is
    """Receivers take it for an error of its owner (permerror); the message names the term."""


@dataclass(frozen=True, slots=True)
class Term:
    """A mechanism (5). `domain` is a domain-spec, empty for the record's own domain."""

    qualifier: str  # "+", "-", "~" or "?"
    mechanism: str
    domain: str = ""
    network: IPv4Network | IPv6Network | None = None  # of ip4 and ip6
    masks: tuple[int, int] = (32, 128)  # of a and mx
    written: str = ""

    def holds(self, network_of: Address, address: Address) -> bool:
        """Whether `address` is in the network that `network_of` is in, under the masks."""
        if network_of.version != address.version:
            return False
        return address in ip_network(f"{network_of}/{self.masks[address.version == 6]}", strict=False)


@dataclass(frozen=True, slots=True)
class Record:
    terms: tuple[Term, ...]
    redirect: str = ""


def is_record(text: str) -> bool:
    """Whether a TXT record is one for SPF (4.5)."""
    return text.lower() == VERSION or text.lower().startswith(f"{VERSION} ")


def read_record(text: str) -> Record:
    """Raises BadRecord."""
    terms, modifiers = list[Term](), dict[str, str]()
    for written in text[len(VERSION) :].split(" "):
        if not written:
            continue
        if modifier := _MODIFIER.fullmatch(written):
            name = modifier[1].lower()
            if name in ("redirect", "exp"):
                if name in modifiers or not _SPEC.fullmatch(modifier[2]):
                    raise BadRecord(f"{written}: once, and with a domain")
                modifiers[name] = modifier[2]
        else:
            terms.append(_term(written))
    return Record(tuple(terms), modifiers.get("redirect", ""))


def _term(written: str) -> Term:
    match = _TERM.fullmatch(written)
    if match is None or match[2].lower() not in _READERS:
        raise BadRecord(f"{written}: no mechanism of SPF")
    qualifier, mechanism = match[1] or "+", match[2].lower()
    value = match[4] if match[3] == ":" else f"/{match[4]}" if match[3] else ""
    if match[3] == ":" and not value:
        raise BadRecord(f"{written}: nothing after the colon")
    return _READERS[mechanism](Term(qualifier, mechanism, written=written), value)


def _alone(term: Term, value: str) -> Term:
    if value:
        raise BadRecord(f"{term.written}: it stands alone")
    return term


def _address(term: Term, value: str) -> Term:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        network = None
    if network is None or f"ip{network.version}" != term.mechanism:
        raise BadRecord(f"{term.written}: no network of {term.mechanism}")
    return replace(term, network=network)


def _named(term: Term, value: str) -> Term:
    if not _SPEC.fullmatch(value):
        raise BadRecord(f"{term.written}: a domain is needed")
    return replace(term, domain=value)


def _maybe_named(term: Term, value: str) -> Term:
    return _named(term, value) if value else term


def _masked(term: Term, value: str) -> Term:
    match = _MASKS.fullmatch(value)
    assert match is not None  # everything in it is optional
    masks = int(match[2] or 32), int(match[3] or 128)
    if masks[0] > 32 or masks[1] > 128:
        raise BadRecord(f"{term.written}: no such network")
    return _maybe_named(replace(term, masks=masks), match[1])


_READERS = {
    "all": _alone,
    "include": _named,
    "a": _masked,
    "mx": _masked,
    "ptr": _maybe_named,
    "ip4": _address,
    "ip6": _address,
    "exists": _named,
}


def expand(spec: str, address: Address, sender: str, domain: str) -> str:
    """A domain-spec as a domain (7). `sender` is the reverse-path; it stands for HELO's name too.

    What is longer than a name can be loses labels from the left (7.3).
    """
    local, _, sender_domain = sender.rpartition("@")
    letters = {
        "s": f"{local or 'postmaster'}@{sender_domain}",
        "l": local or "postmaster",
        "o": sender_domain,
        "d": domain,
        "i": ".".join(_nibbles(address)) if address.version == 6 else str(address),
        "p": "unknown",
        "h": sender_domain,
        "v": "ip6" if address.version == 6 else "in-addr",
    }
    labels = _EXPAND.sub(lambda match: _expanded(match, letters), spec).rstrip(".").split(".")
    while len(".".join(labels)) > 253 and len(labels) > 1:
        labels.pop(0)
    return ".".join(labels)


def _expanded(match: re.Match[str], letters: Mapping[str, str]) -> str:
    if match[5]:
        return {"%": "%", "_": " ", "-": "%20"}[match[5]]
    value = letters[match[1].lower()]
    parts: Sequence[str] = re.split(f"[{re.escape(match[4] or '.')}]", value)
    parts = parts[::-1] if match[3] else parts
    parts = parts[-int(match[2]) :] if match[2] and int(match[2]) else parts
    made = ".".join(parts)
    return quote(made, safe="") if match[1].isupper() else made


def _nibbles(address: Address) -> str:
    return address.exploded.replace(":", "")
