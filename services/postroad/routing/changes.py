"""What one proposed row changes in the directory: itself, and what must change with it (D4, D5, D9)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from postroad.routing.checks import fault, lives, removal_fault, setting
from postroad.routing.cleaning import clean
from postroad.routing.rows import Rows
from postroad.views.parameters import DOMAIN_FIELDS
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
    FormerAddress,
    FormerKind,
    FormerPolicy,
    IncomingMailbox,
    KeyState,
    Parameter,
    RowProposed,
    SigningKey,
    row_key,
)
from postroad_schemas.event import Row

replace = msgspec.structs.replace


class Refused(ValueError):  # noqa: N818  # a proposal is, by a rule
    """The proposal cannot stand. The message is the reason, one sentence."""


class Changes:
    """Rows to write and to end, in order, seen at once by what is checked after them."""

    def __init__(self, rows: Rows) -> None:
        self.before = rows
        self.after = Rows(rows.view, dict(rows.written))
        self.keys: list[str] = []
        self.moved_from: dict[str, str] = {}  # a renamed row keeps its first entry's date

    def put(self, row: Any) -> None:
        self._set(row_key(row), row)

    def end(self, key: str) -> None:
        if self.after.get(key) is not None:
            self._set(key, None)

    def _set(self, key: str, row: Row | None) -> None:
        self.after.written[key] = row
        if key not in self.keys:
            self.keys.append(key)

    def made(self) -> Iterator[tuple[str, Row | None]]:
        """Only what differs from before."""
        for key in self.keys:
            row, former = self.after.get(key), self.before.get(key)
            if bare(row) != bare(former):
                yield key, row


def bare(row: Any) -> Any:
    """A row without what the gate alone sets."""
    return None if row is None else replace(row, version=0, created_at=None, changed_at=None, changed_by="")


def changes(event: RowProposed, rows: Rows) -> Changes:
    """All that follows from the proposal; nothing when it changes nothing. Raises Refused.

    A row together with the key of another one of its kind to remove is a rename.
    """
    row, renamed = event.row, event.remove
    found = Changes(rows)
    if isinstance(row, Parameter) and (name := row.name.strip()) in DOMAIN_FIELDS:
        row, renamed = _as_domain(DOMAIN_FIELDS[name], row.value.strip(), rows)
    if row is not None:
        _enter(found, clean(row), renamed, event.occurred_at)
    elif renamed:
        _remove(found, renamed, event.occurred_at)
    else:
        raise Refused("a proposal needs a row, or the key of one to remove")
    return found


def _as_domain(field: str, value: str, rows: Rows) -> tuple[AliasDomain, str]:
    """D5: some parameters are fields of the default alias domain under their old names."""
    domain = rows.default_domain()
    if domain is None and field != "name":
        raise Refused("there is no alias domain yet: set mail.catchall.domain or declare one")
    if domain is None:
        return AliasDomain(name=value, default=True), ""
    return replace(domain, **{field: value}), f"domain/{domain.name}" if field == "name" else ""


def _enter(found: Changes, row: Any, renamed: str, at: datetime) -> None:
    key = row_key(row)
    renamed = "" if renamed == key else renamed
    if renamed:
        _check_rename(found, key, renamed)
    former = found.before.get(renamed or key)
    if isinstance(row, IncomingMailbox) and isinstance(former, IncomingMailbox):
        row = replace(row, confirmed=row.confirmed or (former.confirmed and _login(row) == _login(former)))
    if isinstance(row, AliasState) and former is None and not row.invalid:
        return  # no flag is no flag
    if renamed:
        found.end(renamed)
        found.moved_from[key] = renamed
    if reason := fault(row, found.after):
        raise Refused(reason)
    found.put(row)
    match row:
        case AliasDomain():
            _settle_default(found, row)
            _move_domain(found, former, row, at)
        case Alias() if isinstance(former, Alias):
            _move_flag(found, _address(former), _address(row))
            _move(found, _address(former), _address(row), FormerKind.ALIAS, at)
        case SigningKey(state=KeyState.CURRENT):
            _retire_others(found, row)
    _end_former_of_the_living(found)


def _login(row: IncomingMailbox) -> tuple[Any, ...]:
    """D8: what a login proved. Declared anew with all of it the same, a mailbox stays confirmed."""
    return row.protocol, row.host, row.port, row.security, row.verify, row.ca_file, row.credentials, row.folder


def _check_rename(found: Changes, key: str, renamed: str) -> None:
    if key.partition("/")[0] != renamed.partition("/")[0]:
        raise Refused(f"{renamed} cannot become {key}: they are of two kinds")
    if found.before.get(renamed) is None:
        raise Refused(f"there is no {renamed} to rename")
    if found.before.get(key) is not None:
        raise Refused(f"{renamed} cannot become {key}: that is there already")


def _remove(found: Changes, key: str, at: datetime) -> None:
    if reason := removal_fault(key, found.before):
        raise Refused(reason)
    row = found.before.get(key)
    found.end(key)
    if isinstance(row, Alias):
        found.end(f"alias_state/{_address(row)}")
        _move(found, _address(row), "", FormerKind.ALIAS, at)


def _settle_default(found: Changes, row: AliasDomain) -> None:
    """D1: one domain is the default."""
    others = [domain for domain in found.after.domains() if domain.name != row.name]
    if row.default:
        for domain in others:
            found.put(replace(domain, default=False))
    elif not any(domain.default for domain in others):
        found.put(replace(row, default=True))


def _move_domain(found: Changes, former: Row | None, row: AliasDomain, at: datetime) -> None:
    """D9: what a changed domain's addresses were; a renamed one takes its aliases along."""
    if not isinstance(former, AliasDomain):
        return
    now = _special(row)
    for alias in found.after.aliases_of(former.name) if former.name != row.name else ():
        moved = replace(alias, domain=row.name)
        if reason := fault(moved, found.after):
            raise Refused(reason)
        if found.after.get(row_key(moved)) is not None:
            raise Refused(f"{_address(alias)} cannot become {_address(moved)}: that is there already")
        found.end(row_key(alias))
        _move_flag(found, _address(alias), _address(moved))
        found.moved_from[row_key(moved)] = row_key(alias)
        found.put(moved)
        _move(found, _address(alias), _address(moved), FormerKind.ALIAS, at)
    for kind, address in _special(former).items():
        _move(found, address, now[kind], kind, at)


def _special(domain: AliasDomain) -> dict[FormerKind, str]:
    named = domain.default_from
    return {
        FormerKind.CATCHALL: f"{domain.catchall}@{domain.name}" if domain.catchall else "",
        FormerKind.BOUNCE: f"{domain.bounce}@{domain.name}" if domain.bounce else "",
        FormerKind.DEFAULT_FROM: named if "@" in named or not named else f"{named}@{domain.name}",
    }


def _address(alias: Alias) -> str:
    return f"{alias.local_part}@{alias.domain}"


def _move_flag(found: Changes, old: str, new: str) -> None:
    """D2: a renamed alias stays flagged; one that comes by the old name is not."""
    state = found.after.get(f"alias_state/{old}")
    if old != new and isinstance(state, AliasState):
        found.end(row_key(state))
        found.put(replace(state, alias=new))


def _move(found: Changes, old: str, new: str, kind: FormerKind, at: datetime) -> None:
    """D9: a former address points at what took its place, and those that pointed at it do too."""
    local, _, domain = old.partition("@")
    if old == new or not local or not domain or lives(old, found.after):
        return
    for pointing in found.after.former():
        if pointing.now == old and new:
            found.put(replace(pointing, now=new))
    policy = FormerPolicy(setting(found.before, "mail.former.policy"))
    found.put(FormerAddress(address=old, kind=kind, now=new, since=at, policy=policy))


def _end_former_of_the_living(found: Changes) -> None:
    """D4: a living address beats a former one."""
    for former in found.after.former():
        if lives(former.address, found.after):
            found.end(f"former/{former.address}")


def _retire_others(found: Changes, row: SigningKey) -> None:
    """One key mints; the one before it goes on proving."""
    for _, other in list(found.after.of("signing_key")):
        if isinstance(other, SigningKey) and other.key_id != row.key_id and other.state is KeyState.CURRENT:
            found.put(replace(other, state=KeyState.ACCEPTED))
