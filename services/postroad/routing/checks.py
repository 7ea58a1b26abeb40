"""What a cleaned row must be to enter the directory (D3-D9). A check answers with one sentence, or with nothing."""

import difflib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from postroad.mail.provider import provider_of
from postroad.routing.rows import Rows
from postroad.views.declared import beyond_64_bits
from postroad.views.directory import Directory
from postroad.views.parameters import DOMAIN_FIELDS, MINUTES, MOST, SETTINGS
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
    Credentials,
    DkimKey,
    FormerAddress,
    IncomingMailbox,
    Match,
    OAuth2,
    Parameter,
    SigningKey,
    Smarthost,
    row_key,
)

_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\Z")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\Z")
_THREAD = re.compile(r"[^/\s]+/\S+\Z")
_REFERENCE = re.compile(r"(env|file):.+\Z", re.DOTALL)
_TOKEN_URL = re.compile(r"https://[^/\s]+|http://(127\.|localhost[:/]|\[::1\])")
_KEY_ID = re.compile(r"[a-z2-7]\Z")
_LOCAL_OCTETS = 64  # RFC 5321 4.5.3.1.1
_WEEK = 7 * 24 * 3600  # seconds
_ALGORITHMS = ("rsa-sha256", "ed25519-sha256")


def fault(row: Any, rows: Rows) -> str:
    """Why this row cannot stand; empty if it can."""
    if type(row) not in _CHECKS:
        return f"{type(row).__name__} is no row of the directory"
    return beyond_64_bits(msgspec.to_builtins(row)) or _CHECKS[type(row)](row, rows)


def removal_fault(key: str, rows: Rows) -> str:
    """Why this row cannot go; empty if it can."""
    kind, _, name = key.partition("/")
    if kind == "parameter" and name in DOMAIN_FIELDS:
        return f"{name} is a field of the default alias domain: set it, it cannot be removed"
    domain = rows.get(key)
    if not isinstance(domain, AliasDomain):
        return ""
    if aliases := rows.aliases_of(domain.name):
        return f"{domain.name} still has aliases ({aliases[0].local_part}@ is one): remove or move them first"
    if domain.default and len(rows.domains()) > 1:
        return f"{domain.name} is the default alias domain: make another one the default first"
    return ""


def remark(row: Any, directory: Directory) -> str:
    """What whoever entered an accepted row should know; empty if nothing. For commands to print."""
    if isinstance(row, Parameter) and row.name == "mail.catchall.domain.allowed":
        local = (alias for alias in directory.aliases() if alias.match is Match.LOCAL or not alias.domain)
        if next(local, None) is None:
            return f"{row.name} filters aliases that match by their local part alone, and there is none"
    if isinstance(row, Alias):
        return undeclared(row, directory)
    if isinstance(row, Smarthost) and row.provider is None and (seems := provider_of(row.host)):
        with_it = f'with provider = "{seems}" (--provider {seems})'
        return f"{row.host} seems to be {seems}'s: {with_it} its webhooks find the message they are about"
    return ""


def undeclared(alias: Alias, directory: Directory) -> str:
    """D1: no fault, a polled mailbox may be anywhere, but what is forgotten looks the same. Empty if it is declared."""
    domain = alias.domain
    if not domain or alias.match is Match.LOCAL or directory.has_domain(domain):
        return ""
    default = directory.domain()
    instead = f", answers are sent in the name of {default.name}" if default else ""
    return f"domain {domain} is not declared{instead}: `postroad domain add {domain}`, if it is yours"


def _domain(row: AliasDomain, rows: Rows) -> str:
    if not _DOMAIN.match(row.name):
        return f"{row.name!r} is no domain name"
    if "@" in row.default_from and not _ADDRESS.match(row.default_from):
        return f"{row.default_from!r} is no address"
    if row.catchall and row.catchall == row.bounce:
        return f"catchall and bounce of {row.name} cannot both be {row.catchall}@"
    for what, local_part in (("catchall", row.catchall), ("bounce", row.bounce)):
        if alias := rows.alias_taking(local_part, row.name) if local_part else None:
            return f"{what} cannot be {local_part}@{row.name}: an alias has that address ({_shown(alias)})"
        if len(local_part) > _LOCAL_OCTETS:
            return f"{what} is longer than {_LOCAL_OCTETS} characters"
    for address in row.redirects:
        if not _ADDRESS.match(address):
            return f"redirected address {address!r} is no address"
        if isinstance(rows.get(f"alias/{address}"), Alias):
            return f"{address} is an alias, so it cannot be redirected to the catchall"
    return ""


def _alias(row: Alias, rows: Rows) -> str:
    if not any(letter.isalnum() for letter in row.local_part):
        return "an alias needs a name with at least one letter or digit"
    if len(row.local_part) > _LOCAL_OCTETS:
        return f"{row.local_part}@ is longer than {_LOCAL_OCTETS} characters"
    if row.domain and not _DOMAIN.match(row.domain):
        return f"{row.domain!r} is no domain name"
    if not row.record_type and not row.thread:
        return f"alias {_shown(row)} needs a record type to open or a thread to post to"
    for thread in filter(None, (row.thread, row.owner_thread)):
        if not _THREAD.match(thread):
            return f"{thread!r} is no thread: a thread is written type/id"
    for domain in rows.domains():
        if f"{row.local_part}@{row.domain}" in domain.redirects:
            return f"{_shown(row)} is redirected to the catchall of {domain.name}, so it cannot be an alias"
        if row.domain == domain.name or row.match is Match.LOCAL:
            if row.local_part == domain.catchall:
                return f"{row.local_part}@{domain.name} is the catchall address, so it cannot be an alias"
            if row.local_part == domain.bounce:
                return f"{row.local_part}@{domain.name} is the bounce address, so it cannot be an alias"
    limits = (("threshold", row.limits.threshold, MOST), ("minutes", row.limits.minutes, MINUTES))
    for name, number, most in limits:
        if number is not None and not 0 <= number <= most:
            return f"limits.{name} of alias {_shown(row)} cannot be below 0 or above {most}"
    return ""


def _alias_state(row: AliasState, rows: Rows) -> str:
    return "" if rows.get(f"alias/{row.alias}") else f"there is no alias {row.alias}"


def _smarthost(row: Smarthost, rows: Rows) -> str:
    if row.port == 25 and setting(rows, "mail.server.port_25") == "forbid":
        return "port 25 is blocked on this platform: use 465 (tls), 587 (starttls) or 2525"
    for entry in row.from_filter:
        if not (_ADDRESS.match(entry) if "@" in entry else _DOMAIN.match(entry)):
            return f"from_filter entry {entry!r} is neither an address nor a domain"
    if row.daily_limit < 0 or row.connections < 1 or row.mails_per_connection < 1 or row.rate < 0 or row.size_limit < 0:
        return f"a limit of server {row.name} is below what makes sense"
    return _server(row.name, row.host, row.port) or _credentials(row.credentials)


def _mailbox(row: IncomingMailbox, _: Rows) -> str:
    if not 1 <= row.interval <= _WEEK:
        return f"interval of mailbox {row.name} is seconds, at least 1 and at most {_WEEK} (a week)"
    return _server(row.name, row.host, row.port) or _credentials(row.credentials)


def _server(name: str, host: str, port: int) -> str:
    if not name:
        return "a server needs a name"
    if not host or any(letter.isspace() for letter in host):
        return f"{name} needs a host"
    return "" if 0 < port < 65536 else f"{name}: {port} is no port"


def _credentials(credentials: Credentials | None) -> str:
    if credentials is None:
        return ""
    if fault := _reference("the password", credentials.secret):
        return fault
    return "" if credentials.oauth2 is None else _oauth2(credentials.oauth2)


def _oauth2(how: OAuth2) -> str:
    if not _TOKEN_URL.match(how.token_url):
        return f"tokens are fetched from an https address, not from {how.token_url!r}"
    return _reference("the client secret", how.client_secret) if how.client_secret else ""


def _reference(what: str, secret: str) -> str:
    return "" if _REFERENCE.match(secret) else f"{what} is given by reference, env:NAME or file:PATH, never as a value"


def _parameter(row: Parameter, _: Rows) -> str:
    if row.name in DOMAIN_FIELDS:
        return ""
    known = SETTINGS.get(row.name)
    if known is None:
        near = difflib.get_close_matches(row.name, (*SETTINGS, *DOMAIN_FIELDS), 1, 0.0)
        return f"no rule knows {row.name!r}; the nearest known parameter is {near[0]}"
    if row.name == "mail.catchall.domain.allowed":
        if not row.value:
            return f"{row.name} names no domain and would allow every one: remove the parameter if that is meant"
        if bad := [entry for entry in row.value.split(",") if not _DOMAIN.match(entry)]:
            return f"{bad[0]!r} in {row.name} is no domain name"
    return known.fault(row.value)


def _former(row: FormerAddress, rows: Rows) -> str:
    if not _ADDRESS.match(row.address):
        return f"{row.address!r} is no address"
    if lives(row.address, rows):
        return f"{row.address} is in use, so it is no former address"
    return ""


def _signing_key(row: SigningKey, _: Rows) -> str:
    if not _KEY_ID.match(row.key_id):
        return f"key id {row.key_id!r} is not one letter or digit of a-z and 2-7"
    return _reference("the key", row.secret)


def _dkim_key(row: DkimKey, _: Rows) -> str:
    if not _DOMAIN.match(row.domain) or not _DOMAIN.match(row.selector):
        return f"{row.selector}._domainkey.{row.domain} is no domain name"
    if row.algorithm not in _ALGORITHMS:
        return f"algorithm is one of {', '.join(_ALGORITHMS)}, not {row.algorithm!r}"
    return _reference("the key", row.secret)


def lives(address: str, rows: Rows) -> bool:
    """D4: whether an address of ours is in use: it beats a former one."""
    local, _, name = address.rpartition("@")
    if isinstance(rows.get(f"alias/{address}"), Alias):
        return True
    domain = rows.get(f"domain/{name}")
    own = isinstance(domain, AliasDomain) and local in (domain.catchall, domain.bounce, domain.default_from)
    return own or any(address == d.default_from or address in d.redirects for d in rows.domains())


def setting(rows: Rows, name: str) -> str:
    row = rows.get(f"parameter/{name}")
    return row.value if isinstance(row, Parameter) else SETTINGS[name].default


def _shown(alias: Alias) -> str:
    return row_key(alias).removeprefix("alias/")


_CHECKS: dict[type, Callable[[Any, Rows], str]] = {
    AliasDomain: _domain,
    Alias: _alias,
    AliasState: _alias_state,
    Smarthost: _smarthost,
    IncomingMailbox: _mailbox,
    Parameter: _parameter,
    FormerAddress: _former,
    SigningKey: _signing_key,
    DkimKey: _dkim_key,
}
