"""One part of a mail (RFC 2045 2.4): its header, its span of bytes, and what they say when decoded."""

from collections.abc import Iterator, Mapping

from postroad.mail.charset import decode
from postroad.mail.header import Headers
from postroad.mail.lazy import lazy
from postroad.mail.parameter import disposition, media_type, token
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
        self.closed = False  # by a delimiter of its own multipart, neither an outer one nor the end of the source
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

    @lazy
    def encoding(self) -> str:
        """The transfer encoding in lower case, "" when it changes nothing."""
        word = token(self.headers.unfolded("content-transfer-encoding"))
        return "" if word in _IDENTITY else word

    @property
    def span(self) -> bytes:
        """The body as it stands in the source."""
        return self.buffer[self.start : self.end]

    @lazy
    def payload(self) -> bytes:
        """The body after transfer decoding (RFC 2045 6)."""
        return decode_transfer(self.span, self.encoding)

    @lazy
    def text(self) -> str:
        """The payload as text with line ends "\\n" (M8)."""
        text = decode(self.payload, self.charset)
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    @property
    def charset(self) -> str:
        """The declared charset, "" when none is."""
        return self.parameters.get("charset", "")

    @property
    def disposition(self) -> str:
        """RFC 2183: "inline", "attachment", another word, or "" when absent."""
        return self._disposition[0]

    @lazy
    def filename(self) -> str:
        """The name from Content-Disposition, else from Content-Type; "" when neither has one."""
        return (self._disposition[1].get("filename", "") or self.parameters.get("name", "")).strip()

    @lazy
    def _disposition(self) -> tuple[str, Mapping[str, str]]:
        return disposition(self.headers.unfolded("content-disposition"))

    @lazy
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
        """The parts that hold content: no multiparts, no opened messages, no empty remains of a last delimiter."""
        for entity in self.walk(into_messages=into_messages):
            if entity.children and (into_messages or not entity.is_message):
                continue
            if (not entity.is_multipart and (entity.headers or entity.closed)) or entity.span.strip():
                yield entity


def _content_type(headers: Headers, default: str) -> tuple[str, Mapping[str, str]]:
    field = headers.unfolded("content-type")
    declared, named = media_type(field) if field else ("", dict[str, str]())
    return declared or (default if not field else "text/plain"), named
