"""All that `postroad doctor` looks at, in the order in which one thing stands on another."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from postroad.cli import doctor_declared, doctor_ground, doctor_mailboxes
from postroad.cli.doctor_dns import examine
from postroad.cli.doctor_ground import Ground
from postroad.cli.finding import Finding, Installation, State
from postroad.cli.propose import Where, directory_of, standing
from postroad.dispatch.caller import built_in_server
from postroad.dispatch.signing import Signer
from postroad.mail.spf import Address
from postroad.runtime.config import ConfigError, secret
from postroad.runtime.dns import Resolver
from postroad.runtime.worker import Unavailable
from postroad.views.directory import Directory

Tell = Callable[[Finding], None]


async def look(where: Where, addresses: tuple[Address, ...], asked: Resolver | None, tell: Tell) -> None:
    """Tells each finding as it is made. Without a resolver nobody outside is asked. Raises ConfigError."""
    config, now = where.settings, datetime.now(UTC)
    for check in doctor_ground.CHECKS:
        async for finding in check(Ground(config, now)):
            tell(finding)
    view = Directory()
    try:
        view = directory_of(await asyncio.to_thread(standing, where.reach()))
        contacts = await asyncio.to_thread(standing, where.reach(), "contacts")
    except (ConfigError, Unavailable) as error:
        tell(Finding("directory", State.DOWN, f"not looked at, nor what it declares: {error}"))
    else:
        for finding in doctor_declared.directory(view, len(contacts)):
            tell(finding)
    relay = built_in_server(config.relay)
    for finding in await doctor_declared.servers(view, relay) if asked else ():
        tell(finding)
    for finding in doctor_declared.providers(view, relay, config.http.webhooks):
        tell(finding)
    for finding in await doctor_mailboxes.logins(view) if asked else ():
        tell(finding)
    for finding in doctor_declared.secrets(doctor_declared.references(config, view)):
        tell(finding)
    for finding in doctor_declared.certificates(config, view, now):
        tell(finding)
    if asked is not None:
        here = Installation(view, relay, Signer(secret), config.smtp.hostname, addresses)
        await _dns(here, asked, tell)


async def _dns(here: Installation, asked: Resolver, tell: Tell) -> None:
    """Every alias domain: mail goes out with its name, and bounces come back to it."""
    for domain in here.directory.domains():
        try:
            for finding in await examine(domain.name, here, asked):
                tell(finding)
        except Unavailable as error:
            tell(Finding("dns", State.DOWN, f"{error}: is the resolver right? --offline asks nobody"))
            return
