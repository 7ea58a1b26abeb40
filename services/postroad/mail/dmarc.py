"""DMARC policies (RFC 7489 6): as they are written, and where they stand."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from postroad.mail.dkim import read_tags

_VERSION = re.compile(r"v\s*=\s*DMARC1\s*(;|\Z)")
_POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain asks of receivers. `fault`: why they do not follow it."""

    policy: str = "none"
    subdomains: str = "none"  # sp=
    strict_dkim: bool = False  # adkim=s
    strict_spf: bool = False  # aspf=s
    percent: int = 100
    reports_to: tuple[str, ...] = ()  # rua=
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a policy was looked for with success. `texts`: more than one means none counts (6.6.3)."""

    domain: str
    texts: tuple[str, ...]


def is_policy(text: str) -> bool:
    """Whether a TXT record is one for DMARC."""
    return _VERSION.match(text) is not None


def read_policy(text: str) -> Policy:
    """Never raises: what is wrong is the fault. Unknown tags mean nothing (6.3)."""
    tags = read_tags(text)
    if tags is None:
        return Policy(fault="it is no list of tags")
    reports_to = tuple(entry for part in tags.get("rua", "").split(",") if (entry := part.strip()))
    wanted = tags.get("p", "").lower()
    fault = ""
    if wanted not in _POLICIES:
        fault = f"p={tags['p']} is none of {', '.join(_POLICIES)}" if "p" in tags else "it has no p="
    percent = tags.get("pct", "100")
    return Policy(
        policy="none" if fault else wanted,
        subdomains="none" if fault else tags.get("sp", wanted).lower(),
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        strict_spf=tags.get("aspf", "r").lower() == "s",
        percent=int(percent) if percent.isascii() and percent.isdigit() and int(percent) <= 100 else 100,
        reports_to=reports_to,
        fault=fault,
    )


async def find_policy(domain: str, look_up: Callable[[str, str], Awaitable[tuple[str, ...]]]) -> Found | None:
    """The policy of a domain, else of the nearest domain above it that has one; never of a top-level domain.

    Raises what `look_up` raises.
    """
    while "." in domain:
        texts = tuple(text for text in await look_up(f"_dmarc.{domain}", "TXT") if is_policy(text))
        if texts:
            return Found(domain, texts)
        domain = domain.partition(".")[2]
    return None
