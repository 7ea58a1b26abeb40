"""Rows as they are entered, made clean (D3, D6, D7, D8): what is stored, and so shown, is the cleaned row."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec

from postroad.mail.address import ascii_domain, normalise
from postroad.views.parameters import SETTINGS, listed
from postroad_schemas.directory import (
    Alias,
    AliasDomain,
    AliasState,
    DkimKey,
    FormerAddress,
    IncomingMailbox,
    Match,
    Parameter,
    Protocol,
    Security,
    SigningKey,
    Smarthost,
)

SMARTHOST_PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}
MAILBOX_PORTS = {
    (Protocol.IMAP, False): 143,
    (Protocol.IMAP, True): 993,
    (Protocol.POP3, False): 110,
    (Protocol.POP3, True): 995,
}
_FOREIGN = re.compile(r"[^a-z0-9._+]+")  # dashes too, so that " - " becomes one
_DOTS = re.compile(r"\.{2,}")

replace = msgspec.structs.replace


def clean_name(name: str) -> str:
    """D3: a local part without accents, capitals and whatever else an alias cannot hold."""
    plain = unicodedata.normalize("NFKD", name.strip())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()
    return _DOTS.sub(".", _FOREIGN.sub("-", plain)).strip(".")


def clean(row: Any) -> Any:
    """The row in its stored form. What cannot be made right is left for the checks."""
    return _CLEANERS.get(type(row), _unchanged)(row)


def address_or_domain(entry: str) -> str:
    return normalise(entry) if "@" in entry else ascii_domain(entry)


def _unchanged(row: Any) -> Any:
    return row


def _domain(row: AliasDomain) -> AliasDomain:
    default_from = row.default_from.strip()
    return replace(
        row,
        name=ascii_domain(row.name),
        catchall=clean_name(row.catchall),
        bounce=clean_name(row.bounce),
        default_from=normalise(default_from) if "@" in default_from else clean_name(default_from),
        redirects=tuple(dict.fromkeys(filter(None, map(normalise, row.redirects)))),
    )


def _alias(row: Alias) -> Alias:
    domain = ascii_domain(row.domain)
    return replace(
        row,
        local_part=clean_name(row.local_part),
        domain=domain,
        match=row.match if domain else Match.LOCAL,
        record_type=row.record_type.strip(),
        thread=row.thread.strip(),
        owner_thread=row.owner_thread.strip(),
    )


def _smarthost(row: Smarthost) -> Smarthost:
    entries = (address_or_domain(entry) for part in row.from_filter for entry in listed(part))
    return replace(
        row,
        name=row.name.strip(),
        host=row.host.strip(),
        port=row.port or SMARTHOST_PORTS[row.security],
        from_filter=tuple(dict.fromkeys(filter(None, entries))),
    )


def _mailbox(row: IncomingMailbox) -> IncomingMailbox:
    port = row.port or MAILBOX_PORTS[row.protocol, row.security is Security.TLS]
    return replace(row, name=row.name.strip(), host=row.host.strip(), port=port, record_type=row.record_type.strip())


def _parameter(row: Parameter) -> Parameter:
    name, value = row.name.strip(), row.value.strip()
    setting = SETTINGS.get(name)
    if setting is not None and setting.kind == "list":
        value = ",".join(dict.fromkeys(map(address_or_domain, listed(value))))
    elif setting is not None and setting.kind in ("flag", "choice"):
        value = value.lower()
    elif setting is not None and setting.kind == "number" and value.isascii() and value.isdigit():
        value = value.lstrip("0") or "0"
    return replace(row, name=name, value=value)


_CLEANERS: dict[type, Callable[[Any], Any]] = {
    AliasDomain: _domain,
    Alias: _alias,
    AliasState: lambda row: replace(row, alias=row.alias.strip().lower()),
    Smarthost: _smarthost,
    IncomingMailbox: _mailbox,
    Parameter: _parameter,
    FormerAddress: lambda row: replace(row, address=normalise(row.address), now=normalise(row.now)),
    SigningKey: lambda row: replace(row, key_id=row.key_id.strip().lower()),
    DkimKey: lambda row: replace(row, domain=ascii_domain(row.domain), selector=row.selector.strip().lower()),
}
