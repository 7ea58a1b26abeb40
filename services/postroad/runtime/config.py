"""`postroad.toml`: how this installation runs. What it declares for the directory stands in the same file (D10)."""

import difflib
import os
import re
import tomllib
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec

from postroad_schemas.directory import Credentials, Provider, Security

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the bytes of mails are kept: "file:PATH", "memory:" or a bucket ("s3://...", "gs://...", "az://...")."""

    url: str = "file:var/objects"


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedded log of `postroad up`."""

    path: str = "var/postroad.sqlite"


class Kafka(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cluster of `postroad worker`. Times in seconds."""

    bootstrap: str = ""
    prefix: str = "postroad"  # of consumer groups
    partitions: Count = 8  # of every stream; several installations of one size
    replication: Count = 3
    session: float = 10.0
    rebalance: float = 60.0
    request: float = 60.0
    runner: dict[str, str] = {}  # stage -> "kafka" or "faust", where it is not the default
    instance: str = ""  # a name that outlives a restart, which then moves no partitions (KIP-345); "env:NAME" reads it
    tls: bool = False
    ca_file: str = ""  # PEM; empty: the system's authorities
    certificate: str = ""  # PEM files, where the brokers ask for a client's certificate
    key: str = ""
    sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    username: str = ""  # as it is, or "env:NAME"
    password: str = ""  # by reference: "env:NAME" or "file:PATH"


class Smtp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SMTP door. Port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: Port = 2525
    hostname: str = ""  # in the greeting; empty: the machine's
    tls_port: Port = 0  # TLS from the first octet (RFC 8314); 0: not opened
    proxy: bool = False  # every connection begins with a header of the PROXY protocol: peers are who it names
    certificate: str = ""  # PEM file; with it STARTTLS is offered. Read again when it changes
    key: str = ""
    require_tls: bool = False  # no mail in the clear
    bare_newlines: Literal["refuse", "accept"] = "refuse"  # mails with dots that others may take for their end
    max_connections: Count = 200
    max_connections_per_peer: Count = 50  # one IPv4 address, or a /64 of IPv6
    max_recipients: Count = 100
    max_mails: Count = 1000  # of one connection
    max_commands: Count = 1000  # without a mail that was accepted
    max_errors: Count = 20  # the same
    mails_per_minute: Annotated[int, msgspec.Meta(ge=0)] = 0  # of one peer; 0: any number
    command_timeout: Seconds = 300.0  # RFC 5321 4.5.3.2
    session_time: Seconds = 3600.0
    data_grace: Seconds = 60.0  # after it a message must have come at the least rate
    data_rate: Count = 1000  # octets a second
    in_flight: Count = 2 * 1024**3  # octets being taken in before the door answers 4xx; on disk but for small mails
    spool: str = ""  # folder for large mails while they are taken in; empty: the system's for temporary files


class Lmtp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The LMTP door (RFC 2033), for a mail server beside us. Off unless it has a port or the path of a Unix socket."""

    host: str = "127.0.0.1"
    port: Port = 0
    path: str = ""  # comes before host and port


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider that reports by `POST /webhooks/NAME`. Off unless it is declared."""

    secret: str = ""  # by reference: what its requests bear, or the key that proves their signatures
    topics: tuple[str, ...] = ()  # of Amazon SNS, by ARN: the only ones that are believed


class Http(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP door: `POST /mail`, and the pages for webhooks, leaving lists and linked files. Off without a port."""

    host: str = "127.0.0.1"
    port: Port = 0
    token: str = ""  # what a client of /mail must bear, by reference: "env:NAME" or "file:PATH"
    in_flight: Count = 128 * 1024 * 1024  # octets being taken in before the door answers 503
    body_timeout: float = 300.0  # seconds that a client may take to send a mail
    header_timeout: Seconds = 10.0  # seconds that a client may take to say what it wants
    keep_alive: Seconds = 75.0  # seconds that a connection may be idle between requests
    max_connections: Count = 200
    max_connections_per_peer: Count = 50  # one IPv4 address, or a /64 of IPv6
    forwarded_by: tuple[str, ...] = ()  # addresses or networks of reverse proxies whose X-Forwarded-For is believed
    webhooks: dict[str, Webhook] = {}  # by provider


class Mailboxes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The polling of incoming mailboxes (D8). Of several ingest processes only one may have it enabled."""

    enabled: bool = True
    folder: str = "var/mailboxes"  # where it is kept what was taken from each


class Relay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The built-in outgoing server, used while none is declared (O5)."""

    host: str = "localhost"
    port: Port = 25
    security: Security = Security.NONE
    verify: bool = True
    ca_file: str = ""
    credentials: Credentials | None = None
    provider: Provider | None = None


class Metrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a process answers /metrics, /healthz and /readyz. Port 0: nowhere.

    Without a port `up` takes 9464 and each worker the next one of its own, if it is free; a port that is written down
    must be had.
    """

    host: str = "127.0.0.1"
    port: Port | None = None


class Logs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a process says on standard error, in JSON lines. Not the embedded log: that is `Log`."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    addresses: Literal["redacted", "clear"] = "redacted"  # redacted: a hash stands for what is left of the @
    decisions: bool = True  # a line for each, at INFO


class Traces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where spans go by OTLP over HTTP. Off without an endpoint; needs the extra `otel`."""

    endpoint: str = ""  # "http://collector:4318/v1/traces"
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0  # of traces; each of them whole


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    store: Store = Store()
    log: Log = Log()
    kafka: Kafka = Kafka()
    smtp: Smtp = Smtp()
    lmtp: Lmtp = Lmtp()
    http: Http = Http()
    mailboxes: Mailboxes = Mailboxes()
    relay: Relay = Relay()
    metrics: Metrics = Metrics()
    logs: Logs = Logs()
    traces: Traces = Traces()
    trusted_authserv: tuple[str, ...] = ()  # whose Authentication-Results are believed (I7)


DIRECTORY_TABLES = (
    *("parameters", "domain", "alias", "smarthost", "mailbox", "contact", "signing_key", "dkim_key"),
    "remove",
)


class ConfigError(ValueError):
    """The file cannot be used; the message says where and what to write instead."""


def load(path: Path) -> tuple[Config, dict[str, Any]]:
    """The settings, and the directory's part as it stands. Raises ConfigError."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise ConfigError(f"{path}: not TOML: {error}") from error
    declared = {name: document.pop(name) for name in DIRECTORY_TABLES if name in document}
    try:
        return msgspec.convert(document, Config), declared
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, (*Config.__struct_fields__, *DIRECTORY_TABLES))}") from error


def explain(error: msgspec.ValidationError, known: tuple[str, ...]) -> str:
    """A validation error in one line, with the nearest known key for an unknown one."""
    unknown = re.search(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?", str(error))
    if not unknown:
        words, _, place = str(error).partition(" - at `$.")
        place = place.rstrip("`")
        choices = _choices_at(place) if words.startswith("Invalid enum value") else ""
        return f"{place}: {words}{choices}" if place else words
    names = _fields_at(unknown[2] or "") or known
    near = difflib.get_close_matches(unknown[1], names, 1)
    place = f" in [{unknown[2]}]" if unknown[2] else ""
    return f"unknown key {unknown[1]!r}{place}" + (
        f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
    )


def _fields_at(place: str) -> tuple[str, ...]:
    if place == "http.webhooks[...]":
        return Webhook.__struct_fields__
    kind = getattr(Config(), place.split(".")[0], None)
    return kind.__struct_fields__ if isinstance(kind, msgspec.Struct) else ()


def _choices_at(place: str) -> str:
    """What a setting of few values may be."""
    section, _, key = place.partition(".")
    kind = getattr(Config(), section, None)
    meant = get_type_hints(type(kind)).get(key)
    choices = list(meant) if isinstance(meant, type) and issubclass(meant, Enum) else get_args(meant)
    return f"; it is one of {', '.join(str(each) for each in choices if each)}" if choices else ""


def secret(reference: str) -> bytes | None:
    """What "env:NAME" or "file:PATH" stands for; None if it cannot be had. White space around it does not count."""
    kind, _, name = reference.partition(":")
    try:
        match kind:
            case "env":
                return os.environb[name.encode()].strip()
            case "file":
                return Path(name).read_bytes().strip()
            case _:
                return None
    except (KeyError, OSError, ValueError):  # ValueError: a NUL in the name
        return None
