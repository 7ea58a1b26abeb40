"""How much of a mail its event says (M1): events must fit into what a broker takes. The raw mail keeps all of it."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from postroad_schemas.mail import MailReceived, Report, ReportedRecipient
from postroad_schemas.values import Attachment, Automatic, Mailbox, Verdict

LINE = 998  # characters: RFC 5322 2.1.1, what stands on one line
SUBJECT = 2_000  # characters
IDS = 100  # of References and In-Reply-To each, the last; R3 looks up fewer
# Octets, as they are written:
ADDRESSES = 150_000
ATTACHMENTS = 100_000
REPORTED = 100_000
ITEM = 8_000  # of one address, attachment or recipient block

# Recipients that routing goes by come before those that are only shown.
_ADDRESSES = ("from_", "delivered_to", "to", "cc", "resent_to", "resent_cc", "sender", "reply_to")

T = TypeVar("T")
replace = msgspec.structs.replace


class Room:
    """Octets that are left."""

    def __init__(self, octets: int) -> None:
        self._left = octets

    def take(self, items: Iterable[T]) -> tuple[T, ...]:
        """Those that fit, in order; one that does not is passed over."""
        return tuple(item for item in items if self._fits(len(msgspec.json.encode(item)) + 1))

    def _fits(self, octets: int) -> bool:
        fits = octets <= min(self._left, ITEM)
        self._left -= octets if fits else 0
        return fits


def bounded(event: MailReceived) -> MailReceived:
    """The event, with what is too long cut and what is too much left out. An ordinary mail's is as it was."""
    room = Room(ADDRESSES)
    addresses: dict[str, Any] = {name: room.take(map(_mailbox, getattr(event, name))) for name in _ADDRESSES}
    attachments = Room(ATTACHMENTS).take(map(_attachment, event.contents.attachments))
    return replace(
        event,
        **addresses,
        author=next(iter(addresses["from_"]), None) if event.author else None,
        return_path=None if event.return_path is None or len(event.return_path) > LINE else event.return_path,
        subject=event.subject[:SUBJECT],
        references=ids(event.references),
        in_reply_to=ids(event.in_reply_to),
        automatic=_automatic(event.automatic),
        list_id=event.list_id[:LINE],
        verdict=Verdict(**{name: getattr(event.verdict, name)[:LINE] for name in Verdict.__struct_fields__}),
        contents=replace(event.contents, attachments=attachments),
        report=_report(event.report) if event.report else None,
    )


def with_report(event: MailReceived, report: Report) -> MailReceived:
    return replace(event, report=_report(report))


def usable(message_id: str) -> str:
    """The id, or nothing if no line can hold it: then the mail counts as one without (I6)."""
    return message_id if len(message_id) <= LINE else ""


def ids(found: Iterable[str]) -> tuple[str, ...]:
    """The last ones, which are the nearest (M4)."""
    return tuple(filter(None, map(usable, found)))[-IDS:]


def _mailbox(mailbox: Mailbox) -> Mailbox:
    return replace(mailbox, name=mailbox.name[:LINE]) if len(mailbox.name) > LINE else mailbox


def _attachment(attachment: Attachment) -> Attachment:
    return replace(
        attachment,
        name=attachment.name[:LINE],
        media_type=attachment.media_type[:LINE],
        content_id=attachment.content_id if len(attachment.content_id) <= LINE else "",
    )


def _automatic(automatic: Automatic | None) -> Automatic | None:
    return automatic and replace(automatic, reason=automatic.reason[:LINE])


def _report(report: Report) -> Report:
    room = Room(REPORTED)
    return replace(
        report,
        recipients=room.take(map(_reported, report.recipients)),
        original_message_id=usable(report.original_message_id),
        original_to=room.take(report.original_to),
        original_references=ids(report.original_references),
        reporting_mta=report.reporting_mta[:LINE],
        feedback_type=report.feedback_type[:LINE],
    )


def _reported(block: ReportedRecipient) -> ReportedRecipient:
    return ReportedRecipient(**{name: getattr(block, name)[:LINE] for name in ReportedRecipient.__struct_fields__})
