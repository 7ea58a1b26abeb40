"""The message that came back with a notice: its header, however it was attached or pasted, and its names (P5)."""

import re
from collections.abc import Sequence

from postroad.mail.address import mailboxes
from postroad.mail.bounce.own_text import RETURNED, returned_text
from postroad.mail.entity import Entity
from postroad.mail.header import Headers, read_header
from postroad.mail.identity import message_id, message_ids

_OF_LISTS = ("list-id", "list-post", "x-mailing-list", "x-beenthere")
_READ = 1 << 18  # characters of a notice in which a returned header is looked for
_ABOVE = 200  # lines above a Message-ID at which its header may begin
_MESSAGE_ID = "message-id"
_MICROSOFT = "x-microsoft-original-message-id"
_CERTIFIED = "x-riferimento-message-id"  # RFC 6109
_INDENT = 20  # blanks and quoting marks before the name of a field
_SPELLED = ("essage-I", "essage-i", "ESSAGE-I")  # before the whole is searched
_ID_FIELD = re.compile(r"[Mm][Ee][Ss][Ss][Aa][Gg][Ee]-[Ii][Dd][ \t]*:[ \t]*(?:\r?\n[> \t]{1,20})?[^\s>]")
_QUOTED = re.compile(r"(?:> ?)+")
_CITED_ID = re.compile(
    r"message[- ]?id(?:entifier)?\b[^<\n@]{0,30}?<?([^\s<>@:]{1,200}@[^\s<>@,;]{1,200})", re.IGNORECASE
)
_CITED = ("message-id", "message id", "messageid")  # before the whole is searched
_DAEMON = re.compile(r"[^@]*mailer-daemon\b", re.IGNORECASE)


def returned_header(root: Entity, parts: Sequence[Entity]) -> Headers | None:
    """The header of the message that came back: attached, as headers alone, or pasted into the notice's text.

    `parts` are the leaves of the notice.
    """
    if root.children:
        for part in root.walk(into_messages=False):
            if part.is_message and part.children:
                return part.children[0].headers
            if part.declared in RETURNED:
                headers, _ = read_header(part.payload.lstrip(), 0, message=True)
                if headers:
                    return headers
            if part is not root and "message-id" in part.headers and "received" in part.headers:
                return part.headers  # no blank line stands before it
    for part in parts:
        # A status holds it where the boundary of what follows is not the declared one.
        if part.declared.startswith(("text/", "message/")) and (pasted := _pasted(part.text[:_READ])):
            return pasted
    return None


def header_without_id(texts: Sequence[str]) -> Headers | None:
    """The fields below a notice's own words, of a message that came back without its Message-ID."""
    for text in texts:
        headers, _ = read_header(returned_text(text).encode("utf-8", "replace"), 0, message=True)
        if "to" in headers and ("from" in headers or "subject" in headers):
            return headers
    return None


def original_ids(root: Entity, parts: Sequence[Entity], returned: Headers | None) -> tuple[str, ...]:
    """Of the message that a notice is about, the likeliest first."""
    found = list[str]()
    if returned is not None:
        found = [message_id(value) for name in (_MESSAGE_ID, _MICROSOFT) if (value := returned.unfolded(name))]
    if not any(found) and (cited := _cited(parts)):
        found.append(message_id(cited.rstrip(".")))
    found.extend(message_id(root.headers.unfolded(name)) for name in (_MICROSOFT, _CERTIFIED) if name in root.headers)
    found.extend(reversed(references(root.headers)))  # the nearest ancestor stands last
    return tuple(dict.fromkeys(found_id for found_id in found if found_id))


def references(headers: Headers) -> tuple[str, ...]:
    """References and In-Reply-To (RFC 5322 3.6.4)."""
    return tuple(
        one for name in ("references", "in-reply-to") if name in headers for one in message_ids(headers.unfolded(name))
    )


def addressees(returned: Headers | None) -> tuple[str, ...]:
    """The addresses of its To."""
    return tuple(box.address for box in mailboxes(returned.unfolded("to"))) if returned else ()


def came_over_a_list(returned: Headers) -> bool:
    """Whether those who got it are others than those it was written to."""
    return any(name in returned for name in _OF_LISTS)


def _pasted(text: str) -> Headers | None:
    """The header around a Message-ID in a text; the one inside where it is another notice that was pasted."""
    first = len(text)
    for name in _SPELLED:
        at = text.find(name, 0, first)
        first = at if at > 0 else first
    found, at = None, first - 1
    while (named := _ID_FIELD.search(text, at)) is not None:
        start, at = text.rfind("\n", 0, named.start()) + 1, named.end()
        margin = text[start : named.start()]
        if len(margin) > _INDENT or margin.strip("> \t"):
            continue
        end = text.find("\n\n", at)
        end = end if end >= 0 else len(text)
        above = text.rfind("\n\n", 0, start) + 2
        headers = _header_around(text[above if above > 1 else 0 : start].split("\n"), text[start:end].split("\n"))
        if headers is None:
            continue
        found = headers
        if not _DAEMON.match(headers.unfolded("from")):
            break
        at = end
    return found


def _header_around(above: list[str], below: list[str]) -> Headers | None:
    """`below` begins with the Message-ID; remarks of the server may stand directly above, and marks in front."""
    lines = [_QUOTED.sub("", line) if line.startswith(">") else line for line in above[-_ABOVE:-1] + below]
    first = _QUOTED.sub("", below[0]) if below[0].startswith(">") else below[0]
    cut = len(first) - len(first.lstrip(" \t"))
    if cut:
        lines = [line[cut:] if not line[:cut].strip() else line for line in lines]
    block, at = ("\n".join(lines) + "\n\n").encode("utf-8", "replace"), 0
    while at < len(block):
        headers, at = read_header(block, at)
        if _MESSAGE_ID in headers:
            return headers
        at = block.find(b"\n", at) + 1 or len(block)
    return None


def _cited(parts: Sequence[Entity]) -> str:
    """An id that the notice names in its own words."""
    for part in parts:
        if part.type != "text/plain":
            continue
        text = part.text[:_READ]
        lower = text.lower()
        if any(name in lower for name in _CITED) and (found := _CITED_ID.search(text)):
            return found[1]
    return ""
