"""The HTTP door: `POST /mail` with a raw mail (RFC 5322) as its body. `202` after acceptance and not before (I2).

A client that got no answer asks again: the same mail with the same envelope, or the same Idempotency-Key, is one event.
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from postroad.ingest.accept import Origin, accept
from postroad.ingest.doors.envelope import envelope
from postroad.runtime.config import ConfigError, secret
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas import event_id
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope

log = structlog.get_logger("postroad.http")

DRAIN = 1.7  # seconds that mails that still come get at a stop; those that are being stored get them twice
KEEP_ALIVE = 75.0  # seconds that a connection may be idle between requests
LINGER = 5.0  # seconds that a client gets to read a refusal while it still sends
RETRY_AFTER = 30  # seconds, RFC 9110 10.2.3
LONGEST_KEY = 255  # characters
MEDIA_TYPES = {"message/rfc822", "message/global", "application/octet-stream", "text/plain"}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """The mail is not taken: with which status (RFC 9110 15), and what the client may do."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] = {}) -> None:  # only read
        super().__init__(words)
        self._status, self._words, self._headers = status, words, headers

    def response(self) -> web.Response:
        return web.json_response({"error": self._words}, status=self._status, headers=self._headers)


def not_now(words: str) -> Refused:
    return Refused(503, f"{words}, try again later", {"Retry-After": str(RETRY_AFTER)})


class HttpDoor:
    """Listens as configured in [http]. `port` is the one really taken."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._settings = tools.config.http
        self._token = b""
        self._octets = 0  # being taken in
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Raises ConfigError for a token that cannot be had, Unavailable when the port cannot be."""
        self._token = _token(self._settings.token)
        app = web.Application(middlewares=[_in_words])
        app.router.add_post("/mail", self._post, expect_handler=self._expected)
        # What came compressed is refused, so nothing is unpacked before that either.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=DRAIN,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGER,
            auto_decompress=False,
        )
        await self._runner.setup()
        host, port = self._settings.host, self._settings.port
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise Unavailable(f"{host}:{port} cannot be listened on ({why}): choose host and port in [http]") from error
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """No new requests; those begun are answered, up to the grace. A connection that is cut got no yes."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _expected(self, request: web.Request) -> web.StreamResponse | None:
        """RFC 9110 10.1.1: a client that asks first learns of a refusal before it sends the mail."""
        if request.headers["Expect"].lower() != "100-continue":
            return Refused(417, "only 100-continue can be expected").response()
        try:
            self._admit(request)
        except Refused as refused:
            return refused.response()
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None

    async def _post(self, request: web.Request) -> web.StreamResponse:
        octets = self._admit(request)
        try:
            value = envelope_of(request)
            key = key_of(request)
        except ValueError as error:
            raise Refused(400, str(error)) from error
        self._octets += octets
        try:
            raw = await self._body(request)
            origin = Origin(
                Door.HTTP,
                session=self._settings.token,
                ordinal=key or digest(raw, value),
                peer=request.remote or "",
            )
            event = await accept(raw, value, origin, self._tools)
        except Unavailable as error:
            raise not_now("the mail cannot be stored") from error
        finally:
            self._octets -= octets
        return web.json_response({"event_id": event.event_id}, status=202)

    def _admit(self, request: web.Request) -> int:
        """From the header alone: how many octets may come. Raises Refused."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            words = "the token that [http] names is needed, as Authorization: Bearer"
            raise Refused(401, words, {"WWW-Authenticate": 'Bearer realm="postroad"'})
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(415, "send the mail as it is, without Content-Encoding")
        if "Content-Type" in request.headers and request.content_type not in MEDIA_TYPES:
            raise Refused(415, f"{request.content_type} is no mail: send Content-Type: message/rfc822")
        if request.content_length is None and not request.body_exists:
            raise Refused(411, "Content-Length is needed, or Transfer-Encoding: chunked")
        limit = self._size_limit()
        octets = limit if request.content_length is None else request.content_length
        if octets > limit:
            raise _too_large(limit)
        if self._octets and self._octets + octets > self._settings.in_flight:
            raise not_now("too much mail is being taken in")
        return octets

    async def _body(self, request: web.Request) -> bytes:
        """Raises Refused, as soon as it is clear that there is no mail in it or too much."""
        limit, taken = self._size_limit(), 0
        bites: list[bytes] = []
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                async for bite in request.content.iter_any():
                    taken += len(bite)
                    if taken > limit:
                        raise _too_large(limit)
                    bites.append(bite)
        except TimeoutError as error:
            raise Refused(408, f"the mail did not come within {self._settings.body_timeout:g} s") from error
        except (ClientPayloadError, HttpProcessingError, ConnectionError) as error:
            raise Refused(400, "the mail broke off") from error
        if not taken:
            raise Refused(400, "the body is empty: send the raw mail in it")
        return b"".join(bites)

    def _size_limit(self) -> int:
        return self._tools.views.directory.number("mail.smtp.size")


def envelope_of(request: web.Request) -> Envelope:
    """From the query, else from header fields: `mail_from`, and `rcpt_to` as often as needed. Raises ValueError."""
    query, headers = request.query, request.headers
    return envelope(
        query.get("mail_from", headers.get("Mail-From")),
        query.getall("rcpt_to", headers.getall("Rcpt-To", [])),
    )


def key_of(request: web.Request) -> str:
    """What the client calls this mail, or nothing. Raises ValueError."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise ValueError(f"Idempotency-Key must be 1 to {LONGEST_KEY} printable characters")
    return f"key {key}"


def digest(raw: bytes, value: Envelope) -> str:
    """Names a mail and its envelope: to other recipients it is another mail, which must not be lost."""
    content = hashlib.sha256(raw).hexdigest()
    return event_id("posted", content, repr(value.mail_from), repr(value.rcpt_to))


def _token(reference: str) -> bytes:
    token = secret(reference)
    if not token:
        raise ConfigError(
            '[http] token cannot be had: name a variable or a file that holds it, "env:NAME" or "file:PATH"'
        )
    return token


def _too_large(limit: int) -> Refused:
    return Refused(413, f"the mail is larger than mail.smtp.size allows ({limit} octets)")


@web.middleware
async def _in_words(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Every answer is JSON, and a fault of ours is never a yes."""
    try:
        return await handler(request)
    except Refused as refused:
        return refused.response()
    except web.HTTPException as answer:
        where: dict[int, str] = {404: "mails are posted to /mail", 405: "mails are posted: POST /mail"}
        kept: dict[str, Any] = {"Allow": answer.headers["Allow"]} if "Allow" in answer.headers else {}
        return Refused(answer.status, where.get(answer.status, answer.reason), kept).response()
    except Exception:
        log.exception("fault at the HTTP door")
        return not_now("local error").response()
