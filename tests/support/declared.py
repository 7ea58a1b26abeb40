"""Views and tools for tests, from what a file would declare."""

from datetime import UTC, datetime
from typing import Any

from postroad.runtime.config import Config
from postroad.runtime.objects import open_store
from postroad.runtime.worker import Publish, Tools
from postroad.views import Views
from postroad.views.declared import declared
from postroad_schemas.directory import KeyState, SigningKey, row_key

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
EXAMPLE: dict[str, Any] = {
    "domain": [{"name": "example.com", "company": "Example", "default": True}],
    "alias": [{"address": "sales@example.com", "record_type": "crm.lead"}],
}


def views(document: dict[str, Any] = EXAMPLE) -> Views:
    """Views in which everything of the document stands, and a signing key."""
    made = Views(secret=lambda _: b"a key of the tests, long enough to sign with")
    found = declared(document)
    key = SigningKey(key_id="a", secret="env:TEST", state=KeyState.CURRENT)
    for row in (*found.rows, key):
        made.apply("directory", row_key(row), row)
    for contact in found.contacts:
        made.apply("contacts", contact.contact_id, contact)
    return made


def tools(publish: Publish, document: dict[str, Any] = EXAMPLE, config: Config | None = None) -> Tools:
    """What a runner would give to a door: a store in memory, the clock standing still."""
    return Tools(
        publish=publish,
        views=views(document),
        store=open_store("memory:"),
        clock=lambda: AT,
        config=config or Config(),
    )
