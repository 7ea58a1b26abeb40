"""`GET /files/TOKEN`: attachments that were sent as links (O14). The token says all there is to know, signed."""

import asyncio
import re
from datetime import UTC, datetime
from urllib.parse import quote

from aiohttp import web

from postroad.ingest.doors.pages.answers import Refused, not_now
from postroad.mail.links import LinkedFile, read_file_link
from postroad.runtime.worker import Tools, Unavailable

AT_ONCE = 8  # files in memory
BITE = 64 * 1024  # octets
_EVER = datetime(1970, 1, 2, tzinfo=UTC)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.ASCII)
_PLAIN = re.compile(r"[^A-Za-z0-9._ -]")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",  # a stranger's file is never a page of ours
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


class FilesPage:
    """Whoever has the link has what an attachment would have given."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._open = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/files/{token}", self._get)]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        found = self._linked(request.match_info["token"])
        if self._open >= AT_ONCE:
            raise not_now("too many files are being fetched")
        self._open += 1
        try:
            return await self._sent(request, found)
        finally:
            self._open -= 1

    async def _sent(self, request: web.Request, found: LinkedFile) -> web.StreamResponse:
        try:
            content = await self._tools.store.get(found.ref)
        except LookupError as error:
            raise Refused(410, "the file is no longer kept") from error
        except Unavailable as error:
            raise not_now("the file cannot be had") from error
        response = web.StreamResponse(headers={**_HEADERS, **described(found)})
        response.content_length = len(content)
        await response.prepare(request)
        try:
            for first in range(0, len(content) if request.method != "HEAD" else 0, BITE):
                async with asyncio.timeout(self._tools.config.http.body_timeout):
                    await response.write(content[first : first + BITE])
            await response.write_eof()
        except (TimeoutError, ConnectionError):  # who does not read is cut
            if request.transport is not None:
                request.transport.abort()
        return response

    def _linked(self, token: str) -> LinkedFile:
        """Raises Refused."""
        keys = self._tools.views.keys
        found = read_file_link(keys, token, self._tools.clock())
        if found is None and read_file_link(keys, token, _EVER) is not None:
            raise Refused(410, "the link has expired: ask the sender for the file")
        if found is None:
            raise Refused(404, "this link is not one of ours: open it as it stands in the mail")
        return found


def described(found: LinkedFile) -> dict[str, str]:
    """Name and type (RFC 6266), both as a stranger wrote them: nothing of them ends a header or starts a program."""
    media_type = found.media_type.strip().lower()
    name = found.name.replace("/", "_").replace("\\", "_").strip(". ") or "file"
    name = "".join(letter if letter.isprintable() else "_" for letter in name)
    plain = _PLAIN.sub("_", name)
    exact = quote(name.encode("utf-8", "replace"), safe="")
    return {
        "Content-Type": media_type if _MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}",
    }
