"""Reads a mail once: what it says, and which of its bytes are kept as objects (M1-M9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import nh3

from postroad.ingest.received import Stored
from postroad.mail.parse import Mail
from postroad.mail.parse import read as parse
from postroad_schemas.values import ObjectRef

HTML_LIMIT = 2 * 1024 * 1024  # octets of HTML that are sanitised; what is longer is kept in the raw mail alone
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}


class Keeping(Protocol):
    """What the mailbox of a mail asks to keep (M9)."""

    @property
    def keep_attachments(self) -> bool: ...
    @property
    def keep_original(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail, and the objects it becomes. Empty text and HTML become none."""

    mail: Mail
    raw: bytes
    text: bytes
    html: bytes
    reply: bytes
    attachments: tuple[bytes, ...]
    keep_original: bool

    @property
    def objects(self) -> tuple[bytes, ...]:
        return (self.raw, *filter(None, (self.text, self.html, self.reply)), *self.attachments)

    def stored(self, refs: Mapping[bytes, ObjectRef]) -> Stored:
        """Where each of its objects is, once they are all durable."""
        return Stored(
            raw=refs[self.raw],
            text=refs.get(self.text),
            html=refs.get(self.html),
            reply=refs.get(self.reply),
            attachments=tuple(refs[content] for content in self.attachments),
            original=refs[self.raw] if self.keep_original else None,
        )


def read(raw: bytes, keeping: Keeping) -> Reading:
    """Never raises for any bytes."""
    mail = parse(raw)
    attachments = mail.attachments if keeping.keep_attachments else ()
    return Reading(
        mail=mail,
        raw=raw,
        text=mail.text.encode("utf-8", "replace"),
        html=sanitise(mail.html).encode("utf-8", "replace"),
        reply=mail.reply_text.encode("utf-8", "replace"),
        attachments=tuple(attachment.payload for attachment in attachments),
        keep_original=keeping.keep_original,
    )


def sanitise(html: str) -> str:
    """M6, M7: no scripts, no styles that reach out, and the cid: links of inline images stay."""
    if not html or len(html) > HTML_LIMIT:
        return ""
    return nh3.clean(html, url_schemes=_SCHEMES, link_rel="noopener noreferrer")
