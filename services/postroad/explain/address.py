"""Who an address is here: what a door says to it, which rules meet it, and which budgets count it."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from postroad.explain.budgets import filled
from postroad.ingest.recipients import judge
from postroad.loop_guard.budget import Ledger
from postroad.mail.address import normalise
from postroad.routing.facts import name_of
from postroad.views import Views
from postroad.views.directory import Kind, Ours
from postroad_schemas.directory import Alias


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    says: str


def explain_address(written: str, views: Views, ledgers: Mapping[str, Ledger], now: datetime) -> tuple[Finding, ...]:
    """As recipient first, then as sender."""
    address = normalise(written)
    found = (*_recipient(written, address, views, now), *_sender(address, views, ledgers, now))
    return tuple(Finding(rule=rule, says=says) for rule, says in found)


def _recipient(written: str, address: str, views: Views, now: datetime) -> Iterator[tuple[str, str]]:
    directory = views.directory
    reply = judge(written, directory, now)
    yield "I5", f"RCPT TO is answered {reply.code} {reply.text}"
    ours = directory.ours(address)
    if ours is None:
        yield "D2", "no address of ours: mail to it routes by nothing"
        return
    token = f", with the token {ours.token}" if ours.token else ""
    yield "D1" if ours.kind is not Kind.ALIAS else "D2", f"{_kind(ours)}{token}"
    if ours.former is not None:
        took = f", now {ours.former.now}" if ours.former.now else ""
        yield "D9", f"a former address since {ours.former.since:%Y-%m-%d}{took} (policy {ours.former.policy})"
    for alias in ours.aliases:
        yield "R9", _alias(alias)
        if state := directory.flagged(name_of(alias)):
            yield "D2", f"{name_of(alias)} is flagged invalid: {state.reason}"


def _kind(ours: Ours) -> str:
    words = {
        Kind.CATCHALL: "the catchall: replies come here, alone it is refused",
        Kind.BOUNCE: "the bounce address: reports come here",
        Kind.DEFAULT_FROM: "the default From",
        Kind.OPERATOR: "the operator's: mail to it is held",
        Kind.ALIAS: "an alias",
    }
    return f"{words[ours.kind]} of {ours.domain or 'no domain'}"


def _alias(alias: Alias) -> str:
    does = f"posts to {alias.thread}" if alias.thread else f"opens a {alias.record_type}"
    how = ", matched by its local part (R13)" if alias.match == "local" or not alias.domain else ""
    return f"{name_of(alias)} {does}; {alias.policy} may write (R12){how}"


def _sender(address: str, views: Views, ledgers: Mapping[str, Ledger], now: datetime) -> Iterator[tuple[str, str]]:
    directory = views.directory
    if directory.own(address):
        yield "R15", "as sender it is nobody: an address of ours is never an author"
    known = views.contacts.with_address(address)
    for contact in known:
        active = "" if contact.active else ", archived"
        yield "R15", f"contact {contact.contact_id} {contact.name!r}, {contact.kind}, {contact.channel}{active}"
    if not known:
        yield "R15", "no known contact has it"
    allowed = directory.listed("mail.gateway.allowed")
    if address in allowed or address.rpartition("@")[2] in allowed:
        yield "L4", "on mail.gateway.allowed: never limited"
    if (row := views.blacklisted.get(address)) is not None:
        silenced = "bulk and chatter" if directory.flag("mail.blacklist.chatter") else "bulk"
        yield row.rule, f"blacklisted since {row.occurred_at:%Y-%m-%d} for {silenced} mail (O7): {row.note}"
    yield from (("O6", f"left the list {name}") for left, name in sorted(views.lists_left) if left == address)
    mine = {key: ledger for key, ledger in ledgers.items() if address in key.split(" ")}
    for fill in filled(mine, directory, now, near=0.0):
        yield "L1", f"{fill.budget}: {fill.count} of {fill.limit} within {fill.window // 60} minutes"
