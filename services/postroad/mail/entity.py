"""One part of a mail (RFC 2045 2.4): its header, its span of bytes, and what they say when decoded."""

from collections.abc import Iterator
from functools import cached_property

from postroad.mail.charset import decode
from postroad.mail.header import Headers
from postroad.mail.parameter import media_type, parameters, token
from postroad.mail.transfer import decode_transfer

MAX_DEPTH = 60
"""Levels of multiparts and attached messages that are opened; what lies deeper is one opaque part."""

_MESSAGE = ("message/rfc822", "message/global")
_IDENTITY = ("7bit", "8bit", "binary")


class Entity:
    """A header and a body: the mail, a part of it, or a mail attached to it. Its bytes are a span of the source."""

    def __init__(self, buffer: bytes, headers: Headers, start: int, *, depth: int, default: str = "text/plain") -> None:
        self.buffer = buffer
        self.headers = headers
        self.start = start
        self.end = len(buffer)
        self.depth = depth
        self.children: list[Entity] = []
        self.declared, self.parameters = _content_type(self.headers, default)

    @property
    def type(self) -> str:
        """The media type it is read as: what cannot be opened is opaque, a multipart without parts is text."""
        if self.children or not self.is_composite:
            return self.declared
        return "text/plain" if self.is_multipart and self.depth < MAX_DEPTH else "application/octet-stream"

    @property
    def is_composite(self) -> bool:
        """Whether it is made of other entities."""
        return self.is_multipart or self.is_message

    @property
    def is_multipart(self) -> bool:
        """RFC 2046 5.1."""
        return self.declared.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        """Whether it is a whole attached mail (RFC 2046 5.2.1, RFC 6532 3.7)."""
        return self.declared in _MESSAGE

    @cached_property
    def encoding(self) -> str:
        """The transfer encoding in lower case, "" when it changes nothing."""
        word = token(self.headers.unfolded("content-transfer-encoding"))
        return "" if word in _IDENTITY else word

    @property
    def span(self) -> bytes:
        """The body as it stands in the source."""
        return self.buffer[self.start : self.end]

    @cached_property
    def payload(self) -> bytes:
        """The body after transfer decoding (RFC 2045 6)."""
        return decode_transfer(self.span, self.encoding)

    @cached_property
    def text(self) -> str:
        """The payload as text with line ends "\\n" (M8)."""
        text = decode(self.payload, self.charset)
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    @property
    def charset(self) -> str:
        """The declared charset, "" when none is."""
        return self.parameters.get("charset", "")

    @cached_property
    def disposition(self) -> str:
        """RFC 2183: "inline", "attachment", another word, or "" when absent."""
        return token(self.headers.unfolded("content-disposition"))

    @cached_property
    def filename(self) -> str:
        """The name from Content-Disposition, else from Content-Type; "" when neither has one."""
        named = parameters(_parameter_part(self.headers.unfolded("content-disposition"))).get("filename", "")
        return (named or self.parameters.get("name", "")).strip()

    @cached_property
    def content_id(self) -> str:
        """RFC 2045 7, without its brackets."""
        return "".join(self.headers.unfolded("content-id").split()).removeprefix("<").removesuffix(">")

    def walk(self, *, into_messages: bool = True) -> Iterator["Entity"]:
        """This entity and everything below, in order; attached mails are opened if asked for."""
        stack = [self]
        while stack:
            entity = stack.pop()
            yield entity
            if into_messages or not entity.is_message:
                stack.extend(reversed(entity.children))

    def leaves(self, *, into_messages: bool = True) -> Iterator["Entity"]:
        """The parts that hold content: no multiparts, no opened messages, no empty remains of a delimiter."""
        for entity in self.walk(into_messages=into_messages):
            if entity.children and (into_messages or not entity.is_message):
                continue
            if entity.span.strip() or (entity.headers and not entity.is_multipart):
                yield entity


def _content_type(headers: Headers, default: str) -> tuple[str, dict[str, str]]:
    field = headers.unfolded("content-type")
    declared, named = media_type(field) if field else ("", {})
    return declared or (default if not field else "text/plain"), named


def _parameter_part(field: str) -> str:
    return field[field.find(";") :] if ";" in field else ""
