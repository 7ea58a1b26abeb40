"""`POST /mail` with a raw mail (RFC 5322) as its body. `202` after acceptance and not before (I2).

A client that got no answer asks again: the same mail with the same envelope, or the same Idempotency-Key, is one event.
"""

import hashlib
import hmac

from aiohttp import web

from postroad.ingest.accept import Origin, accept
from postroad.ingest.doors.envelope import envelope
from postroad.ingest.doors.http_connections import occupied, peer_of
from postroad.ingest.doors.pages.answers import Refused, not_now
from postroad.ingest.doors.pages.intake import Intake
from postroad.ingest.doors.pages.secrets import secret_of
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas import event_id
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope

LONGEST_KEY = 255  # characters
MEDIA_TYPES = {"message/rfc822", "message/global", "application/octet-stream", "text/plain"}
SIZE = "mail.smtp.size"


class MailPage:
    """Raises ConfigError for a token that cannot be had."""

    def __init__(self, tools: Tools, intake: Intake) -> None:
        self._tools = tools
        self._intake = intake
        self._token = secret_of("[http] token", tools.config.http.token)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/mail", self._post, expect_handler=self._expected)]

    async def _expected(self, request: web.Request) -> web.StreamResponse | None:
        """RFC 9110 10.1.1: a client that asks first learns of a refusal before it sends the mail."""
        with occupied(request):
            if request.headers["Expect"].lower() != "100-continue":
                return Refused(417, "only 100-continue can be expected").response(request)
            try:
                self._admit(request)
            except Refused as refused:
                return refused.response(request)
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None

    async def _post(self, request: web.Request) -> web.StreamResponse:
        octets = self._admit(request)
        try:
            value = envelope_of(request)
            key = key_of(request)
        except ValueError as error:
            raise Refused(400, str(error)) from error
        with self._intake.taking(octets):
            raw = await self._intake.body(request, self._limit(), f"{SIZE} allows")
            origin = Origin(
                Door.HTTP,
                session=self._tools.config.http.token,
                ordinal=key or digest(raw, value),
                peer=peer_of(request),
            )
            try:
                event = await accept(raw, value, origin, self._tools)
            except Unavailable as error:
                raise not_now("the mail cannot be stored") from error
        return web.json_response({"event_id": event.event_id}, status=202)

    def _admit(self, request: web.Request) -> int:
        """From the header alone: how many octets may come. Raises Refused."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            words = "the token that [http] names is needed, as Authorization: Bearer"
            raise Refused(401, words, {"WWW-Authenticate": 'Bearer realm="postroad"'})
        if "Content-Type" in request.headers and request.content_type not in MEDIA_TYPES:
            raise Refused(415, f"{request.content_type} is no mail: send Content-Type: message/rfc822")
        return self._intake.announced(request, self._limit(), f"{SIZE} allows")

    def _limit(self) -> int:
        return self._tools.views.directory.number(SIZE)


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
