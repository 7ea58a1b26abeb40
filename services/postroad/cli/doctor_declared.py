"""What is declared: the directory, servers that answer, secrets that can be read, certificates that are valid."""

import asyncio
import os
import ssl
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from postroad.cli.finding import Finding, State
from postroad.dispatch import plan
from postroad.dispatch.server import port_of
from postroad.mail.provider import provider_of
from postroad.routing.checks import undeclared
from postroad.runtime.config import Config, secret
from postroad.runtime.words import counted
from postroad.views.directory import Directory
from postroad_schemas.directory import (
    Alias,
    Credentials,
    DkimKey,
    IncomingMailbox,
    KeyState,
    Policy,
    SigningKey,
    Smarthost,
)

SOON = timedelta(days=21)  # before a certificate ends
SECONDS = 3.0  # that a server has to take a connection


# The directory (section D)


def directory(view: Directory, contacts: int) -> Iterator[Finding]:
    """Domains, aliases and who may write to them, mailboxes, the key of our ids."""
    domains = view.domains()
    if domains:
        names = ", ".join(domain.name for domain in domains)
        yield Finding("directory", State.OK, f"{counted(len(domains), 'alias domain')}: {names}")
    else:
        yield Finding("directory", State.WRONG, "no alias domain, so that no mail is ours: `postroad domain add`")
    yield from aliases(view, contacts)
    yield from mailboxes(view)
    if view.rows("signing_key") and not _minting(view):
        yield Finding("directory", State.WRONG, "no signing key is current: `postroad keys rotate`")


def _minting(view: Directory) -> bool:
    return any(isinstance(row, SigningKey) and row.state is KeyState.CURRENT for row in view.rows("signing_key"))


def aliases(view: Directory, contacts: int) -> Iterator[Finding]:
    """R12: whether there is anybody who may write to each."""
    active = [alias for alias in view.aliases() if alias.active]
    if not active:
        yield Finding("directory", State.WRONG, "no alias, so that no mail opens a record: `postroad alias add`")
        return
    counts = Counter(str(alias.policy) for alias in active)
    yield Finding("directory", State.OK, f"{counted(len(active), 'alias', 'aliases')}, open to {_listed(counts)}")
    for alias in active:
        if why := _nobody(alias, contacts):
            yield Finding("directory", State.WRONG, f"alias {alias.local_part}@{alias.domain}: {why}")
    if view.domains():
        for words in dict.fromkeys(filter(None, (undeclared(alias, view) for alias in active))):
            yield Finding("directory", State.NOTE, words)


def _nobody(alias: Alias, contacts: int) -> str:
    """Why nobody may write to it; empty if somebody may."""
    match alias.policy:
        case Policy.CONTACTS if not contacts:
            return "only contacts may write, and none is known: `postroad contact add`, or another --policy"
        case Policy.FOLLOWERS if not (alias.thread or alias.owner_thread):
            return "only followers may write, and it names no thread that has them: give it one, or another --policy"
        case _:
            return ""


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))


def mailboxes(view: Directory) -> Iterator[Finding]:
    """D8. None is no fault: mail may come by the doors."""
    rows = view.mailboxes()
    if not rows:
        yield Finding("directory", State.NOTE, "no mailbox is polled: mail comes by SMTP, LMTP, HTTP and pipe alone")
    for row in rows:
        if not row.confirmed:
            words = f"mailbox {row.name} is not polled before a login worked: `postroad mailbox confirm {row.name}`"
            yield Finding("directory", State.WRONG, words)


# Servers


async def servers(view: Directory, relay: Smarthost) -> list[Finding]:
    """O1, O5: whether each outgoing server takes a connection."""
    found = list(await asyncio.gather(*map(_server, plan.servers(view, relay))))
    if not view.rows("smarthost"):
        words = "none is declared: the built-in one is used; `postroad smarthost add` declares one"
        found.insert(0, Finding("server", State.NOTE, words))
    elif not found:
        words = "all that are declared are inactive, so that nothing is sent: see `postroad smarthost list`"
        found.append(Finding("server", State.WRONG, words))
    return found


def providers(view: Directory, relay: Smarthost, webhooks: Iterable[str]) -> Iterator[Finding]:
    """B1: whether reports of the providers whose servers send for us come in, and find the message they are about.

    `webhooks`: those that are declared.
    """
    declared = set(webhooks)
    for row in plan.servers(view, relay):
        seems = provider_of(row.host)
        if row.provider is not None:
            taken = row.provider in declared
            missing = f"reports are not taken: declare [http.webhooks.{row.provider}]"
            words = "webhooks say which message they are about" if taken else missing
            yield Finding("server", State.OK if taken else State.NOTE, f"{row.name}: of {row.provider}, whose {words}")
        elif seems in declared:
            words = f"{row.name}: {row.host} seems to be {seems}'s, whose reports may find the address alone"
            yield Finding("server", State.NOTE, f'{words}: declare it with provider = "{seems}" (--provider {seems})')


async def _server(row: Smarthost) -> Finding:
    port = port_of(row)
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(row.host, port), SECONDS)
    except (OSError, TimeoutError) as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else "no answer"
        words = f"{row.name}: nothing takes a connection at {row.host}:{port} ({why}): start it, or correct its row"
        return Finding("server", State.DOWN, words)
    writer.close()
    words = f"{row.name}: {row.host}:{port} takes connections; `postroad smarthost test` goes further"
    return Finding("server", State.OK, words)


# Secrets


def references(config: Config, view: Directory) -> Iterator[tuple[str, str]]:
    """Whose secret, and its reference."""
    yield "[kafka] password", config.kafka.password
    yield "[http] token", config.http.token
    for name, webhook in config.http.webhooks.items():
        yield f"[http.webhooks.{name}]", webhook.secret
    yield from _of_login("[relay]", config.relay.credentials)
    for kind in ("smarthost", "mailbox", "signing_key", "dkim_key"):
        for row in view.rows(kind):
            match row:
                case Smarthost() | IncomingMailbox():
                    yield from _of_login(f"{kind} {row.name}", row.credentials)
                case SigningKey() if row.state is not KeyState.RETIRED:
                    yield f"signing key {row.key_id}", row.secret
                case DkimKey() if row.active:
                    yield f"DKIM key {row.selector} of {row.domain}", row.secret
                case _:
                    pass


def _of_login(owner: str, login: Credentials | None) -> Iterator[tuple[str, str]]:
    if login is not None:
        yield owner, login.secret
        if login.oauth2 is not None:
            yield f"{owner}, OAuth 2.0 client", login.oauth2.client_secret


def secrets(named: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Whether each can be had from here, and by whom else. Their values are never told."""
    count, trouble = 0, False
    for owner, reference in named:
        if not reference:
            continue
        count += 1
        if not secret(reference):
            words = f"{owner}: {reference} cannot be had from here: set it where the workers run, and here to check it"
            yield Finding("secrets", State.WRONG, words)
            trouble = True
        elif (path := _readable_by_others(reference)) is not None:
            yield Finding("secrets", State.WRONG, f"{owner}: others can read {path}: chmod 600")
            trouble = True
    if not trouble:
        yield Finding("secrets", State.OK, f"{counted(count, 'secret')} can be read")


def _readable_by_others(reference: str) -> Path | None:
    """A file that everybody may read: groups are for services."""
    kind, _, name = reference.partition(":")
    path = Path(name)
    return path if kind == "file" and path.stat().st_mode & 0o004 else None


# Certificates


def certificates(config: Config, view: Directory, now: datetime) -> Iterator[Finding]:
    """Ours, and the authorities that we trust beside the system's."""
    if config.smtp.certificate:
        yield from own("[smtp]", config.smtp.certificate, config.smtp.key, now, config.smtp.hostname)
    else:
        words = "no certificate in [smtp]: mail comes in without TLS (RFC 3207)"
        yield Finding("certificate", State.WRONG if config.smtp.require_tls else State.NOTE, words)
    if config.kafka.tls and config.kafka.certificate:
        yield from own("[kafka]", config.kafka.certificate, config.kafka.key, now)
    authorities = {"[kafka]": config.kafka.ca_file if config.kafka.tls else "", "[relay]": config.relay.ca_file}
    authorities |= {f"smarthost {row.name}": row.ca_file for row in view.smarthosts()}
    authorities |= {f"mailbox {row.name}": row.ca_file for row in view.mailboxes()}
    for owner, path in authorities.items():
        if path:
            yield from _valid(owner, path, now)


def own(owner: str, chain: str, key: str, now: datetime, hostname: str = "") -> Iterator[Finding]:
    """A certificate that we show, with its key."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key or None)
    except (OSError, ValueError) as error:
        words = f"{owner}: {chain} and its key cannot be used ({error}): name PEM files that match"
        yield Finding("certificate", State.WRONG, words)
        return
    yield from _valid(owner, chain, now, hostname)


def _valid(owner: str, path: str, now: datetime, hostname: str = "") -> Iterator[Finding]:
    try:
        first, *_ = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no certificate in PEM"
        yield Finding("certificate", State.WRONG, f"{owner}: {path} cannot be read ({why})")
        return
    ends = first.not_valid_after_utc
    words = f"{owner}: {path} is valid until {ends:%Y-%m-%d %H:%M} UTC"
    if now < first.not_valid_before_utc:
        words = (
            f"{owner}: {path} is not valid before {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: look at the clock"
        )
        yield Finding("certificate", State.WRONG, words)
    elif now >= ends:
        yield Finding("certificate", State.WRONG, f"{owner}: {path} ended {ends:%Y-%m-%d %H:%M} UTC: renew it")
    else:
        late = ends - now < SOON
        yield Finding("certificate", State.NOTE if late else State.OK, f"{words}: renew it" if late else words)
    if hostname and not _names(first, hostname):
        words = f"{owner}: {path} does not name {hostname}: clients that check it will not send"
        yield Finding("certificate", State.NOTE, words)


def _names(certificate: x509.Certificate, hostname: str) -> bool:
    """RFC 6125 6.4: as the name stands, or under one asterisk."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        return False
    assert isinstance(extension.value, x509.SubjectAlternativeName)
    names = {name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}
    host = hostname.lower()
    return host in names or f"*.{host.partition('.')[2]}" in names
