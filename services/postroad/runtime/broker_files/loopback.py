"""What can be learned of a node over the loopback: whether its ports are free, and which brokers it knows."""

import contextlib
import itertools
import os
import socket
import struct

from postroad.runtime.broker_files import BrokerError

HOST = "127.0.0.1"
METADATA = 3
CONTROLLERS_APART = 101  # a node's controller listens that many ports above its broker
QUIET = range(20_000, 32_000)  # no system gives these to outgoing connections (RFC 6335 6; Linux begins at 32,768)
_following = itertools.count(os.getpid() * 997)  # two processes begin apart


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, and that stay free until a server begins (or begins again) on them. Raises BrokerError."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for number in itertools.islice(_following, len(QUIET)):
            if len(found) == count:
                return found
            port = QUIET[number % len(QUIET)]
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server((HOST, port)))
                found.append(port)
    raise BrokerError(f"no {count} ports are free from {QUIET[0]} to {QUIET[-1]}: give one with --port")


def ports_for(first: int, nodes: int) -> list[tuple[int, int]]:
    """Broker's and controller's port of each node; `first` 0 picks free ones."""
    if first == 0:
        numbers = free_ports(2 * nodes)
        return list(zip(numbers[:nodes], numbers[nodes:], strict=True))

    last = 65535 - CONTROLLERS_APART - nodes
    if not 1 <= first <= last:
        raise BrokerError(f"the port must be 1 to {last}, or 0 for any free ones, not {first}")
    ports = [(port, port + CONTROLLERS_APART) for port in range(first, first + nodes)]
    for port in (port for pair in ports for port in pair):
        require_free(port)
    return ports


def require_free(port: int) -> None:
    """Raises BrokerError where another program listens."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise BrokerError(
            f"port {port} cannot be used ({error.strerror}): end the program that has it, "
            "or lay the broker out on others, with --fresh --port 0 for any free ones"
        ) from None


def brokers_listed(port: int, patience: float = 2.0) -> frozenset[int]:
    """The node ids in the Metadata reply (version 1) of the broker at this port; empty where none comes in time.

    An open port proves nothing: a node listens before it has joined the cluster.
    """
    request = struct.pack(">hhih2si", METADATA, 1, 1, 2, b"pr", 0)
    try:
        with socket.create_connection((HOST, port), patience) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            (length,) = struct.unpack(">i", _exactly(connection, 4))
            return _node_ids(_exactly(connection, length))
    except (OSError, struct.error):
        return frozenset()


def _node_ids(reply: bytes) -> frozenset[int]:
    """Correlation id, then an array of (node id, host, port, nullable rack)."""
    (count,) = struct.unpack_from(">i", reply, 4)
    at = 8
    found = set()
    for _ in range(count):
        number, host_length = struct.unpack_from(">ih", reply, at)
        at += 6 + host_length + 4
        (rack_length,) = struct.unpack_from(">h", reply, at)
        at += 2 + max(0, rack_length)
        found.add(number)
    return frozenset(found)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        if not (chunk := connection.recv(length - len(received))):
            raise ConnectionResetError
        received += chunk
    return received
