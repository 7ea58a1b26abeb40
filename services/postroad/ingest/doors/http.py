"""The HTTP door: listens as configured in [http] and answers each of its pages in words."""

import logging
import os
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from postroad.ingest.doors.http_connections import Answer, Connections, Site
from postroad.ingest.doors.pages.answers import Refused, not_now
from postroad.ingest.doors.pages.fetch import Fetch, fetch
from postroad.ingest.doors.pages.files import FilesPage
from postroad.ingest.doors.pages.intake import Intake
from postroad.ingest.doors.pages.leave import LeavePage
from postroad.ingest.doors.pages.mail import MailPage
from postroad.ingest.doors.pages.webhooks import WebhooksPage
from postroad.runtime.observe import metrics
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas.mail import Door

log = structlog.get_logger("postroad.http")
requests = logging.getLogger("postroad.requests")  # the library's words
# What is no HTTP is answered with 400, and no fault of ours.
requests.addFilter(lambda it: not (it.exc_info and isinstance(it.exc_info[1], HttpProcessingError)))

DRAIN = 1.7  # seconds that mails that still come get at a stop; those that are being stored get them twice
LINGER = 5.0  # seconds that a client gets to read a refusal while it still sends


class HttpDoor:
    """`port` is the one really taken. `fetch` is for the webhooks."""

    def __init__(self, tools: Tools, fetch: Fetch = fetch) -> None:
        self._tools = tools
        self._fetch = fetch
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Raises ConfigError for a secret that cannot be had, Unavailable when the port cannot be."""
        settings, intake = self._tools.config.http, Intake(self._tools.config.http)
        connections = Connections(settings, self._server)
        app = web.Application(middlewares=[_in_words, connections.limited])
        for page in (
            MailPage(self._tools, intake),
            WebhooksPage(self._tools, intake, self._fetch),
            LeavePage(self._tools, intake),
            FilesPage(self._tools),
        ):
            app.router.add_routes(page.routes())
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=requests,
            shutdown_timeout=DRAIN,
            keepalive_timeout=settings.keep_alive,
            lingering_time=LINGER,
            auto_decompress=False,
        )
        await self._runner.setup()
        host, port = settings.host, settings.port
        try:
            await Site(self._runner, connections, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise Unavailable(f"{host}:{port} cannot be listened on ({why}): choose host and port in [http]") from error
        self.port = self._runner.addresses[0][1]

    def _server(self) -> Any:  # the library's protocol
        assert self._runner is not None
        assert self._runner.server is not None
        return self._runner.server()

    async def stop(self) -> None:
        """No new requests; those begun are answered, up to the grace. A connection that is cut got no yes."""
        if self._runner is not None:
            await self._runner.cleanup()


@web.middleware
async def _in_words(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Every answer that is no yes says why, and a fault of ours is never a yes."""
    try:
        return await handler(request)
    except Refused as refused:
        metrics.REFUSED.inc(Door.HTTP, str(refused.status))
        return refused.response(request)
    except web.HTTPException as answer:
        where: dict[int, str] = {404: "mails are posted to /mail", 405: "mails are posted: POST /mail"}
        kept: dict[str, Any] = {"Allow": answer.headers["Allow"]} if "Allow" in answer.headers else {}
        return Refused(answer.status, where.get(answer.status, answer.reason), kept).response(request)
    except Exception:
        log.exception("fault at the HTTP door")
        return not_now("local error").response(request)
