"""Non-ASCII text in header fields (RFC 2047), and the raw 8-bit text that people send instead."""

import re
from binascii import Error, a2b_base64, a2b_qp

from postroad.mail.charset import decode, encode

# A "?" inside is forbidden and sent all the same; what looks like the next word's beginning ends the search.
# Nothing is given back to be tried anew: else a word that never ends takes time that doubles with each letter.
_WORD = re.compile(r"=\?([^?\s]{1,60}+)\?([bBqQ])\?((?:[^?=]++|\?(?!=)|=(?!\?[^=\s]))*+)\?=")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def unfold(value: bytes, beside: str = "") -> str:
    """The text of a raw field body: folding undone (RFC 5322 2.2.3), controls removed.

    8-bit text is UTF-8, else in the charset labelled `beside`, that of the mail's text, else what it looks like.
    """
    plain = value.isascii() and b"\x1b" not in value
    text = value.decode("ascii") if plain else decode(value, beside=beside)
    if "\n" in text:
        text = text.replace("\n\t", "\n ").replace("\n", "")
    return (text if text.isprintable() else _CONTROL.sub("", text)).strip()


def decode_words(text: str) -> str:
    """`text` with its encoded words decoded; white space between two of them goes (RFC 2047 6.2).

    Neighbours of one charset are joined as bytes, because senders split characters between words.
    """
    if "=?" not in text:
        return text

    done: list[str] = []
    pending: list[bytes] = []
    charset, at = "", 0
    for word in _WORD.finditer(text):
        label = word[1].partition("*")[0].lower()  # RFC 2231 5: a language may follow
        octets = _octets(word[2], word[3], label)
        if octets is None:  # stays as it is, with the text that follows
            continue
        gap = text[at : word.start()]
        adjacent = bool(charset) and not gap.strip()
        if not adjacent or label != charset:
            done.append(decode(b"".join(pending), charset))
            pending = []
        if not adjacent:
            done.append(gap)
        pending.append(octets)
        charset, at = label, word.end()
    done.append(decode(b"".join(pending), charset))
    done.append(text[at:])
    return _CONTROL.sub("", "".join(done))


def _octets(encoding: str, encoded: str, label: str) -> bytes | None:
    raw = encoded.encode("ascii") if encoded.isascii() else encode(encoded, label)  # raw 8-bit inside a word
    if encoding in "qQ":
        return a2b_qp(raw.replace(b" ", b"_"), header=True)
    letters = _NOT_BASE64.sub(b"", raw)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return a2b_base64(letters + b"=" * (-len(letters) % 4)) if letters or not raw.strip(b"= ") else None
    except Error:
        return None
