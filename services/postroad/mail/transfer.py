"""Content-Transfer-Encoding undone (RFC 2045 6), with what breaks in transit repaired."""

import re
from binascii import Error, a2b_base64, a2b_qp, a2b_uu

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_NO_LETTERS = b"\r\n\t ="
_PLENTY = 0.7  # octets of a letter, line ends counted among the letters
_LETTER = rb"\s*[A-Za-z0-9+/]"
_WHOLE = re.compile(  # base64 with its padding, or that ends evenly before a list's footer or with the body
    rb"(?:(?:%b){4})*+(?:(?:%b){2}\s*=\s*=|(?:%b){3}\s*=|(?<=[A-Za-z0-9+/])(?=\s*(?:\Z|\n\s*[-_]{2})))"
    % (_LETTER, _LETTER, _LETTER)
)
_SOFT_BREAK = re.compile(rb"=[ \t]+\r*\n|=\r(?!\r*\n)")
_UUENCODED = ("x-uuencode", "uuencode", "x-uue", "uue")


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """The octets of `body` before its transfer encoding; an unknown encoding is taken as none."""
    match encoding:
        case "quoted-printable" | "quoted-printeable" | "quotedprintable" | "q":
            return _quoted_printable(body)
        case "base64" | "base-64" | "b":
            return _base64(body)
        case _ if encoding in _UUENCODED:
            return _uuencoded(body)
        case _:
            return body


def _quoted_printable(body: bytes) -> bytes:
    # RFC 2045 6.7 (3): blanks behind a soft line break were added in transit. A bare CR would hide what follows it.
    if b"= " in body or b"=\t" in body or body.count(b"=\r") != body.count(b"=\r\n"):
        body = _SOFT_BREAK.sub(b"=\n", body)
    return a2b_qp(body)


def _base64(body: bytes) -> bytes:
    try:
        decoded = a2b_base64(body)
    except Error:  # padding lost, a letter too many, or no base64 at all
        decoded = b""
    if len(decoded) > _PLENTY * len(body) and body.find(b"=", 0, -4) < 0:
        return decoded  # all but line ends were letters
    # Fewer octets than letters promise: foreign letters were passed over, or padding ended it early.
    letters = len(body.translate(None, _NO_LETTERS))
    return decoded if letters and len(decoded) == letters * 3 // 4 else _repaired(body)


def _repaired(body: bytes) -> bytes:
    """What can be had of broken base64; words of people under a wrong label stay as they are."""
    octets, at = [], 0
    while (whole := _WHOLE.match(body, at)) is not None and whole.end() > at:  # several in a row, a footer below
        octets.append(a2b_base64(whole[0]))
        at = whole.end()
    if octets:
        return b"".join(octets)
    if len(body.split()) > 1.5 * body.count(b"\n") + 5:
        return body
    letters = _NOT_BASE64.sub(b"", body)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return a2b_base64(letters + b"=" * (-len(letters) % 4))


def _uuencoded(body: bytes) -> bytes:
    decoded = []
    for line in body.splitlines():
        if line.startswith(b"begin ") or not line:
            continue
        if line.startswith((b"end", b"`")):
            break
        try:
            decoded.append(a2b_uu(line))
        except Error:  # trailing blanks lost, or garbage behind: take what the length octet promises
            length = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded.append(a2b_uu(line[:length].ljust(length)))
            except Error:
                return body
    return b"".join(decoded)
