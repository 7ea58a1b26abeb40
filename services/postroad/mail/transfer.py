"""Content-Transfer-Encoding undone (RFC 2045 6), with what breaks in transit repaired."""

import re
from binascii import Error, a2b_base64, a2b_qp, a2b_uu

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")
_UUENCODED = ("x-uuencode", "uuencode", "x-uue", "uue")


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """The octets of `body` before its transfer encoding; an unknown encoding is taken as none."""
    match encoding:
        case "quoted-printable":
            return a2b_qp(body)
        case "base64":
            return _base64(body)
        case _ if encoding in _UUENCODED:
            return _uuencoded(body)
        case _:
            return body


def _base64(body: bytes) -> bytes:
    try:
        return a2b_base64(body)
    except Error:
        pass  # padding lost, a letter too many, or no base64 at all
    if len(body.split()) > 2 * body.count(b"\n") + 8:
        return body  # words of people under a wrong label
    letters = _NOT_BASE64.sub(b"", body).rstrip(b"=")
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return a2b_base64(letters + b"=" * (-len(letters) % 4))
    except Error:
        return body


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
