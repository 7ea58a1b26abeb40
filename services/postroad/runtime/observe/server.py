"""`/metrics`, `/healthz`, `/readyz` from a thread: they answer while the event loop is blocked, and say that it is."""

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from prometheus_client import CollectorRegistry

from postroad.runtime.observe.exposition import exposed, registry
from postroad.runtime.observe.health import Health

CLIENT_SECONDS = 5.0  # that a client may take


class Server:
    """Listens from `start` to `stop`; `port` is the one really taken."""

    def __init__(self, host: str, port: int, health: Health) -> None:
        """Raises OSError when it cannot be listened on."""
        self._server = _Server(host, port, health, registry())
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(CLIENT_SECONDS)


class _Server(ThreadingTCPServer):
    """Not the library's HTTP server: that one asks the DNS for its own name before it listens."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, health: Health, figures: CollectorRegistry) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.health, self.figures = health, figures
        super().__init__((host, port), _Answers)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Answers(BaseHTTPRequestHandler):
    timeout = CLIENT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """The three pages; everything else is not found."""
        health = self.server.health
        match self.path.partition("?")[0]:
            case "/metrics":
                body, media_type = exposed(self.server.figures, self.headers.get("Accept", ""))
                self._say(HTTPStatus.OK, body, media_type)
            case "/healthz":
                words = "alive" if health.alive else f"the event loop has stood still for {health.silent():.0f} s"
                self._judge(health.alive, words)
            case "/readyz":
                missing = health.missing
                self._judge(not missing, "\n".join(missing) or "ready")
            case _:
                self._say(HTTPStatus.NOT_FOUND, b"/metrics, /healthz, /readyz\n")

    do_HEAD = do_GET  # noqa: N815

    def _judge(self, good: bool, words: str) -> None:
        self._say(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, f"{words}\n".encode())

    def _say(self, status: HTTPStatus, body: bytes, media_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Scrapes are no news."""
