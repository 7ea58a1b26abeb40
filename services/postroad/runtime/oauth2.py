"""OAuth 2.0 for logins (RFC 6749 6): the refresh token of a credential becomes the access token that a login bears.

Blocking, in the caller's thread. `access_token` is for all threads of the process, which share what was given.
"""

import ipaddress
import json
import logging
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import IO

from postroad_schemas.directory import Credentials, OAuth2

log = logging.getLogger("postroad.oauth2")

PATIENCE = 10.0  # seconds for a connection, for each silence, and for the whole body
MOST = 64 * 1024  # octets of an answer
EARLY = 60.0  # seconds before its end at which a token is given up: a login and what follows it take their time
UNSAID = 300.0  # seconds that a token counts whose expires_in is not said (RFC 6749 5.1), or makes no sense
LONGEST = 366 * 86400.0
_TOKEN = re.compile(r"[!-~]+")  # RFC 6749 A.12 without the space, so that nothing can be put into a login with it
_LATER = {"temporarily_unavailable", "server_error", "slow_down"}

Secret = Callable[[str], bytes | None]
"""What a reference stands for; None if it cannot be had."""


class OAuth2Error(Exception):
    """There is no access token. The message is one line that says why, without any secret."""


class OAuth2Refused(OAuth2Error):  # noqa: N818  # an answer, not a fault
    """The endpoint or the settings say no; asking again changes nothing."""


class OAuth2Unavailable(OAuth2Error):  # noqa: N818
    """The endpoint cannot be had now; asking again later may."""


def access_token(credentials: Credentials, secret: Secret, fresh: bool = False) -> str:
    """For credentials with `oauth2`. `fresh`: the server refused the last one, ask for another.

    Raises OAuth2Refused, OAuth2Unavailable.
    """
    return _TOKENS.token(credentials, secret, fresh)


def xoauth2(username: str, token: str) -> str:
    """The response of SASL XOAUTH2, before base64. A server that refuses it sends a challenge: answer that with ""."""
    return f"user={username}\x01auth=Bearer {token}\x01\x01"


@dataclass
class _Held:
    """What was given to one credential; its lock is held while its endpoint is asked, so that one asks for all."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    until: float = 0.0  # of the monotonic clock
    given: str = ""  # the refresh token that the reference stood for
    refresh: str = ""  # the one that counts: the endpoint may have put another in its place


class AccessTokens:
    """Kept in memory until EARLY before they end. One endpoint's slowness keeps no other credential waiting."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[Credentials, _Held] = {}
        self._lock = threading.Lock()

    def token(self, credentials: Credentials, secret: Secret, fresh: bool = False) -> str:
        """As `access_token`."""
        if credentials.oauth2 is None:
            raise OAuth2Refused(f"no oauth2 with the credentials of {credentials.username}")
        with self._lock:
            held = self._held.setdefault(credentials, _Held())
        with held.lock:
            given = _resolved(secret, credentials.secret, "refresh token")
            if given != held.given:  # renewed behind its reference: what came of the former one is past
                held.token, held.given, held.refresh = "", given, given
            if fresh or not held.token or self._clock() >= held.until:
                self._renew(held, credentials, credentials.oauth2, secret)
            return held.token

    def _renew(self, held: _Held, credentials: Credentials, oauth2: OAuth2, secret: Secret) -> None:
        held.token, asked = "", self._clock()
        form = {"grant_type": "refresh_token", "refresh_token": held.refresh, "client_id": oauth2.client_id}
        if oauth2.client_secret:  # in the body (RFC 6749 2.3.1): the large providers' documents say it so
            form["client_secret"] = _resolved(secret, oauth2.client_secret, "client secret")
        if oauth2.scope:
            form["scope"] = oauth2.scope
        try:
            answer = _post(oauth2.token_url, form)
        except OAuth2Refused:
            held.refresh = held.given  # the next attempt is with what the operator gave
            raise
        held.token = _granted(answer, oauth2.token_url)
        held.until = asked + _seconds(answer) - EARLY
        renewed = answer.get("refresh_token")
        if isinstance(renewed, str) and renewed and renewed != held.refresh:
            held.refresh = renewed
            log.warning(
                "%s gave a new refresh token for %s: it counts until this process ends; renew what %s stands for",
                *(oauth2.token_url, credentials.username, credentials.secret),
            )


_TOKENS = AccessTokens()


def _resolved(secret: Secret, reference: str, what: str) -> str:
    found = secret(reference)
    if not found:
        raise OAuth2Refused(f"the {what} {reference} cannot be read here, or is empty: set it for this process")
    try:
        return found.decode()
    except UnicodeDecodeError:
        raise OAuth2Refused(f"the {what} {reference} is not UTF-8") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is posted is a secret: it goes where it was addressed to, or nowhere."""

    def redirect_request(self, *_: object) -> None:
        return None


def _post(url: str, form: Mapping[str, str]) -> Mapping[str, object]:
    """The JSON object of a 200. Raises OAuth2Refused, OAuth2Unavailable."""
    opener = _opener(url)
    request = urllib.request.Request(  # noqa: S310  # the scheme is checked by _opener
        url, urllib.parse.urlencode(form).encode(), {"Accept": "application/json"}, method="POST"
    )
    try:
        with opener.open(request, timeout=PATIENCE) as response:
            body = _bounded(response)
    except urllib.error.HTTPError as error:
        raise _refusal(url, error) from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise OAuth2Unavailable(f"{url} cannot be had: {_line(words)}") from error
    answer = _object(body)
    if answer is None:
        raise OAuth2Unavailable(f"{url} answers with something that is not a JSON object: check token_url")
    return answer


def _opener(url: str) -> urllib.request.OpenerDirector:
    """https, or the loopback, which no proxy comes between. Raises OAuth2Refused."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise OAuth2Refused(f"token_url {url} is no URL") from None
    near = _loopback(host)
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and near)):
        raise OAuth2Refused(f"token_url {url} must begin with https://: a secret is sent there")
    handlers = [urllib.request.ProxyHandler({})] if near else []
    return urllib.request.build_opener(_NoRedirect, *handlers)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bounded(response: IO[bytes]) -> bytes:
    """At most MOST octets, within PATIENCE. Raises TimeoutError."""
    deadline, bites = time.monotonic() + PATIENCE, b""
    while len(bites) <= MOST and (bite := response.read1(4096)):  # type: ignore[attr-defined]
        bites += bite
        if time.monotonic() > deadline:
            raise TimeoutError("it does not end its answer")
    return bites[: MOST + 1]


def _refusal(url: str, error: urllib.error.HTTPError) -> OAuth2Error:
    """RFC 6749 5.2: `error` and `error_description`, where the answer has them."""
    try:
        answer = _object(_bounded(error)) or {}
    except (OSError, HTTPException):
        answer = {}
    code = _line(str(answer.get("error", "")))
    words = ": ".join(filter(None, (code, _line(str(answer.get("error_description", ""))))))
    if error.code == 429 or error.code >= 500 or code in _LATER:
        return OAuth2Unavailable(f"{url} gives no token now ({error.code} {words or error.reason})")
    if error.code < 400:
        return OAuth2Refused(f"{url} redirects ({error.code}), which is not followed: correct token_url")
    return OAuth2Refused(f"{url} refuses ({error.code} {words or error.reason}){_advice(code)}")


def _advice(code: str) -> str:
    match code:
        case "invalid_grant":
            return ": renew the refresh token"
        case "invalid_client" | "unauthorized_client":
            return ": check client_id and client_secret"
        case "invalid_scope":
            return ": check scope"
        case _:
            return ""


def _granted(answer: Mapping[str, object], url: str) -> str:
    """RFC 6749 5.1."""
    token, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise OAuth2Refused(f"{url} answers without an access_token that can be used: check token_url")
    if str(kind).lower() != "bearer":
        raise OAuth2Refused(f"{url} gives a token of type {_line(str(kind))}: only Bearer (RFC 6750) can be used")
    return token


def _seconds(answer: Mapping[str, object]) -> float:
    """`expires_in`; some write it as a string."""
    try:
        seconds = float(str(answer.get("expires_in")))
    except ValueError:
        seconds = -1
    return seconds if 0 <= seconds <= LONGEST else UNSAID + EARLY


def _object(body: bytes) -> Mapping[str, object] | None:
    try:
        found = json.loads(body) if len(body) <= MOST else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _line(words: str) -> str:
    """Of a stranger: one line of it, without control characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())[:200]
