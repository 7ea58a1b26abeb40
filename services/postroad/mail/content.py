"""What a mail shows and what it carries: text, HTML and attachments out of the tree of parts (M6, M7)."""

from collections.abc import Iterator
from dataclasses import dataclass

from postroad.mail.entity import Entity
from postroad.mail.html_text import preformatted


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that is neither a multipart nor an attached mail. `text` is None unless the type is text/*."""

    type: str
    payload: bytes  # after transfer decoding
    text: str | None
    charset: str  # as declared, "" when it is not
    filename: str
    content_id: str
    disposition: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """What goes beside the text (M7). An attached mail is one attachment, its bytes exact."""

    filename: str  # as the sender has it: no path to write to; "" when unnamed
    type: str
    payload: bytes
    content_id: str
    inline: bool  # meant to be shown in the text: `cid:` links of the HTML lead here


@dataclass(frozen=True, slots=True)
class Body:
    """The words of a mail. `html` is "" when there is none: then show `preformatted(text)`."""

    text: str
    html: str
    flowed: bool = False  # RFC 3676: `text` was wrapped by a program, each part of it
    delsp: bool = False


def read_leaves(root: Entity) -> tuple[Leaf, ...]:
    """Every leaf in order, those inside attached mails included."""
    return tuple(
        Leaf(
            type=entity.type,
            payload=entity.payload,
            text=entity.text if entity.type.startswith("text/") else None,
            charset=entity.charset,
            filename=entity.filename,
            content_id=entity.content_id,
            disposition=entity.disposition,
        )
        for entity in root.leaves()
    )


def read_body(root: Entity) -> Body:
    """Plain text and HTML of the mail itself.

    In multipart/alternative HTML replaces text; outside of it text and HTML parts are shown one after the other.
    """
    parts = [part for part in root.leaves(into_messages=False) if _is_body(part)]
    replaced = _replaced(root)
    plain = [part for part in parts if part.type == "text/plain" and part.text]
    shown = [part for part in parts if part.text.strip() and id(part) not in replaced]
    html = ""
    if any(part.type == "text/html" for part in shown):
        html = "\n".join(part.text if part.type == "text/html" else preformatted(part.text) for part in shown)
    return Body(
        "\n".join(part.text for part in plain).replace("\0", ""),
        html.replace("\0", ""),
        flowed=all(part.parameters.get("format", "").lower() == "flowed" for part in plain),
        delsp=all(part.parameters.get("delsp", "").lower() == "yes" for part in plain),
    )


def read_attachments(root: Entity) -> tuple[Attachment, ...]:
    """Everything that is no body, in order."""
    return tuple(
        Attachment(
            filename=part.filename,
            type=part.type,
            payload=part.payload,
            content_id=part.content_id,
            inline=part.disposition == "inline" or (part.content_id != "" and part.disposition != "attachment"),
        )
        for part in root.leaves(into_messages=False)
        if not _is_body(part)
    )


def _is_body(part: Entity) -> bool:
    """Text without a name that nobody calls an attachment."""
    return part.type in ("text/plain", "text/html") and not part.filename and part.disposition != "attachment"


def _replaced(root: Entity) -> set[int]:
    """The plain texts that have an HTML twin in the same multipart/alternative."""
    replaced: set[int] = set()
    for entity in root.walk(into_messages=False):
        if entity.declared != "multipart/alternative":
            continue
        bodies = list(_bodies(entity))
        if any(part.type == "text/html" and part.text.strip() for part in bodies):
            replaced.update(id(part) for part in bodies if part.type == "text/plain")
    return replaced


def _bodies(entity: Entity) -> Iterator[Entity]:
    return (part for part in entity.leaves(into_messages=False) if _is_body(part))
