"""Answers that are no yes (RFC 9110 15), in one sentence that says what to do: JSON, and a page for people."""

from collections.abc import Mapping
from html import escape

from aiohttp import web

RETRY_AFTER = 30  # seconds, RFC 9110 10.2.3

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title></head>
<body style="font-family: sans-serif; max-width: 30em; margin: 4em auto; padding: 0 1em">
<h1>{title}</h1>{content}</body></html>
"""
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",  # a link may be a right
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, content: str, status: int = 200, headers: Mapping[str, str] = {}) -> web.Response:  # only read
    """A page for a person. Both are HTML."""
    text = _PAGE.format(title=title, content=content)
    return web.Response(text=text, status=status, content_type="text/html", headers={**PAGE_HEADERS, **headers})


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """What was asked is not done: with which status, and what the client may do."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] = {}) -> None:  # only read
        super().__init__(words)
        self.status = status
        self._words, self._headers = words, headers

    def response(self, request: web.Request) -> web.Response:
        """A browser names text/html among what it takes (RFC 9110 12.5.1); programs get JSON."""
        if "text/html" in request.headers.get("Accept", ""):
            words = escape(f"{self._words[:1].upper()}{self._words[1:]}.")
            return page("That did not work", f"<p>{words}</p>", self.status, self._headers)
        return web.json_response({"error": self._words}, status=self.status, headers=self._headers)


def not_now(words: str) -> Refused:
    return Refused(503, f"{words}, try again later", {"Retry-After": str(RETRY_AFTER)})
