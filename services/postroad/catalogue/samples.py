"""A plausible value of every event and state, made from its types: the golden examples start as these."""

import enum
import types
import typing
from datetime import UTC, date, datetime
from typing import Any

import msgspec

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)

# What a field of this name looks like.
BY_NAME: dict[str, Any] = {
    "event_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "cause_id": "00f067aa0ba902b7a3ce929d0e0e4736",
    "mail_id": "0af7651916cd43dd8448eb211c80319c",
    "submission_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "post_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "proposal": "4bf92f3577b34da6a3ce929d0e0e4736",
    "held": "0af7651916cd43dd8448eb211c80319c",
    "notification_id": "mfrggzdfmztwq2lk",
    "notification_ids": ("mfrggzdfmztwq2lk",),
    "message_id": "<20261124093000.17@mail.example.org>",
    "original_message_id": "<20261123080000.3@mail.example.org>",
    "settled": "<20261124093000.17@mail.example.org>",
    "asking": "<20261124093000.17@mail.example.org>",
    "sought": "<20261123080000.3@mail.example.org>",
    "remaining": ("<20261122070000.2@mail.example.org>",),
    "in_reply_to": "<20261123080000.3@mail.example.org>",
    "first_message": "<20261120000000.1@mail.example.org>",
    "parent": "<20261120000000.1@mail.example.org>",
    "answers": "<20261123080000.3@mail.example.org>",
    "references": ("<20261120000000.1@mail.example.org>",),
    "address": "anna@example.org",
    "recipient": "anna@example.org",
    "addressee": "anna@example.org",
    "final_recipient": "anna@example.org",
    "original_recipient": "anna@example.org",
    "mailed_to": ("sales@example.com",),
    "addresses": ("anna@example.org",),
    "contacts": ("42",),
    "contact": "42",
    "contact_id": "42",
    "alias": "sales@example.com",
    "thread": "crm.lead/mfrggzdfmztwq2lk",
    "owner_thread": "crm.team/1",
    "record_type": "crm.lead",
    "domain": "example.com",
    "ref": "sha256/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 1843,
    "media_type": "image/png",
    "name": "Anna",
    "subject": "A question about your offer",
    "title": "A question about your offer",
    "rule": "R9",
    "status": "5.1.1",
    "diagnostic": "550 5.1.1 no such user",
    "language": "fr",
    "host": "smtp.example.net",
    "secret": "env:POSTROAD_SECRET",
    "username": "postroad@example.com",
    "key": "author sales@example.com anna@example.org",
    "budget": "author sales@example.com anna@example.org",
    "step": "5m",
    "code": 250,
    "limit": 20,
    "window": 7200,
    "attempt": 1,
    "priority": 10,
    "mailbox": "",
    "mailing": "",
    "text": "",
    "html": "",
    "release": None,
    "report": None,
}


def sample(kind: Any, name: str = "") -> Any:
    """A value of a type. Raises TypeError for a type that no event and no state uses."""
    if name in BY_NAME and _fits(BY_NAME[name], kind):
        return BY_NAME[name]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return sample(next(option for option in arguments if option is not type(None)), name)
    if origin is tuple:
        return tuple(sample(each, name) for each in arguments if each is not ...)
    if origin is dict:
        return {"priority": "high"}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    if fields := getattr(kind, "__struct_fields__", getattr(kind, "_fields", ())):  # a struct or a named tuple
        hints = typing.get_type_hints(kind)
        return kind(**{field: sample(hints[field], field.rstrip("_")) for field in fields})
    plain = {str: name.replace("_", "-") or "text", int: 1, float: 1.0, bool: False, bytes: b"octets"}
    plain |= {datetime: AT, date: AT.date()}
    if kind in plain:
        return plain[kind]
    raise TypeError(f"no sample for {kind!r} ({name})")


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, TypeError):
        return False
    return True
