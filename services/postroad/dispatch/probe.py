"""Test connection (O12): who it writes as and to, and which replies let it go on. Nothing is sent in the end."""

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.dispatch.attempt import Step
from postroad.dispatch.choose import covers
from postroad.dispatch.plan import usable
from postroad.views.directory import Directory
from postroad_schemas.directory import Smarthost

ACCEPTED: dict[Step, tuple[int, ...]] = {Step.MAIL: (250,), Step.RCPT: (250, 251), Step.DATA: (354,)}
"""The steps of the transaction, in their order."""

_LOCAL_PART = "noreply"  # of the sender, where a filter names domains alone


@dataclass(frozen=True, slots=True)
class Probe:
    """Bare addresses."""

    mail_from: str
    rcpt_to: str


def probe(server: Smarthost, tester: str, directory: Directory) -> Probe | str:
    """The addresses of a test, or what is to be configured before there can be one."""
    bare = usable(tester)
    if tester.strip() and not bare:
        return f"{tester!r} is no address: name the tester's own"
    if sender := usable(sender_of(server, bare, default_froms(directory))):
        return Probe(sender, bare or sender)
    if entries := _entries(server):
        return f"no sender can be made of the from_filter {', '.join(entries)} of {server.name}: correct it"
    return f"{server.name} has no from_filter, so that a test has no sender: name the tester's own address"


def sender_of(server: Smarthost, tester: str, defaults: Sequence[str]) -> str:
    """The filter's first complete address, else a default From that it covers, else a local part on its first domain;
    without filter the tester's own address. Empty if there is none.
    """
    entries = _entries(server)
    if not entries:
        return tester
    complete = (entry for entry in entries if entry.rpartition("@")[0])
    covered = (address for address in defaults if covers(server, address))
    return next(complete, "") or next(covered, "") or f"{_LOCAL_PART}@{entries[0].removeprefix('@')}"


def default_froms(directory: Directory) -> tuple[str, ...]:
    """O3: of the default alias domain first, then of the others (a server may send for one company alone)."""
    names = ("", *(domain.name for domain in directory.domains()))
    return tuple(dict.fromkeys(filter(None, map(directory.default_from, names))))


def _entries(server: Smarthost) -> list[str]:
    return [entry for each in server.from_filter if (entry := each.strip()).strip("@")]
