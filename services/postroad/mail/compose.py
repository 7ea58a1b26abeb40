"""A message for people as bytes (RFC 5322, 2045-2049, 6532). The same input gives the same bytes."""

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from postroad.mail.compose_header import (
    MAX_LINE,
    field,
    is_field_name,
    mailbox_field,
    message_ids,
    one_line,
    parameter_chunks,
    text_field,
)
from postroad_schemas.event import event_id
from postroad_schemas.outbound import Header, OutboundSubmitted
from postroad_schemas.values import Mailbox, Stream

_LINE_END = re.compile(r"\r\n|\r|\n")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}\Z")
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}\Z")
_NOT_7BIT = re.compile(rb"[\x00\x80-\xff]|\r(?!\n)|(?<!\r)\n")
# What a submission's own headers cannot set: these are written from its fields.
_WRITTEN = re.compile(
    r"(content-.*|date|from|sender|to|cc|bcc|reply-to|subject|message-id|in-reply-to|references"
    r"|mime-version|return-path|received|dkim-signature)\Z",
    re.IGNORECASE,
)
_BULK = (
    Header(name="Precedence", value="list"),
    Header(name="X-Auto-Response-Suppress", value="OOF, AutoReply"),
)


@dataclass(frozen=True, slots=True)
class File:
    """An attachment with its bytes. Inline ones with a Content-ID are what the HTML's cid: links name (RFC 2392)."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""  # without brackets
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity: its own header fields and its body, both ending in CRLF."""

    header: bytes
    body: bytes

    def __bytes__(self) -> bytes:
        return self.header + b"\r\n" + self.body


def compose(
    submission: OutboundSubmitted,
    from_: Mailbox,
    date: datetime,
    text: str = "",
    html: str = "",
    files: Sequence[File] = (),
) -> bytes:
    """The whole message, lines ended by CRLF. 7-bit, unless an address has a non-ASCII local part (RFC 6532)."""
    return header(submission, from_, date) + bytes(_content(submission.message_id, text, html, files))


def header(submission: OutboundSubmitted, from_: Mailbox, date: datetime) -> bytes:
    """The message's own fields (RFC 5322 3.6); those of its content come behind them."""
    to = submission.to or (Mailbox(address=submission.recipient),)
    fields = [
        field("Date", [format_datetime(date.astimezone(UTC))]),
        mailbox_field("From", (from_,)),
        mailbox_field("To", to) or mailbox_field("To", (Mailbox(address=submission.recipient),)),
        mailbox_field("Reply-To", (submission.reply_to,)) if submission.reply_to else b"",
        text_field("Subject", submission.subject),
        _ids("Message-ID", (submission.message_id,)),
        _ids("In-Reply-To", (submission.in_reply_to,)),
        _ids("References", submission.references),
        *_extra(submission),
        b"MIME-Version: 1.0\r\n",
    ]
    return b"".join(fields)


def _ids(name: str, ids: Sequence[str]) -> bytes:
    found = message_ids(ids)
    return field(name, found) if found else b""


def _extra(submission: OutboundSubmitted) -> list[bytes]:
    """The submission's own headers; bulk mail says that it is (RFC 3834 2, O6)."""
    own = {header.name.lower() for header in submission.headers}
    added = _BULK if submission.stream == Stream.BULK else ()
    return [
        text_field(header.name, header.value)
        for header in (*submission.headers, *(header for header in added if header.name.lower() not in own))
        if is_field_name(header.name) and not _WRITTEN.match(header.name)
    ]


def _content(message_id: str, text: str, html: str, files: Sequence[File]) -> Entity:
    """mixed(alternative(text, related(html, inline)), files), each level only where it is needed."""
    related = [file for file in files if html and file.inline and _CONTENT_ID.match(file.content_id)]
    body: list[Entity] = []
    if text or not html:
        body.append(_text("plain", text))
    if html:
        shown = _text("html", html)
        parts = [shown, *map(_file, related)]
        body.append(_multipart("related", message_id, parts, 'type="text/html"') if related else shown)
    content = _multipart("alternative", message_id, body) if len(body) > 1 else body[0]
    others = [_file(file) for file in files if file not in related]
    return _multipart("mixed", message_id, [content, *others]) if others else content


def _multipart(subtype: str, message_id: str, parts: Sequence[Entity], parameter: str = "") -> Entity:
    wholes = [bytes(part) for part in parts]
    ordinal = 0
    while any((boundary := _boundary(message_id, subtype, ordinal)) in whole for whole in wholes):
        ordinal += 1
    between = b"--" + boundary + b"\r\n"
    body = b"".join(between + whole + b"\r\n" for whole in wholes) + b"--" + boundary + b"--\r\n"
    parameters = [f"{parameter};"] if parameter else []
    header = field("Content-Type", [f"multipart/{subtype};", *parameters, f'boundary="{boundary.decode()}"'])
    return Entity(header, body)


def _boundary(message_id: str, subtype: str, ordinal: int) -> bytes:
    """`=_` stands in no quoted-printable and no base 64 text (RFC 2045 6.7)."""
    return b"=_" + event_id("boundary", message_id, subtype, str(ordinal)).encode()


def _text(subtype: str, text: str) -> Entity:
    """7bit where that is exact, else quoted-printable or base 64, whichever is shorter."""
    lines = _LINE_END.sub("\r\n", text)
    payload = (lines if lines.endswith("\r\n") or not lines else f"{lines}\r\n").encode("utf-8", "replace")
    if is_7bit(payload):
        encoding, body = "7bit", payload
    else:
        quoted, based = b2a_qp(payload, istext=True), _base64(payload)
        encoding, body = ("quoted-printable", quoted) if len(quoted) <= len(based) else ("base64", based)
    charset = "us-ascii" if encoding == "7bit" else "utf-8"
    return Entity(_content_fields([f"text/{subtype};", f'charset="{charset}"'], encoding), body)


def is_7bit(payload: bytes) -> bool:
    """Whether it can travel as it is (RFC 2045 2.7)."""
    return not _NOT_7BIT.search(payload) and all(len(line) <= MAX_LINE for line in payload.split(b"\r\n"))


def _file(file: File) -> Entity:
    """Exact bytes in base 64. A mail stays message/rfc822 if it can travel as it is (RFC 2046 5.2.1: no encoding)."""
    media_type = file.media_type.lower() if _MEDIA_TYPE.match(file.media_type) else "application/octet-stream"
    encoding, body = "base64", _base64(file.content)
    if media_type == "message/rfc822" and is_7bit(file.content):
        encoding, body = "7bit", file.content
    elif media_type.startswith(("message/", "multipart/")):
        media_type = "application/octet-stream"
    disposition = "inline" if file.inline else "attachment"
    name = parameter_chunks("filename", file.name) if one_line(file.name) else []
    chunks = [f"{chunk};" for chunk in (disposition, *name)]
    header = _content_fields([media_type], encoding)
    header += field("Content-Disposition", [*chunks[:-1], chunks[-1].removesuffix(";")])
    if _CONTENT_ID.match(file.content_id):
        header += field("Content-ID", [f"<{file.content_id}>"])
    return Entity(header, body)


def _content_fields(type_: list[str], encoding: str) -> bytes:
    return field("Content-Type", type_) + field("Content-Transfer-Encoding", [encoding])


def _base64(payload: bytes) -> bytes:
    return encodebytes(payload).replace(b"\n", b"\r\n")
