"""What cores may look at beside their own state: tables that others write, as of now.

Views are outside a step's transaction, so a decision that used one is kept, not made again.
"""

from collections.abc import Callable
from typing import Any

from postroad.mail.message_id import Keyring
from postroad.views.contacts import Contacts
from postroad.views.directory import Directory
from postroad_schemas.address import AddressBlacklisted, ListLeft, ThreadShut
from postroad_schemas.directory import KeyState, SigningKey

TABLES = ("directory", "contacts", "closed-threads", "suppressions")


class Views:
    """The tables that decisions look at. `secret` resolves "env:NAME" and "file:PATH"; None: it cannot be had."""

    def __init__(self, secret: Callable[[str], bytes | None] | None = None) -> None:
        self.directory = Directory()
        self.contacts = Contacts()
        self.closed: set[str] = set()
        self.blacklisted: dict[str, AddressBlacklisted] = {}
        self.lists_left: set[tuple[str, str]] = set()  # (address, list)
        self.keys = Keyring()
        self._secret = secret or (lambda _: None)

    def apply(self, table: str, key: str, row: Any) -> None:
        """Takes a row of a table, or its end (None). Rows of other tables are passed over."""
        match table:
            case "directory":
                self.directory.apply(key, row)
                if key.startswith("signing_key/"):
                    self.keys = self._keyring()
            case "contacts":
                self.contacts.apply(key, row)
            case "closed-threads":
                self.closed.add(key) if isinstance(row, ThreadShut) else self.closed.discard(key)
            case "suppressions":
                self._suppress(key, row)

    def _suppress(self, key: str, row: Any) -> None:
        address, _, list_name = key.partition(" ")
        match row:
            case AddressBlacklisted(active=True):
                self.blacklisted[address] = row
            case ListLeft():
                self.lists_left.add((address, row.list_name))
            case _ if list_name:
                self.lists_left.discard((address, list_name))
            case _:
                self.blacklisted.pop(address, None)

    def _keyring(self) -> Keyring:
        rows = [row for row in self.directory.rows("signing_key") if isinstance(row, SigningKey)]
        keys = {
            row.key_id: secret
            for row in rows
            if row.state != KeyState.RETIRED and (secret := self._secret(row.secret)) is not None
        }
        minting = [row.key_id for row in rows if row.state == KeyState.CURRENT and row.key_id in keys]
        return Keyring(current=min(minting) if minting else "", keys=keys)
