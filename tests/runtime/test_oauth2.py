"""Access tokens for logins (RFC 6749 6): given once, kept until they end, and one clear line where there is none."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postroad.runtime import oauth2
from postroad.runtime.oauth2 import (
    AccessTokens,
    OAuth2Error,
    OAuth2Refused,
    OAuth2Unavailable,
    access_token,
    xoauth2,
)
from postroad_schemas.directory import Credentials, OAuth2
from tests.support.token_endpoint import TokenEndpoint, token_endpoint

SECRETS = {"env:REFRESH": b"refresh-1", "env:CLIENT": b"c&=secret", "env:EMPTY": b"", "env:LATIN": b"\xe4"}


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as running:
        yield running


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def credentials(endpoint: TokenEndpoint, secret: str = "env:REFRESH", **fields: Any) -> Credentials:
    made = OAuth2(**{"token_url": endpoint.url, "client_id": "postroad", **fields})
    return Credentials(username="office", secret=secret, oauth2=made)


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        pytest.param({}, {}, id="a public client"),
        pytest.param({"client_secret": "env:CLIENT"}, {"client_secret": "c&=secret"}, id="with its secret"),
        pytest.param(
            {"scope": "https://mail.example/ offline"}, {"scope": "https://mail.example/ offline"}, id="scope"
        ),
    ],
)
def test_what_is_asked(endpoint: TokenEndpoint, fields: dict[str, str], form: dict[str, str]) -> None:
    assert access_token(credentials(endpoint, **fields), SECRETS.get) == "token-1"
    assert endpoint.forms == [
        {"grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": "postroad", **form}
    ]


@pytest.mark.parametrize(
    ("expires_in", "later", "asked"),
    [
        pytest.param(3600, 3539, 1, id="61 seconds before its end it counts"),
        pytest.param(3600, 3540, 2, id="60 seconds before its end it does not"),
        pytest.param("3600", 3539, 1, id="a number in quotes"),
        pytest.param(30, 0, 2, id="ends at once: for one login each"),
        pytest.param(None, 299, 1, id="not said: five minutes"),
        pytest.param(None, 300, 2, id="not said: no longer"),
        pytest.param(float("nan"), 300, 2, id="no number"),
        pytest.param(-1, 299, 1, id="no sense"),
        pytest.param("soon", 300, 2, id="words"),
    ],
)
def test_kept_until_it_ends(endpoint: TokenEndpoint, expires_in: object, later: float, asked: int) -> None:
    clock, endpoint.expires_in = Clock(), expires_in
    tokens, asking = AccessTokens(clock), credentials(endpoint)
    assert tokens.token(asking, SECRETS.get) == "token-1"
    clock.now += later
    assert tokens.token(asking, SECRETS.get) == f"token-{asked}"
    assert len(endpoint.forms) == asked


def test_refused_by_the_server_another_is_asked_for(endpoint: TokenEndpoint) -> None:
    tokens, asking = AccessTokens(), credentials(endpoint)
    assert [tokens.token(asking, SECRETS.get, fresh) for fresh in (False, True, False)] == [
        "token-1",
        "token-2",
        "token-2",
    ]


def test_each_credential_has_its_own(endpoint: TokenEndpoint) -> None:
    tokens = AccessTokens()
    one, other = credentials(endpoint), credentials(endpoint, scope="other")
    assert [tokens.token(it, SECRETS.get) for it in (one, other, one)] == ["token-1", "token-2", "token-1"]


def test_a_new_refresh_token_takes_the_place(endpoint: TokenEndpoint, caplog: pytest.LogCaptureFixture) -> None:
    """It is used from memory, and the log says whose reference is to be renewed, without the token."""
    renewed = {"access_token": "a", "token_type": "bearer", "expires_in": 3600, "refresh_token": "refresh-2"}
    endpoint.answers.append((200, json.dumps(renewed).encode()))
    tokens, asking = AccessTokens(), credentials(endpoint)
    with caplog.at_level(logging.WARNING):
        assert tokens.token(asking, SECRETS.get) == "a"
    assert "renew what env:REFRESH stands for" in caplog.text
    assert "refresh-2" not in caplog.text
    tokens.token(asking, SECRETS.get, fresh=True)
    endpoint.answers.append((400, b'{"error": "invalid_grant"}'))
    with pytest.raises(OAuth2Refused):
        tokens.token(asking, SECRETS.get, fresh=True)
    tokens.token(asking, SECRETS.get)
    assert [form["refresh_token"] for form in endpoint.forms] == ["refresh-1", "refresh-2", "refresh-2", "refresh-1"]


def test_a_reference_that_was_renewed_counts_at_once(endpoint: TokenEndpoint) -> None:
    tokens, asking = AccessTokens(), credentials(endpoint)
    tokens.token(asking, SECRETS.get)
    tokens.token(asking, lambda _: b"refresh-9")
    assert [form["refresh_token"] for form in endpoint.forms] == ["refresh-1", "refresh-9"]


def test_many_threads_ask_once(endpoint: TokenEndpoint) -> None:
    endpoint.delay = 0.1
    tokens, asking, got = AccessTokens(), credentials(endpoint), list[str]()
    threads = [threading.Thread(target=lambda: got.append(tokens.token(asking, SECRETS.get))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == ["token-1"] * 8
    assert len(endpoint.forms) == 1


REFUSED, LATER = OAuth2Refused, OAuth2Unavailable


@pytest.mark.parametrize(
    ("code", "body", "kind", "words"),
    [
        pytest.param(
            400,
            b'{"error": "invalid_grant", "error_description": "Token has been\\n\\u001b revoked."}',
            *(REFUSED, "(400 invalid_grant: Token has been revoked.): renew the refresh token"),
            id="5.2: the refresh token is no longer one",
        ),
        pytest.param(401, b'{"error": "invalid_client"}', REFUSED, "check client_id", id="5.2: not our client"),
        pytest.param(400, b'{"error": "invalid_scope"}', REFUSED, "check scope", id="5.2: scope"),
        pytest.param(400, b"what", REFUSED, "(400 Bad Request)", id="a refusal without JSON"),
        pytest.param(400, b'["invalid_grant"]', REFUSED, "(400 Bad Request)", id="a refusal that is no object"),
        pytest.param(503, b"<html>", LATER, "(503 Service Unavailable)", id="503"),
        pytest.param(429, b"{}", LATER, "no token now (429", id="too many requests"),
        pytest.param(400, b'{"error": "temporarily_unavailable"}', LATER, "no token now", id="for now"),
        pytest.param(302, b"", REFUSED, "redirects (302)", id="a redirect is not followed"),
        pytest.param(200, b"<html>", LATER, "not a JSON object", id="a page instead"),
        pytest.param(200, b"[" * 60_000, LATER, "not a JSON object", id="nested beyond reason"),
        pytest.param(200, b'{"x": "' + b"x" * 70_000 + b'"}', LATER, "not a JSON object", id="too large"),
        pytest.param(200, b'{"token_type": "bearer"}', REFUSED, "without an access_token", id="no token"),
        pytest.param(200, b'{"access_token": "a\\u0001b"}', REFUSED, "without an access_token", id="an unfit token"),
        pytest.param(200, b'{"access_token": "a", "token_type": "mac"}', REFUSED, "type mac", id="another type"),
    ],
)
def test_where_there_is_none(
    endpoint: TokenEndpoint, code: int, body: bytes, kind: type[OAuth2Error], words: str
) -> None:
    endpoint.answers.append((code, body))
    endpoint.headers = {"Location": endpoint.url} if code == 302 else {}
    with pytest.raises(kind) as raised:
        AccessTokens().token(credentials(endpoint, client_secret="env:CLIENT"), SECRETS.get)
    said = str(raised.value)
    assert said.startswith(endpoint.url)
    assert words in said
    assert said.isprintable()
    assert "refresh-1" not in said
    assert "c&=secret" not in said
    assert len(endpoint.forms) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"token_url": "http://login.example/token"}, "must begin with https://", id="in the clear"),
        pytest.param({"token_url": "http://127.0.0.1.login.example/"}, "must begin with https://", id="like loopback"),
        pytest.param({"token_url": "file:///etc/passwd"}, "must begin with https://", id="no web address"),
        pytest.param({"token_url": "https://[::1"}, "is no URL", id="no URL"),
        pytest.param({"secret": "env:NONE"}, "the refresh token env:NONE cannot be read here", id="no refresh token"),
        pytest.param({"secret": "env:EMPTY"}, "env:EMPTY cannot be read here, or is empty", id="an empty one"),
        pytest.param({"secret": "env:LATIN"}, "env:LATIN is not UTF-8", id="not text"),
        pytest.param({"client_secret": "env:NONE"}, "the client secret env:NONE cannot be", id="no client secret"),
    ],
)
def test_settings_that_cannot_be_used(endpoint: TokenEndpoint, fields: dict[str, str], words: str) -> None:
    with pytest.raises(OAuth2Refused, match=words.replace("(", r"\(")):
        AccessTokens().token(credentials(endpoint, **fields), SECRETS.get)
    assert endpoint.forms == []


def test_without_oauth2_there_is_no_token() -> None:
    with pytest.raises(OAuth2Refused, match="no oauth2"):
        access_token(Credentials(username="office", secret="env:REFRESH"), SECRETS.get)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    with pytest.raises(OAuth2Unavailable, match="Connection refused"):
        AccessTokens().token(credentials(TokenEndpoint(url)), SECRETS.get)


def never(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def drop_by_drop(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200):
        connection.sendall(b" ")
        time.sleep(0.1)


@pytest.mark.parametrize("serve", [never, drop_by_drop])
def test_no_endpoint_is_waited_for_for_ever(
    serve: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth2, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=lambda: _suppressed(answer), daemon=True)
        thread.start()
        url, started = f"http://127.0.0.1:{server.getsockname()[1]}/", time.monotonic()
        with pytest.raises(OAuth2Unavailable, match="cannot be had"):
            AccessTokens().token(credentials(TokenEndpoint(url)), SECRETS.get)
        assert time.monotonic() - started < 60
        thread.join(60)


def _suppressed(call: Callable[[], None]) -> None:
    try:
        call()
    except OSError:
        return


def test_no_proxy_stands_before_the_loopback(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said in the clear does not leave this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert AccessTokens().token(credentials(endpoint), SECRETS.get) == "token-1"


def test_xoauth2() -> None:
    assert xoauth2("office@example.com", "abc") == "user=office@example.com\x01auth=Bearer abc\x01\x01"
