"""Header fields as they are written: folded, encoded words, mailboxes, parameters (RFC 5322, 2047, 2231, 6532)."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence

from postroad.mail.address import bare_address
from postroad_schemas.values import Mailbox

LINE = 76  # aimed at: RFC 2047 2 for lines with encoded words, below the 78 of RFC 5322 2.1.1
MAX_LINE = 998
_WORD = 39  # octets of text in one encoded word: leaves room for a field name before it

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_CHUNK = re.compile(r"[ \t]*[^ \t]+")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,70}\Z")
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,900}\Z")
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_ATTRIBUTE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~")


def one_line(text: str) -> str:
    """`text` without line breaks and other controls: nothing in a value can begin a new field."""
    return _CONTROL.sub(" ", text).strip()


def field(name: str, chunks: Iterable[str]) -> bytes:
    """`name: chunk chunk ...` folded between chunks (RFC 5322 2.2.3). A chunk's own leading white space is kept.

    Not before the first chunk, encoded words aside: a Message-ID on a line of its own is lost on too many readers.
    """
    lines, line = list[str](), f"{name}:"
    for chunk in chunks:
        spaced = chunk if chunk[:1] in (" ", "\t") else f" {chunk}"
        if len(line) + len(spaced) > LINE and (lines or len(line) > len(name) + 1 or chunk.startswith("=?")):
            lines.append(line)
            line = spaced
        else:
            line += spaced
    lines.append(line)
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n"


def is_field_name(name: str) -> bool:
    return _FIELD_NAME.match(name) is not None


def text_field(name: str, value: str) -> bytes:
    """An unstructured field: as it stands if that is plain, else in encoded words."""
    value = one_line(value)
    chunks = _CHUNK.findall(value)
    plain = value.isascii() and "=?" not in value and all(len(chunk) < MAX_LINE - LINE for chunk in chunks)
    return field(name, chunks if plain else encoded_words(value))


def encoded_words(text: str) -> list[str]:
    """RFC 2047: UTF-8 in words of at most 75 characters, no character split; B or Q, whichever is shorter."""
    octets = [character.encode("utf-8", "replace") for character in text]
    quoted = sum(len(_q(one)) for one in octets)
    use_q = quoted <= sum(map(len, octets)) * 4 / 3
    words, word, size = list[str](), b"", 0
    for one in octets:
        length = len(_q(one)) if use_q else len(one)
        if size + length > (_WORD * 4 // 3 if use_q else _WORD):
            words.append(_encoded_word(word, use_q=use_q))
            word, size = b"", 0
        word, size = word + one, size + length
    return [*words, _encoded_word(word, use_q=use_q)] if word else words


def _encoded_word(octets: bytes, *, use_q: bool) -> str:
    return f"=?utf-8?q?{_q(octets)}?=" if use_q else f"=?utf-8?b?{b64encode(octets).decode()}?="


def _q(octets: bytes) -> str:
    return "".join(chr(o) if o in _Q_PLAIN else "_" if o == 32 else f"={o:02X}" for o in octets)


def mailbox_field(name: str, boxes: Sequence[Mailbox]) -> bytes:
    """RFC 5322 3.6.2, 3.6.3. Mailboxes whose address is none are left out; no field if none remains."""
    written = [chunks for box in boxes if (chunks := mailbox_chunks(box))]
    if not written:
        return b""
    separated = [[*chunks[:-1], f"{chunks[-1]},"] for chunks in written[:-1]]
    return field(name, [chunk for chunks in (*separated, written[-1]) for chunk in chunks])


def mailbox_chunks(box: Mailbox) -> list[str]:
    """A mailbox cut where it may be folded. A non-ASCII local part stays as it is (RFC 6532).

    Nothing for what is no address, or one that no line has room for.
    """
    address, name = bare_address(one_line(box.address)), one_line(box.name)
    if not address or len(address.encode("utf-8", "replace")) > MAX_LINE - LINE:
        return []
    return [*_phrase(name), f"<{address}>"] if name else [address]


def _phrase(name: str) -> list[str]:
    if not name.isascii() or "=?" in name or len(name) > LINE - 10:
        return encoded_words(name)
    if _ATOMS.match(name):
        return name.split(" ")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return [f'"{escaped}"']


def message_ids(ids: Iterable[str]) -> list[str]:
    """`<id>` of each that is one; what cannot stand in a header is left out (RFC 5322 3.6.4)."""
    bare = (identifier.strip().removeprefix("<").removesuffix(">") for identifier in ids)
    return [f"<{identifier}>" for identifier in bare if _MESSAGE_ID.match(identifier)]


def parameter_chunks(name: str, value: str) -> list[str]:
    """`; name="value"`; continued and percent-encoded when long or not ASCII (RFC 2231)."""
    value = one_line(value)
    if value.isascii() and "=?" not in value and len(value) <= LINE - 20:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{name}="{escaped}"']
    octets = [chr(o) if o in _ATTRIBUTE else f"%{o:02X}" for o in value.encode("utf-8", "replace")]
    pieces, piece = list[str](), "utf-8''"
    for octet in octets:
        if len(piece) + len(octet) > LINE - 20:
            pieces.append(piece)
            piece = ""
        piece += octet
    pieces.append(piece)
    if len(pieces) == 1:
        return [f"{name}*={piece}"]
    return [f"{name}*{index}*={piece}" for index, piece in enumerate(pieces)]
