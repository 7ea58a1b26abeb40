"""`postroad.toml`: how this installation runs. What it declares for the directory stands in the same file (D10)."""

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from postroad_schemas.directory import Credentials, Security

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]


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


class Smtp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SMTP door. Port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: Port = 2525
    hostname: str = ""  # in the greeting; empty: the machine's
    max_recipients: Count = 100
    max_connections: Count = 200
    command_timeout: float = 300.0  # seconds, RFC 5321 4.5.3.2
    in_flight: Count = 256 * 1024 * 1024  # octets being taken in before the door answers 4xx
    certificate: str = ""  # PEM file; with it STARTTLS is offered
    key: str = ""


class Relay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The built-in outgoing server, used while none is declared (O5)."""

    host: str = "localhost"
    port: Port = 25
    security: Security = Security.NONE
    verify: bool = True
    ca_file: str = ""
    credentials: Credentials | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    store: Store = Store()
    log: Log = Log()
    kafka: Kafka = Kafka()
    smtp: Smtp = Smtp()
    relay: Relay = Relay()
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
        return f"{place.rstrip('`')}: {words}" if place else words
    names = _fields_at(unknown[2] or "") or known
    near = difflib.get_close_matches(unknown[1], names, 1)
    place = f" in [{unknown[2]}]" if unknown[2] else ""
    return f"unknown key {unknown[1]!r}{place}" + (
        f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
    )


def _fields_at(place: str) -> tuple[str, ...]:
    kinds: dict[str, type[msgspec.Struct]] = {"store": Store, "log": Log, "kafka": Kafka, "smtp": Smtp, "relay": Relay}
    kind = kinds.get(place.split(".")[0])
    return kind.__struct_fields__ if kind else ()


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
