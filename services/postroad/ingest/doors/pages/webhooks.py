"""`POST /webhooks/NAME`: what a provider that sends for us tells of our messages (B1). `200` after acknowledgement.

A provider that gets no 2xx posts again; the same event has the same id, however often it comes.
"""

import asyncio
import difflib
from collections import Counter
from dataclasses import replace
from datetime import datetime

import structlog
from aiohttp import web

from postroad.ingest.doors.pages.answers import Refused, not_now
from postroad.ingest.doors.pages.fetch import Fetch
from postroad.ingest.doors.pages.intake import Intake
from postroad.ingest.doors.pages.secrets import secret_of
from postroad.ingest.webhooks import PROVIDERS
from postroad.ingest.webhooks.events import Reported, reported
from postroad.ingest.webhooks.notice import Malformed, Passed, Posted, Provider, Trust
from postroad.mail.message_id import Keyring
from postroad.runtime.config import ConfigError, Webhook
from postroad.runtime.observe import metrics
from postroad.runtime.worker import Tools, Unavailable

log = structlog.get_logger("postroad.webhooks")

MOST = 8 * 1024 * 1024  # octets of a request; providers batch
QUICK = 32 * 1024  # octets; a larger one is read in a thread, so that other requests go on
AT_ONCE = 500  # events in one acknowledgement
CERTIFICATES = 16  # kept


class WebhooksPage:
    """Raises ConfigError for a provider that there is not, or that cannot be told from others."""

    def __init__(self, tools: Tools, intake: Intake, fetch: Fetch) -> None:
        self._tools, self._intake, self._fetch = tools, intake, fetch
        self._trusts = {name: trust_of(name, declared) for name, declared in tools.config.http.webhooks.items()}
        self._certificates: dict[str, bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/webhooks/{provider}", self._post),
            web.post("/webhooks/{provider}/{secret}", self._post),
        ]

    async def _post(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["provider"]
        trust = self._trusts.get(name)
        if trust is None:
            raise Refused(404, f"no webhook {name} is declared in [http.webhooks]")
        provider = PROVIDERS[name]
        octets = self._intake.announced(request, MOST, "webhooks may be")
        posted = Posted(
            body=b"",
            headers={field.lower(): value for field, value in request.headers.items()},
            path_secret=request.match_info.get("secret", ""),
            at=self._tools.clock(),
        )
        if not provider.signed and not provider.verify(posted, trust):  # before anything is read
            metrics.WEBHOOKS.inc(name, "unverified")
            words = f"the secret that [http.webhooks.{name}] names is needed, as password, token or end of the path"
            raise Refused(401, words, {"WWW-Authenticate": 'Basic realm="postroad"'})
        with self._intake.taking(octets):
            body = await self._intake.body(request, MOST, "webhooks may be")
            try:
                return await self._taken(name, provider, replace(posted, body=body), trust)
            except Malformed as error:
                raise Refused(400, str(error)) from error
            except Unavailable as error:
                log.warning("webhook not taken", provider=name, why=str(error))
                raise not_now("the report cannot be taken") from error

    async def _taken(self, name: str, provider: Provider, posted: Posted, trust: Trust) -> web.StreamResponse:
        if provider.signed:
            posted = replace(posted, certificate=await self._certificate(provider, posted.body, trust))
            if not provider.verify(posted, trust):
                metrics.WEBHOOKS.inc(name, "unverified")
                raise Refused(403, f"the signature does not prove this to be of {name}: check [http.webhooks.{name}]")
        if provider.confirmation is not None and (url := provider.confirmation(posted.body)):
            await self._fetch(url)
            log.info("webhook confirmed", provider=name)
        keys = self._tools.views.keys
        if len(posted.body) <= QUICK:
            events, counts = read(name, provider, posted.body, keys, posted.at)
        else:
            events, counts = await asyncio.to_thread(read, name, provider, posted.body, keys, posted.at)
        for first in range(0, len(events), AT_ONCE):
            await self._tools.publish(events[first : first + AT_ONCE])
        _tell(name, counts)
        return web.json_response({"reported": len(events)})

    async def _certificate(self, provider: Provider, body: bytes, trust: Trust) -> bytes:
        url = provider.certificate(body, trust) if provider.certificate else ""
        if url and url not in self._certificates:
            certificate = await self._fetch(url)
            if len(self._certificates) >= CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = certificate
        return self._certificates.get(url, b"")


def read(
    name: str, provider: Provider, body: bytes, keys: Keyring, at: datetime
) -> tuple[list[Reported], Counter[tuple[str, str]]]:
    """The events, and how many of what outcome and kind there were. Raises Malformed."""
    events: dict[str, Reported] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for told in provider.parse(body):
        if isinstance(told, Passed):
            counts[told.why, told.what] += 1
            continue
        event = reported(name, told, keys, at)
        counts["reported" if event else "unattributed", told.kind.value] += 1
        if event is not None:
            events[event.event_id] = event
    return list(events.values()), counts


def _tell(name: str, counts: Counter[tuple[str, str]]) -> None:
    for (outcome, what), number in counts.items():
        metrics.WEBHOOKS.inc(name, outcome, by=number)
        if outcome not in ("reported", "ignored"):
            log.warning("webhook event passed over", provider=name, why=outcome, kind=what, number=number)


def trust_of(name: str, declared: Webhook) -> Trust:
    """Raises ConfigError."""
    provider = PROVIDERS.get(name)
    if provider is None:
        near = difflib.get_close_matches(name, PROVIDERS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(PROVIDERS)}"
        raise ConfigError(f"[http.webhooks.{name}] is no provider; {hint}")
    if provider.certificate is not None:
        if not declared.topics:
            raise ConfigError(f"[http.webhooks.{name}] needs its topics: name the ARN of each that may report")
        return Trust(topics=declared.topics)
    return Trust(secret=secret_of(f"[http.webhooks.{name}] secret", declared.secret))
