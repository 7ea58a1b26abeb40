"""The tree of parts (RFC 2046 5), found in one pass over the bytes; bounded in depth and number.

The standard library's parser recurses once per level, looks for each boundary anew and gives up on boundaries that do
not match. Here each line that begins with two hyphens is looked at once and compared with all boundaries that are open.
"""

import re

from postroad.mail.charset import label_of
from postroad.mail.entity import MAX_DEPTH, Entity
from postroad.mail.header import Headers, read_header

MAX_PARTS = 5_000
"""Parts of one mail; what comes after belongs to the last one."""

_MAX_DELIMITER = 10_000  # octets of a line that may still be a delimiter
_MAX_LOOKALIKES = 200_000  # lines that begin with two hyphens and are none; after so many the search ends
_BEFORE_FIRST = 100_000  # octets within which the first delimiter is looked for when its name ends in a blank
_PART_HEADER = re.compile(rb"Content-[A-Za-z-]{1,40}[ \t]*:", re.IGNORECASE)


def read_tree(raw: bytes) -> Entity:
    """The whole tree of a mail. Never raises, whatever the bytes; linear in their number."""
    # A mail whose only line end is CR is read as if it were LF; offsets stay the same.
    buffer = raw if b"\n" in raw else raw.replace(b"\r", b"\n")
    root = _message(buffer, 0, depth=0)
    parts_left, waiting = MAX_PARTS, [root]
    while waiting and parts_left > 0:
        scan = _Scan(waiting.pop(), parts_left)
        parts_left = scan.run()
        for entity in scan.encoded:
            if not entity.children and (inner := _decoded(entity)) is not None:
                entity.children.append(inner)
                waiting.append(inner)
    if not buffer.isascii():
        _tell_charset(root)
    return root


def _tell_charset(root: Entity) -> None:
    """What headers have in 8 bits without a label is in the charset of the mail's text, unless it is UTF-8."""
    entities = list(root.walk(into_messages=False))
    if all(entity.headers.is_ascii() for entity in entities):
        return
    texts = (entity for entity in root.leaves(into_messages=False) if entity.type.startswith("text/"))
    charset = next(filter(None, (label_of(text.payload, text.charset) for text in texts)), "")
    if charset:
        for entity in entities:
            entity.headers.beside = charset


def _message(buffer: bytes, start: int, *, depth: int) -> Entity:
    headers, body = read_header(buffer, start, message=True)
    return Entity(buffer, headers, body, depth=depth)


def _decoded(entity: Entity) -> Entity | None:
    """What a transfer encoding hides of a composite part. RFC 2045 6.4 forbids it; it is sent all the same."""
    payload = entity.payload
    if entity.is_message:
        return _message(payload, 0, depth=entity.depth + 1)
    if b"--" not in payload:
        return None
    content_type = entity.headers.raw("content-type") or b""
    return Entity(payload, Headers({"content-type": [content_type]}), 0, depth=entity.depth + 1)


class _Scan:
    """One pass over one buffer: the entities that are open, outermost first, and the boundaries that end them."""

    def __init__(self, root: Entity, parts: int) -> None:
        self.buffer = root.buffer
        self.parts_left = parts
        self.open: list[Entity] = []
        self.names: list[list[bytes]] = []  # boundaries of each open entity
        self.level: dict[bytes, int] = {}  # boundary -> index in `open`
        self.encoded: list[Entity] = []
        self.lookalikes = 0
        self.at = self._enter(root)

    def run(self) -> int:
        """Fills in the children; answers how many parts may still come."""
        while self.level or self._unsplit():
            line = self._next_line()
            if line < 0 or self.parts_left <= 0 or self.lookalikes > _MAX_LOOKALIKES:
                break
            self.at = self._delimiter(line)
        self._close(0, len(self.buffer), strip=False)
        return self.parts_left

    def _next_line(self) -> int:
        """Where the next line that begins with two hyphens begins, or -1."""
        at = self.at
        if self.buffer.startswith(b"--", at) and (at == 0 or self.buffer[at - 1] == 0x0A):
            return at
        found = self.buffer.find(b"\n--", at)
        return found + 1 if found >= 0 else -1

    def _delimiter(self, line: int) -> int:
        end = self.buffer.find(b"\n", line)
        end = len(self.buffer) if end < 0 else end
        if end - line > _MAX_DELIMITER:
            return end
        name = self.buffer[line + 2 : end].rstrip(b"\r")
        level, closing = self._opened(name)
        if level is None and name[-1:].isspace():
            name = name.rstrip()
            level, closing = self._opened(name)
        if level is None and (b" " in name or b"\t" in name):
            level, closing = self._opened(name.split(None, 1)[0])  # RFC 2046 5.1.1: that the line begins so is enough
        if level is None and name and self._unsplit() and _PART_HEADER.match(self.buffer, end + 1):
            level = self._name(name)  # a declared boundary that does not occur, or none declared
        if level is None:
            self.lookalikes += 1
            return end

        self._close(level + 1, line, strip=True)
        if closing:
            return end
        parent = self.open[level]
        headers, start = read_header(self.buffer, min(end + 1, len(self.buffer)))
        default = "message/rfc822" if parent.declared == "multipart/digest" else "text/plain"
        part = Entity(self.buffer, headers, start, depth=parent.depth + 1, default=default)
        parent.children.append(part)
        return self._enter(part)

    def _opened(self, name: bytes) -> tuple[int | None, bool]:
        """Whose delimiter this is, and whether the closing one."""
        level = self.level.get(name)
        if level is None and name.endswith(b"--"):
            level = self.level.get(name[:-2])
            return level, level is not None
        return level, False

    def _enter(self, entity: Entity) -> int:
        """Opens an entity, and the message inside if it is one; answers where to go on."""
        while True:
            self.open.append(entity)
            self.names.append([])
            self.parts_left -= 1
            if entity.depth >= MAX_DEPTH or not entity.is_composite:
                return entity.start
            if entity.encoding:
                self.encoded.append(entity)
            if entity.is_multipart:
                if boundary := entity.parameters.get("boundary", "").encode("utf-8", "replace"):
                    # RFC 2046 5.1.1: it ends in no blank. Where it does, transit has mostly stripped the delimiters.
                    end = entity.start + _BEFORE_FIRST
                    exact = not boundary[-1:].isspace() or self.buffer.find(b"--" + boundary, entity.start, end) >= 0
                    self._name(boundary if exact else boundary.rstrip())
                return entity.start
            if entity.encoding:
                return entity.start
            inner = _message(self.buffer, entity.start, depth=entity.depth + 1)
            entity.children.append(inner)
            entity = inner

    def _name(self, boundary: bytes) -> int:
        """A boundary that an outer multipart uses already stays the outer one's."""
        if boundary not in self.level:
            self.level[boundary] = len(self.open) - 1
            self.names[-1].append(boundary)
        return self.level[boundary]

    def _unsplit(self) -> bool:
        top = self.open[-1]
        return top.is_multipart and not top.children and top.depth < MAX_DEPTH

    def _close(self, level: int, end: int, *, strip: bool) -> None:
        """Closes what is open from `level` inwards; the line break before a delimiter is its own (RFC 2046 5.1.1)."""
        if strip:
            end -= 1
            while end > 0 and self.buffer[end - 1] == 0x0D:
                end -= 1
        while len(self.open) > level:
            entity = self.open.pop()
            entity.closed = strip and len(self.open) == level
            entity.end = max(end, entity.start)
            for boundary in self.names.pop():
                del self.level[boundary]
