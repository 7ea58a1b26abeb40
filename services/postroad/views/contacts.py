"""The people that apps know, by id and by address."""

from collections.abc import Collection
from datetime import UTC, datetime

from postroad.mail.address import normalise
from postroad_schemas.directory import Contact, ContactKind

_NO_DATE = datetime.max.replace(tzinfo=UTC)


class Contacts:
    """A view of `contacts`. Addresses are compared normalised."""

    def __init__(self) -> None:
        self._by_id: dict[str, Contact] = {}
        self._by_address: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def apply(self, key: str, row: Contact | None) -> None:
        former = self._by_id.pop(key, None)
        if former is not None:
            for address in map(normalise, former.addresses):
                left = tuple(i for i in self._by_address.get(address, ()) if i != key)
                if left:
                    self._by_address[address] = left
                else:
                    self._by_address.pop(address, None)
        if row is not None:
            self._by_id[key] = row
            for address in dict.fromkeys(map(normalise, row.addresses)):
                self._by_address[address] = (*self._by_address.get(address, ()), key)

    def get(self, contact_id: str) -> Contact | None:
        return self._by_id.get(contact_id)

    def with_address(self, address: str) -> tuple[Contact, ...]:
        """All contacts with this address, the active first, of these internal ones, then the oldest (R15)."""
        ids = self._by_address.get(address)
        if not ids:
            return ()
        found = (self._by_id[contact_id] for contact_id in ids)
        return tuple(sorted(found, key=_place))

    def known(self, address: str) -> bool:
        """R12: an active contact has this address."""
        return any(contact.active for contact in self.with_address(address))

    def shown_as(self, address: str, followers: Collection[str] = ()) -> Contact | None:
        """R15: the contact under which a mail from this address is shown: a follower first."""
        found = self.with_address(address)
        return next((c for c in found if c.contact_id in followers), found[0] if found else None)


def _place(contact: Contact) -> tuple[bool, bool, datetime, str]:
    return (
        not contact.active,
        contact.kind != ContactKind.INTERNAL,
        contact.created_at or _NO_DATE,
        contact.contact_id,
    )
