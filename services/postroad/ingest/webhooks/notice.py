"""What a provider tells of one message and one recipient: what every provider's file makes of its events."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from postroad_schemas.values import FailureType


class Malformed(ValueError):  # noqa: N818  # an answer, not a fault
    """A body that is not what its provider documents; says in one line what is wrong."""


class Kind(StrEnum):
    FAILED = "failed"  # for good: no further attempt is made
    DELAYED = "delayed"
    DELIVERED = "delivered"
    COMPLAINED = "complained"  # RFC 5965
    LEFT = "left"  # unsubscribed (O6)
    IGNORED = "ignored"  # opens, clicks, steps on the way


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a provider's own class of failure says (P6), where no status (RFC 3463) and no reply says it better."""

    permanent: bool = False
    hard: bool = False
    status: str = ""
    failure: FailureType = FailureType.REFUSED
    kind: Kind = Kind.FAILED  # some classes are no failure at all
    unclear: bool = False  # the words decide


NO_MAILBOX = Meaning(permanent=True, hard=True, status="5.1.1")
NO_HOST = Meaning(permanent=True, hard=True, status="5.1.2")
BAD_ADDRESS = Meaning(permanent=True, hard=True, status="5.1.3")
MOVED = Meaning(permanent=True, hard=True, status="5.1.6")
DISABLED = Meaning(permanent=True, hard=True, status="5.2.1")
FULL = Meaning(status="4.2.2")
TOO_LARGE = Meaning(permanent=True, status="5.3.4")
BLOCKED = Meaning(permanent=True, status="5.7.1")
CONTENT = Meaning(permanent=True, status="5.6.0")
SOFT = Meaning(status="4.0.0")
UNCLEAR = Meaning(unclear=True)
EXPIRED = Meaning(status="4.4.7", failure=FailureType.CONNECTION)
UNREACHED = Meaning(status="4.4.1", failure=FailureType.CONNECTION)
# What the provider decided before it tried: the receiving side said nothing (B3).
SUPPRESSED = Meaning(failure=FailureType.BLACKLISTED)
OPTED_OUT = Meaning(failure=FailureType.OPTED_OUT)
NOT_TRIED = Meaning(failure=FailureType.CONFIGURATION)
INVALID = Meaning(failure=FailureType.ADDRESS_INVALID)
DELAY = Meaning(kind=Kind.DELAYED)
COMPLAINT = Meaning(kind=Kind.COMPLAINED)
LEAVE = Meaning(kind=Kind.LEFT)
NO_FAILURE = Meaning(kind=Kind.IGNORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event of a provider. Whatever it does not say is empty."""

    kind: Kind
    event: str  # tells it from every other event of this provider; a repeat has the same
    recipient: str
    at: datetime | None = None
    message_id: str = ""  # ours
    return_path: str = ""  # MAIL FROM as we gave it
    token: str = ""  # that of the return path, as `mail.provider` had it told
    provider_message: str = ""  # the provider's own name of the message
    meaning: Meaning = UNCLEAR
    status: str = ""  # RFC 3463
    diagnostic: str = ""
    feedback_type: str = ""  # RFC 5965 7.3
    mta: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """An event of which nothing follows. `why` is "ignored", "unknown" or "unreadable"; `what` is its kind."""

    why: str
    what: str


Told = Notice | Passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One request of a provider, or of somebody who says so."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    path_secret: str = ""  # what stands behind the provider's name in the path
    at: datetime
    certificate: bytes = b""  # PEM, of the address that the provider's file asked for


@dataclass(frozen=True, slots=True)
class Trust:
    """What the settings say of a provider."""

    secret: bytes = b""
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """`parse` raises Malformed; `verify` is false for whatever does not prove to be the provider's.

    `signed`: the proof is over the body; else it is a secret in header or path, looked at before the body is read.
    `certificate` names the address of the certificate that `verify` needs, `confirmation` one to be asked for once,
    when the provider wants to know whether we are there; both raise Malformed, and are empty where nothing is to fetch.
    """

    parse: Callable[[bytes], Iterable[Told]]
    verify: Callable[[Posted, Trust], bool]
    signed: bool = False
    certificate: Callable[[bytes, Trust], str] | None = None
    confirmation: Callable[[bytes], str] | None = None


def kind_of(name: str, kinds: Mapping[str, Kind]) -> Kind | Passed:
    """The kind of an event by its provider's word for it, or why nothing follows of it."""
    kind = kinds.get(name)
    if kind is None:
        return Passed("unknown", name[:100])
    return Passed("ignored", name) if kind is Kind.IGNORED else kind
