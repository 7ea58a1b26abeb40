"""Structured fields with parameters: Content-Type, Content-Disposition (RFC 2045 5.1, RFC 2183, RFC 2231)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from postroad.mail.charset import decode
from postroad.mail.encoded_word import decode_words

MAX_PARAMETERS = 500
"""Parameters read of one field, continued sections counted each."""

_USUAL = 60  # characters of a field that many mails have in common, such as "text/plain; charset=utf-8"
_WORD = r"[\w!#$%&'*+.^`|~-]{1,127}"
_TYPE = re.compile(rf"\s*({_WORD}/{_WORD})")
_TOKEN = re.compile(rf"\s*({_WORD})")
_PARAMETER = re.compile(r";\s*([^\s=;\"]{1,100})\s*=\s*(\"(?:[^\"\\]|\\.)*\"?|[^;]*)", re.DOTALL)
_ESCAPED = re.compile(r"\\([\"\\])")
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*?)\Z")
_SAME_TYPE = {"binary/octet-stream": "application/octet-stream"}


def media_type(field: str) -> tuple[str, Mapping[str, str]]:
    """Lower-cased type ("" when none can be read) and parameters of a Content-Type field."""
    return _usual_type(field) if len(field) <= _USUAL else _media_type(field)


@lru_cache(maxsize=512)
def _usual_type(field: str) -> tuple[str, Mapping[str, str]]:
    return _media_type(field)


def _media_type(field: str) -> tuple[str, Mapping[str, str]]:
    match = _TYPE.match(field)
    if match is None:
        return "multipart/mixed" if token(field) == "multipart" else "", parameters(field)
    rest = field[match.end() :].lstrip()
    name = match[1].lower()
    # "application/pdf name=x": the semicolon forgotten.
    return _SAME_TYPE.get(name, name), parameters(rest if rest.startswith(";") else ";" + rest)


def disposition(field: str) -> tuple[str, Mapping[str, str]]:
    """Lower-cased disposition ("" when none can be read) and parameters of a Content-Disposition field."""
    word = _TOKEN.match(field)
    rest = field[word.end() :].lstrip() if word else field
    if rest.startswith("="):  # "filename=x": the disposition forgotten
        return "", parameters(";" + field)
    return token(field), parameters(rest if rest.startswith(";") else ";" + rest)


def token(field: str) -> str:
    """The leading word of a field in lower case: a disposition, a transfer encoding, a keyword."""
    match = _TOKEN.match(field)
    return match[1].lower() if match else ""


def parameters(field: str) -> dict[str, str]:
    """Decoded parameters by lower-cased name; the first of a name wins, but an extended one (RFC 2231) over a plain."""
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bool, str]]] = {}
    for count, match in enumerate(_PARAMETER.finditer(field)):
        if count >= MAX_PARAMETERS:
            break
        name, value = match[1].lower(), _unquoted(match[2])
        section = _SECTION.match(name)
        if section is None or (section[2] is None and not section[3]):
            plain.setdefault(name, value)
        else:
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (bool(section[3]), value))
    return {name: decode_words(value) for name, value in plain.items()} | {
        name: _joined(parts) for name, parts in sections.items()
    }


def _unquoted(value: str) -> str:
    value = value.strip()
    if not value.startswith('"'):
        return value
    value = value[1:].removesuffix('"')
    return _ESCAPED.sub(r"\1", value) if "\\" in value else value


def _joined(parts: dict[int, tuple[bool, str]]) -> str:
    """RFC 2231 4.1: sections in order of their numbers; the first names the charset for all."""
    charset, octets = "utf-8", []
    for position, (_, (extended, value)) in enumerate(sorted(parts.items())):
        text = value
        if extended and position == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets.append(unquote_to_bytes(text) if extended else text.encode("utf-8", "replace"))
    return decode_words(decode(b"".join(octets), charset))
