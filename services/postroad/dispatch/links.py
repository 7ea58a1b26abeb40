"""Too large for its server: what is attached becomes links in the text, and the message is composed again (O14)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import TypeAlias
from urllib.parse import unquote

import msgspec

from postroad.dispatch.attempt import Answer, Step
from postroad.dispatch.judge import status_of
from postroad.mail.links import file_link
from postroad.views import Views
from postroad_schemas.values import Attachment, Contents, Reply

TOO_BIG = "5.3.4"
"""RFC 3463 3.4: message too big for system."""

_CID = re.compile(r"\bcid:([^\"'\s<>)]+)", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)

Linker: TypeAlias = Callable[[Attachment], str]


@dataclass(frozen=True, slots=True)
class Words:
    text: str
    html: str


def too_big(answer: Answer) -> bool:
    """Whether a message was over its server's limit: we saw it, or the server says so (RFC 1870 6.1: 552)."""
    if status_of(answer) == TOO_BIG:
        return True
    plain = status_of(answer) == "5.0.0"  # 552 alone: at RCPT it speaks of a full mailbox
    return answer.reply.code == 552 and plain and answer.step in (Step.MAIL, Step.DATA, Step.BODY)


def choices(contents: Contents) -> tuple[tuple[Attachment, ...], ...]:
    """What becomes links, from nothing on: at first what is attached beside the text, then the images in it too."""
    beside = tuple(attachment for attachment in contents.attachments if not attachment.inline)
    return tuple(dict.fromkeys(((), beside, contents.attachments)))


def total(contents: Contents, left_out: Sequence[Attachment]) -> int:
    """Octets of what stays attached: the message has more."""
    return sum(attachment.content.size for attachment in contents.attachments if attachment not in left_out)


def link_maker(views: Views, written_at: datetime) -> Linker | None:
    """What makes links in a message of this time; None where links lead nowhere, or nothing can be signed."""
    base, days = views.directory.setting("mail.links.base"), views.directory.number("mail.links.days")
    keys, until = views.keys, written_at + timedelta(days=days) if days else None
    if not base or not keys.current:
        return None
    return lambda attachment: file_link(keys, base, attachment, until)


def with_advice(reply: Reply, views: Views) -> Reply:
    """A reply to a message that was too large and got no links: why not, and what to do about it."""
    why = "attachments become links once the parameter mail.links.base says where links lead"
    if views.directory.setting("mail.links.base"):
        why = "attachments cannot become links without a signing key: see `postroad keys list`"
    return msgspec.structs.replace(reply, text=f"{reply.text}; {why}")


def linked(words: Words, linked_files: Sequence[Attachment], link: Linker) -> Words:
    """The words with a list of links, which needs no translation. Images of the HTML are shown from where they lie."""
    links = [(attachment, link(attachment)) for attachment in linked_files]
    places = {attachment.content_id: url for attachment, url in links if attachment.content_id}
    shown = set[str]()

    def place(match: re.Match[str]) -> str:
        content_id = unquote(match[1])
        if content_id not in places:
            return match[0]
        shown.add(content_id)
        return escape(places[content_id])

    html = _CID.sub(place, words.html)
    listed = [(attachment, url) for attachment, url in links if attachment.content_id not in shown]
    return Words(_with_text(words, links), _with_html(html, listed))


def _with_text(words: Words, links: Sequence[tuple[Attachment, str]]) -> str:
    """None is made where only HTML is sent."""
    if not links or (words.html and not words.text):
        return words.text
    lines = "".join(f"{_name(attachment)} ({size(attachment.content.size)}): {url}\n" for attachment, url in links)
    return f"{words.text.rstrip()}\n\n{lines}".lstrip()


def _with_html(html: str, links: Sequence[tuple[Attachment, str]]) -> str:
    if not html or not links:
        return html
    items = "".join(
        f'<li><a href="{escape(url)}">{escape(_name(attachment))}</a> ({size(attachment.content.size)})</li>'
        for attachment, url in links
    )
    ends = [match.start() for match in _BODY_END.finditer(html)]
    end = ends[-1] if ends else len(html)
    return f"{html[:end]}<ul>{items}</ul>{html[end:]}"


def _name(attachment: Attachment) -> str:
    return " ".join(attachment.name.split()) or attachment.media_type


def size(octets: int) -> str:
    """As people read it: three digits at most, decimal units."""
    amount, units = float(octets), ["B", "kB", "MB", "GB"]
    while amount >= 999.5 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if amount >= 9.95 or units[0] == "B" else f"{amount:.1f} {units[0]}"
