"""How bodies are taken in: so large, so long, and so much of them at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from postroad.ingest.doors.pages.answers import Refused, not_now
from postroad.runtime.config import Http


class Intake:
    """What all pages take in together."""

    def __init__(self, settings: Http) -> None:
        self._settings = settings
        self._octets = 0

    def announced(self, request: web.Request, limit: int, why: str) -> int:
        """From the header alone: how many octets may come. `why` names the limit. Raises Refused."""
        # What came compressed is refused, so nothing is unpacked before that either.
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(415, "send it as it is, without Content-Encoding")
        if request.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":  # RFC 9112 6.1
            raise Refused(501, "send it as it is: chunked is the only Transfer-Encoding here")
        if request.content_length is None and not request.body_exists:
            raise Refused(411, "Content-Length is needed, or Transfer-Encoding: chunked")
        octets = limit if request.content_length is None else request.content_length
        if octets > limit:
            raise _too_large(limit, why)
        if self._octets and self._octets + octets > self._settings.in_flight:
            raise not_now("too much is being taken in")
        return octets

    @contextmanager
    def taking(self, octets: int) -> Iterator[None]:
        """While these octets are in memory."""
        self._octets += octets
        try:
            yield
        finally:
            self._octets -= octets

    async def body(self, request: web.Request, limit: int, why: str) -> bytes:
        """Raises Refused, as soon as it is clear that there is nothing in it or too much."""
        taken = 0
        bites: list[bytes] = []
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                async for bite in request.content.iter_any():
                    taken += len(bite)
                    if taken > limit:
                        raise _too_large(limit, why)
                    bites.append(bite)
        except TimeoutError as error:
            raise Refused(408, f"the body did not come within {self._settings.body_timeout:g} s") from error
        except (ClientPayloadError, HttpProcessingError, ConnectionError) as error:
            raise Refused(400, "the body broke off") from error
        if not taken:
            raise Refused(400, "the body is empty")
        return b"".join(bites)


def _too_large(limit: int, why: str) -> Refused:
    return Refused(413, f"the body is larger than {why} ({limit} octets)")
