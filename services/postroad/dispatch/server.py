"""What an outgoing server's row means: the port it listens at, and whether a password is safe on the way there."""

from ipaddress import ip_address

from postroad_schemas.directory import Security, Smarthost

PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}


def port_of(server: Smarthost) -> int:
    return server.port or PORTS[server.security]


def exposed(server: Smarthost) -> str:
    """Why its password must not be sent: anybody on the way could read it. Empty if it may be."""
    if server.credentials is None or server.security is not Security.NONE or _near(server.host):
        return ""
    return (
        f"server {server.name} has credentials and security none: no password goes in the clear to {server.host}; "
        "set its security to starttls or tls, or remove its credentials"
    )


def _near(host: str) -> bool:
    """The loopback: nobody else is on the way."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
