"""What is known of an address: failures, signs of life, the blacklist."""

from datetime import datetime

import msgspec

from postroad_schemas.event import Event
from postroad_schemas.values import FailureType, Stream


class AddressFailed(Event, frozen=True, kw_only=True, tag="address.failed"):
    """A failure that the receiving side stated (B3)."""

    address: str  # normalised
    notification_id: str
    status: str = ""
    permanent: bool = False
    hard: bool = False
    proven: bool = False
    diagnostic: str = ""
    failure: FailureType = FailureType.REFUSED
    stream: Stream | None = None
    complaint: bool = False  # RFC 5965: blacklists at once for bulk (B5)


class AddressHeardFrom(Event, frozen=True, kw_only=True, tag="address.heard_from"):
    """A normal mail came from it (B3)."""

    address: str
    message_id: str = ""


class AddressBarred(Event, frozen=True, kw_only=True, tag="address.barred"):
    """Blacklisted by hand (B5)."""

    address: str
    by: str = ""
    note: str = ""


class AddressPardoned(Event, frozen=True, kw_only=True, tag="address.pardoned"):
    """Lifted by hand: what came before is forgotten (B5)."""

    address: str
    by: str = ""
    note: str = ""


class AddressLeft(Event, frozen=True, kw_only=True, tag="address.left"):
    """It left a list (O6)."""

    address: str
    list_name: str
    how: str = ""  # "one-click", "mailto", "app"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence."""

    at: datetime
    notification_id: str
    status: str = ""
    diagnostic: str = ""
    hard: bool = False


class AddressBlacklisted(Event, frozen=True, kw_only=True, tag="address.blacklisted"):
    """A row of `suppressions`: bulk mail to this address is skipped (B4, B5)."""

    address: str
    rule: str  # "B4", "B5"
    evidence: tuple[Failure, ...] = ()
    note: str = ""  # for the contact; apps show it
    by: str = ""
    active: bool = True  # False: lifted; a later entry revives the row


class ListLeft(Event, frozen=True, kw_only=True, tag="list.left"):
    """A row of `suppressions`: this address left this list."""

    address: str
    list_name: str
    how: str = ""


class ThreadShut(Event, frozen=True, kw_only=True, tag="thread.shut"):
    """A row of `closed-threads`."""

    thread: str
    reason: str = ""
