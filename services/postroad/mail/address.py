"""Addresses as people write them (RFC 5322 3.4, RFC 6532), found whatever surrounds them, and how they compare."""

import re
from dataclasses import dataclass
from itertools import pairwise

import idna

from postroad.mail.encoded_word import decode_words

MAX_MAILBOXES = 10_000
"""Mailboxes read of one field."""
MAX_TEXT = 1 << 18
"""Characters read of a field in which anything is unusual: more than twice what mail servers let pass."""

_TOKEN = re.compile(
    r"(?P<word>=\?[^?\s]{1,60}\?[bBqQ]\?[^?<>]*\?=)"  # kept whole: commas and brackets inside mean nothing
    r"|(?P<quoted>\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<angle><[^<>]*>)"
    r"|(?P<separator>[,;])"
    r"|(?P<colon>:)"
    r"|(?P<open>\()|(?P<close>\))"
    r"|(?P<atom>(?:[^\s\"(),:;<>\[\]\\]|\[[^\[\]<>,\s]*\]|\\.)+)"
    r"|(?P<junk>[\"<>\[\]\\])",
    re.DOTALL,
)
# One mailbox of a list as nearly all programs write it; whatever differs is read piece by piece.
_ATOM = r"[\w!#$%&'*+/^`{|}~.-]+"
_BARE = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_USUAL = re.compile(
    rf"\s*(?:(?:({_ATOM}(?: {_ATOM})*|\"[^\"\\\s]+(?: [^\"\\\s]+)*\") ?)?<({_BARE})>"
    rf"|({_BARE})(?: \(([\w .'-]+)\))?)\s*(?:,|\Z)"
)
_UNQUOTE = re.compile(r"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(r"[^\s\"(),:;<>@\[\]\\]+\Z")
_ADDRESS = re.compile(
    r"(?:[^\s\"(),:;<>@\[\]\\]+|\"(?:[^\"\\\x00-\x1f]|\\[ -~])*\")@(\[[^\[\]\s]*\]|[^\s\"(),:;<>@\[\]\\]+)\Z"
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """RFC 5322 3.4: a display name ("" when none) and an address, its domain lower-cased and in IDNA form."""

    name: str
    address: str


def mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Every mailbox in an unfolded address field; groups are opened, addresses without brackets are found (M3)."""
    found = _usual(text)
    if found:
        return tuple(found)
    for segment in _segments(text[:MAX_TEXT]):
        found.extend(_read(segment))
        if len(found) >= MAX_MAILBOXES:
            break
    return tuple(found[:MAX_MAILBOXES])


def _usual(text: str) -> list[Mailbox]:
    """The mailboxes of a field that holds nothing unusual; else none."""
    found: list[Mailbox] = []
    at = 0
    while at < len(text) and len(found) < MAX_MAILBOXES:
        match = _USUAL.match(text, at)
        if match is None:
            return []
        local, _, domain = (match[2] or match[3]).rpartition("@")
        name = match[1] or match[4] or ""  # RFC 5322 A.5: once the name stood in a comment
        found.append(Mailbox(decode_words(name.strip('"')).strip(), f"{local}@{domain.lower()}"))
        at = match.end()
    return found


def normalise(address: str) -> str:
    """The form in which addresses compare: bare, lower case, domain in IDNA form; dots and +tags stay."""
    bare = address.strip().removeprefix("<").removesuffix(">").strip()
    local, at, domain = bare.rpartition("@")
    if not at:
        return bare.lower()
    if local.startswith('"') and local.endswith('"') and _DOT_ATOM.match(inner := _UNQUOTE.sub(r"\1", local[1:-1])):
        local = inner
    return f"{local.lower()}@{ascii_domain(domain)}"


def split_token(address: str) -> tuple[str, str]:
    """`local+token@domain` as (`local@domain`, `token`); the token is "" when there is none."""
    local, at, domain = address.rpartition("@")
    base, plus, token = local.partition("+")
    return (f"{base}{at}{domain}", token) if plus and base else (address, "")


def ascii_domain(domain: str) -> str:
    """A domain lower-cased, in A-labels (RFC 5890); one that IDNA refuses stays as it is, lower-cased."""
    domain = domain.strip().rstrip(".").lower()
    if domain.isascii() or len(domain) > 253:
        return domain
    try:
        return str(idna.encode(domain, uts46=True).decode("ascii")).lower()
    except (idna.IDNAError, UnicodeError):
        return domain


def bare_address(text: str) -> str:
    """The one address that `text` is, brackets or not, its domain in IDNA form; "" when it is none."""
    if "@" not in text:  # as most words are
        return ""
    text = text.strip().removeprefix("<").removesuffix(">").strip()
    text = text[7:] if text[:7].lower() == "mailto:" else text
    if text.startswith("@") and ":" in text:  # RFC 5321 4.1.2: a source route is ignored
        text = text.partition(":")[2]
    text = text if '"' in text else _joined(text.split())
    match = _ADDRESS.match(text)
    if match is None:
        return ""
    local, _, domain = text.rpartition("@")
    domain = ascii_domain(domain)
    return f"{local}@{domain}" if domain else ""


def _joined(words: list[str]) -> str:
    """White space beside "@" and "." is folding (RFC 5322 4.4); elsewhere it makes two words of it, and no address."""
    folded = all(one.endswith(("@", ".")) or other.startswith(("@", ".")) for one, other in pairwise(words))
    return "".join(words) if folded else ""


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: str
    text: str


def _segments(text: str, *, comments: bool = True) -> list[list[_Piece]]:
    """The field cut at commas, semicolons and group names. What is opened and never closed counts as white space."""
    segments: list[list[_Piece]] = [[]]
    depth, comment, angled = 0, 0, False
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "open" and comments:
            comment = comment if depth else match.end()
            depth += 1
        elif kind == "close" and depth:
            depth -= 1
            if depth == 0:
                segments[-1].append(_Piece("comment", text[comment : match.start()]))
        elif depth or kind in ("open", "close", "junk"):
            continue
        elif kind == "separator":
            segments.append([])
            angled = False
        elif kind == "colon":
            segments[-1] = segments[-1] if angled else []
        else:
            angled = angled or kind == "angle"
            segments[-1].append(_Piece(kind, match[0]))
    return _segments(text, comments=False) if depth else segments


def _read(segment: list[_Piece]) -> list[Mailbox]:
    if any(piece.kind == "angle" for piece in segment):
        found, words = [], list[_Piece]()
        for piece in segment:
            if piece.kind != "angle":
                words.append(piece)
            elif address := bare_address(piece.text):
                found.append(Mailbox(_phrase(words), address))
                words = []
        return found
    return _read_bare(segment)


def _read_bare(segment: list[_Piece]) -> list[Mailbox]:
    """`a@b`, `a@b (Name)`, `Name a@b`, `a @ b`, `"a@b"`."""
    words, comment = list[str](), ""
    for piece in segment:
        if piece.kind == "comment":
            comment = piece.text
        elif words and len(words[-1]) < 400 and (words[-1].endswith("@") or piece.text.startswith("@")):
            words[-1] += piece.text
        else:
            words.append(piece.text)
    found, name = [], list[str]()
    for word in words:
        quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'"
        if address := bare_address(word[1:-1] if quoted else word):
            found.append(Mailbox(decode_words(" ".join(name) or comment).strip(), address))
            name = []
        else:
            name.append(_plain(word))
    if not found and any(piece.kind == "word" for piece in segment):  # the whole address hidden in an encoded word
        decoded = decode_words(" ".join(words)).strip()
        inner, _, tail = decoded.rpartition("<")
        if address := bare_address(tail if inner else decoded):
            return [Mailbox(inner.strip(' "'), address)]
    return found


def _phrase(words: list[_Piece]) -> str:
    named = [_plain(piece.text) for piece in words if piece.kind != "comment"]
    return decode_words(" ".join(named) or " ".join(piece.text for piece in words)).strip()


def _plain(word: str) -> str:
    if len(word) > 1 and word.startswith('"') and word.endswith('"'):
        return _UNQUOTE.sub(r"\1", word[1:-1])
    return word
