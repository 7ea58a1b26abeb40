"""What `postroad doctor` finds, and with what it compares."""

from dataclasses import dataclass
from enum import StrEnum

from postroad.dispatch.signing import Signer
from postroad.mail.spf import Address
from postroad.views.directory import Directory
from postroad_schemas.directory import Smarthost


class State(StrEnum):
    OK = "ok"
    NOTE = "note"  # to know; nothing is broken by it
    WRONG = "wrong"
    DOWN = "down"  # it does not answer


@dataclass(frozen=True, slots=True)
class Published:
    """A record as it should stand in DNS."""

    name: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Finding:
    check: str  # spf, dkim, dmarc, mx; of the whole also log, broker, topics, store, ...
    state: State
    words: str
    publish: Published | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """What the answers are compared with."""

    directory: Directory
    relay: Smarthost  # the built-in server
    signer: Signer
    hostname: str = ""  # of our SMTP door, "" where it has no name of its own
    addresses: tuple[Address, ...] = ()  # that the operator says mail comes from
