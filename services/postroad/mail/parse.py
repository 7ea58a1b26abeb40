"""Reading a mail (M1-M8): bytes in, everything that rules ask about out. Never raises, whatever the bytes."""

from datetime import datetime
from itertools import islice

from postroad.mail.address import MAX_MAILBOXES, Mailbox, bare_address, mailboxes
from postroad.mail.authentication import AuthenticationResults, authentication_results
from postroad.mail.automatic import Automatic, automatic, suppresses_notices
from postroad.mail.content import Attachment, Body, Leaf, read_attachments, read_body, read_leaves
from postroad.mail.date import parse_date
from postroad.mail.entity import Entity
from postroad.mail.header import Headers
from postroad.mail.html_text import html_to_text
from postroad.mail.identity import derived_id, message_id, message_ids
from postroad.mail.lazy import lazy
from postroad.mail.reply_text import fold, strip_reply
from postroad.mail.report import Report, is_report, read_report
from postroad.mail.tree import read_tree


def read(raw: bytes) -> "Mail":
    """The mail in these bytes. Linear in their number; depth, parts, fields and addresses are bounded."""
    return Mail(raw, read_tree(raw))


class Mail:
    """A mail as it was read. Each answer is worked out when asked for, on its own: no broken field harms another."""

    def __init__(self, raw: bytes, root: Entity) -> None:
        self.raw = raw
        self.root = root

    @property
    def headers(self) -> Headers:
        """The fields as they stand, for what is not read here."""
        return self.root.headers

    @lazy
    def message_id(self) -> str:
        """`<...>`, white space removed; "" when missing: then `derived_id` names it."""
        return message_id(self.headers.unfolded("message-id"))

    @lazy
    def derived_id(self) -> str:
        """An id made of the originator's fields and the body (I6); the same for every copy."""
        return derived_id(self.headers, self.raw[self.root.start :])

    @lazy
    def from_(self) -> tuple[Mailbox, ...]:
        """The first is the author (M2); empty when the mail has none."""
        return self._mailboxes("from")

    @lazy
    def sender(self) -> tuple[Mailbox, ...]:
        """RFC 5322 3.6.2."""
        return self._mailboxes("sender")

    @lazy
    def reply_to(self) -> tuple[Mailbox, ...]:
        """RFC 5322 3.6.2; it does not make the author."""
        return self._mailboxes("reply-to")

    @lazy
    def to(self) -> tuple[Mailbox, ...]:
        """RFC 5322 3.6.3, several fields joined."""
        return self._mailboxes("to")

    @lazy
    def cc(self) -> tuple[Mailbox, ...]:
        """RFC 5322 3.6.3, several fields joined."""
        return self._mailboxes("cc")

    @lazy
    def delivered_to(self) -> tuple[Mailbox, ...]:
        """RFC 9228, topmost first."""
        return self._mailboxes("delivered-to")

    @lazy
    def resent_to(self) -> tuple[Mailbox, ...]:
        """RFC 5322 3.6.6, of every time it was resent."""
        return self._mailboxes("resent-to")

    @lazy
    def resent_cc(self) -> tuple[Mailbox, ...]:
        """RFC 5322 3.6.6, of every time it was resent."""
        return self._mailboxes("resent-cc")

    @lazy
    def return_path(self) -> str | None:
        """The topmost Return-Path (RFC 5321 4.4): None when absent or blank, "" for the null one."""
        field = self.headers.unfolded("return-path")
        inner = "".join(field.split()).removeprefix("<").removesuffix(">")
        return (bare_address(field) or inner) if field else None

    @lazy
    def subject(self) -> str:
        """Decoded and unfolded (M5)."""
        return self.headers.text("subject")

    @lazy
    def date(self) -> datetime | None:
        """In UTC; None when absent or unreadable (M5)."""
        return parse_date(self.headers.unfolded("date"))

    @lazy
    def references(self) -> tuple[str, ...]:
        """RFC 5322 3.6.4, oldest first (M4)."""
        return self._ids("references")

    @lazy
    def in_reply_to(self) -> tuple[str, ...]:
        """RFC 5322 3.6.4; counts as the last of the references (M4)."""
        return self._ids("in-reply-to")

    @lazy
    def automatic(self) -> Automatic | None:
        """By its header alone (L7); who knows the envelope asks `automatic.automatic(mail.headers, reverse_path)`."""
        return automatic(self.headers, None)

    @lazy
    def suppress_notices(self) -> bool:
        """X-Auto-Response-Suppress asks for no notice (L7)."""
        return suppresses_notices(self.headers)

    @lazy
    def list_id(self) -> str:
        """RFC 2919, what stands in the brackets; "" when it is no list's mail."""
        field = self.headers.text("list-id")
        return (field.rpartition("<")[2].partition(">")[0] if "<" in field else field).strip()

    @lazy
    def authentication(self) -> tuple[AuthenticationResults, ...]:
        """Authentication-Results (RFC 8601), topmost first; believe only those of an edge that you trust (I7)."""
        return authentication_results(self.headers)

    @lazy
    def report(self) -> Report | None:
        """What it reports if it is a report by its own looks (P1), else None."""
        return self.as_report if is_report(self.root) else None

    @lazy
    def as_report(self) -> Report:
        """Read as a report whatever it looks like: for mail that came to a bounce address."""
        return read_report(self.root)

    @lazy
    def leaves(self) -> tuple[Leaf, ...]:
        """Every part with content, in order, attached mails opened."""
        return read_leaves(self.root)

    @lazy
    def attachments(self) -> tuple[Attachment, ...]:
        """What goes beside the text (M7); an attached mail is one, whole."""
        return read_attachments(self.root)

    @property
    def text(self) -> str:
        """The plain text, quotes and signature and all; "" when there is none."""
        return self._body.text

    @property
    def html(self) -> str:
        """What to show (M6), not sanitised; "" when there is only text."""
        return self._body.html

    @lazy
    def reply_text(self) -> str:
        """The new words alone: without quotes and signature."""
        body = self._body
        if body.text.strip():
            return strip_reply(body.text, flowed=body.flowed, delsp=body.delsp)
        return strip_reply(html_to_text(body.html, marks=True))

    @lazy
    def folded_body(self) -> str:
        """The body as L6 compares it: no quotes, no signature, white space folded."""
        return fold(self.reply_text)

    @lazy
    def _body(self) -> Body:
        return read_body(self.root)

    def _mailboxes(self, name: str) -> tuple[Mailbox, ...]:
        fields = self.headers.all_unfolded(name)
        if len(fields) <= 1:
            return mailboxes(fields[0]) if fields else ()
        found = (box for field in fields for box in mailboxes(field))
        return tuple(islice(found, MAX_MAILBOXES))

    def _ids(self, name: str) -> tuple[str, ...]:
        return message_ids(" ".join(self.headers.all_unfolded(name)))
