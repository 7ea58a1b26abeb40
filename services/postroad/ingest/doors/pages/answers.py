"""Answers that are no yes (RFC 9110 15), in one sentence of JSON that says what to do."""

from collections.abc import Mapping

from aiohttp import web

RETRY_AFTER = 30  # seconds, RFC 9110 10.2.3


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """What was asked is not done: with which status, and what the client may do."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] = {}) -> None:  # only read
        super().__init__(words)
        self.status = status
        self._words, self._headers = words, headers

    def response(self) -> web.Response:
        return web.json_response({"error": self._words}, status=self.status, headers=self._headers)


def not_now(words: str) -> Refused:
    return Refused(503, f"{words}, try again later", {"Retry-After": str(RETRY_AFTER)})
