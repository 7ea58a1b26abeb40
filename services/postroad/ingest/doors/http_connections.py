"""Connections of the HTTP door: how many, how slow, and who stands behind a proxy (I5's limits)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from aiohttp import web

from postroad.ingest.doors.limits import Peers, network
from postroad.ingest.doors.pages.answers import RETRY_AFTER, Refused
from postroad.runtime.config import ConfigError, Http

Network: TypeAlias = IPv4Network | IPv6Network
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FULL = f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER}\r\n".encode()
_SLOW = b"HTTP/1.1 408 Request Timeout\r\n"
_END = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
_PEER = web.RequestKey("peer", str)


class Connections:
    """Makes the protocol of each connection, and counts them. Raises ConfigError for networks that are none."""

    def __init__(self, settings: Http, serve: Callable[[], asyncio.Protocol]) -> None:
        self.header_timeout = settings.header_timeout
        self._proxies = proxies(settings.forwarded_by)
        self._serve = serve
        self._peers = Peers(settings.max_connections, settings.max_connections_per_peer, 0)
        self._forwarded = Peers(settings.max_connections, settings.max_connections_per_peer, 0)

    def __call__(self) -> "Connection":
        return Connection(self, self._serve())

    def enter(self, connection: "Connection", peer: str) -> str | None:
        """The name under which it counts; None if there is no room. A proxy's connections are those of many peers."""
        name = f"{peer} {id(connection)}" if self._is_proxy(peer) else network(peer)
        return name if self._peers.enter(name) is None else None

    def leave(self, name: str) -> None:
        self._peers.leave(name)

    @web.middleware
    async def limited(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        """Each request, with its peer; of those behind a proxy only so many at once. Raises Refused."""
        request[_PEER] = remote = request.remote or ""
        with occupied(request):
            if not self._is_proxy(remote):
                return await handler(request)
            request[_PEER] = peer = forwarded_for(request.headers.getall("X-Forwarded-For", []), self._proxies, remote)
            name = network(peer)
            if self._forwarded.enter(name) is not None:
                raise Refused(429, "too many requests of yours at once", {"Retry-After": str(RETRY_AFTER)})
            try:
                return await handler(request)
            finally:
                self._forwarded.leave(name)

    def _is_proxy(self, peer: str) -> bool:
        return _within(peer, self._proxies)


class Connection(asyncio.Protocol):
    """In front of the library's own: lets it in or not, and cuts a client that takes too long to say what it wants."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._name: str | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._requests = 0  # being answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername") or ("",)
        self._name = self._connections.enter(self, str(peer[0]))
        if self._name is None:
            transport.write(_FULL + _END)
            transport.close()
            return
        self._transport = transport
        self._inner.connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._name is None:
            return
        if not self._requests and self._timer is None:  # the next request begins
            self._wait()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._name is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        if self._name is not None:
            self._connections.leave(self._name)
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def begin(self) -> None:
        """A header is complete."""
        self._requests += 1
        self._wait_no_more()

    def end(self) -> None:
        self._requests -= 1

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._connections.header_timeout, self._cut)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        self._timer = None
        if self._transport is not None:
            self._transport.write(_SLOW + _END)
            self._transport.close()


class Site(web.BaseSite):
    """Listens, with these connections. The runner stops it."""

    def __init__(self, runner: web.AppRunner, connections: Connections, host: str, port: int) -> None:
        super().__init__(runner)
        self._connections, self._host, self._port = connections, host, port

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connections, self._host, self._port, backlog=self._backlog)


@contextmanager
def occupied(request: web.Request) -> Iterator[None]:
    """While a request is answered, nobody is slow to say what it wants."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    if not isinstance(protocol, Connection):  # it is gone already
        yield
        return
    protocol.begin()
    try:
        yield
    finally:
        protocol.end()


def peer_of(request: web.Request) -> str:
    """Whose request it is: who connected, or whom a proxy of ours names."""
    peer: str = request.get(_PEER, request.remote or "")
    return peer


def forwarded_for(fields: list[str], trusted: tuple[Network, ...], remote: str) -> str:
    """The last hop that is none of our proxies. What stands left of it anybody may have written."""
    hop = remote
    for entry in reversed(",".join(fields).split(",")):
        bare = _bare(entry.strip())
        if not bare:
            return hop
        hop = bare
        if not _within(hop, trusted):
            return hop
    return hop


def proxies(names: tuple[str, ...]) -> tuple[Network, ...]:
    """Raises ConfigError."""
    try:
        return tuple(ip_network(name) for name in names)
    except ValueError as error:
        raise ConfigError(f"[http] forwarded_by: {error}: write addresses or networks, such as 10.0.0.0/8") from error


def _within(peer: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return False
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in known for known in networks)


def _bare(entry: str) -> str:
    """An address of X-Forwarded-For, with or without a port; empty if it is none."""
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(ip_address(entry))
    except ValueError:
        return ""
