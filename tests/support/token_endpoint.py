"""A token endpoint (RFC 6749 6) on the loopback, which gives a new access token for each refresh.

Mail servers can ask it whether a token is one (RFC 7662), at `introspection`.

with token_endpoint() as endpoint:
    oauth2 = OAuth2(token_url=endpoint.url, client_id="postroad")
    endpoint.answers.append((400, b'{"error": "invalid_grant"}'))  # instead of the next token
    endpoint.valid.clear()                                         # what was given is no longer one
    ...
    assert endpoint.forms[0]["refresh_token"] == "..."
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl


@dataclass
class TokenEndpoint:
    """Running. Its n-th token is "token-n"."""

    url: str = ""
    introspection: str = ""
    username: str = ""  # whose tokens they are
    valid: set[str] = field(default_factory=set)
    forms: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    expires_in: object = 3600
    delay: float = 0.0  # seconds before each answer
    given: list[str] = field(default_factory=list)

    def answer(self, form: dict[str, str]) -> tuple[int, bytes]:
        self.forms.append(form)
        if self.answers:
            return self.answers.pop(0)
        self.given.append(f"token-{len(self.given) + 1}")
        self.valid.add(self.given[-1])
        made = {"access_token": self.given[-1], "token_type": "Bearer", "expires_in": self.expires_in}
        return 200, json.dumps(made).encode()

    def introspect(self, form: dict[str, str]) -> tuple[int, bytes]:
        active = form.get("token", "") in self.valid
        return 200, json.dumps({"active": active, "username": self.username} if active else {"active": False}).encode()


@contextlib.contextmanager
def token_endpoint() -> Iterator[TokenEndpoint]:
    made = TokenEndpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}/token"
    made.introspection = f"http://127.0.0.1:{server.server_port}/introspection"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


def _handler(made: TokenEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = made.introspect if self.path == "/introspection" else made.answer
            code, content = answer(dict(parse_qsl(body)))
            time.sleep(made.delay)
            with contextlib.suppress(ConnectionError):  # who asked may have gone
                self.send_response(code)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(content)),
                    **made.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Tests say enough."""

    return Handler
