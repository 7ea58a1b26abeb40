"""Bytes to text, whatever label they carry (M8); never an error, never a lost mail."""

import codecs
import re
from contextlib import suppress
from encodings.aliases import aliases
from functools import lru_cache

from postroad.mail.unlabelled import WESTERN, charset_of

_LABEL = re.compile(r"[\s\"']*([A-Za-z0-9][A-Za-z0-9._:+-]{0,39})")

# Labels seen in mail that Python does not know, or knows as a subset of what is really sent under them.
_MAIL_LABELS = {
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "gb2312": "gb18030",
    "gb_2312_80": "gb18030",
    "gb2312_80": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "big5": "cp950",
    "x_big5": "cp950",
    "ks_c_5601_1987": "cp949",
    "ks_c_5601": "cp949",
    "euc_kr": "cp949",
    "x_sjis": "cp932",
    "shift_jis": "cp932",
    "iso_2022_jp": "iso2022_jp_ext",
    "tis_620": "cp874",
    "x_mac_roman": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "unicode_1_1_utf_8": "utf_8",
    "x_unicode_2_0_utf_7": "utf_7",
    "unicode_2_0_utf_7": "utf_7",
    "utf8mb4": "utf_8",
    "x_unknown": "",
    "unknown_8bit": "",
    "default": "",
}
_WINDOWS = re.compile(r"(?:x_)?(?:windows|win|cp|ms)_?(\d{3,5})\Z")
_ISO_8859 = re.compile(r"iso_?8859_?(\d{1,2})\Z")
# What is sent as ISO 8859 with octets 0x80-0x9F, which are controls there, is the Windows code page of its name.
_WINDOWS_OF = {"iso8859-1": "cp1252", "iso8859-9": "cp1254"}
_C1 = re.compile("[\x80-\x9f]")
_UNALIASED = ("cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_r", "koi8_t", "koi8_u", "utf_8_sig")
# Text codecs of Python that are no charsets of mail; punycode decodes in quadratic time.
_NO_CHARSET = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
# Known codecs are looked up here first: asking `codecs` for made-up labels reads the disk and fills a cache for ever.
_KNOWN = frozenset(aliases.values()) | frozenset(_UNALIASED)
_LIKE_ASCII = ("", "utf-8", "iso8859-1", "cp1252")  # read octets below 0x80 as they are
_REPLACED = "\ufffd"
_BYTE_ORDER_MARK = "\ufeff"
_ESCAPE = re.compile(rb"\x1b\$[@B)(]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@lru_cache(maxsize=512)
def codec_of(label: str) -> str:
    """The Python codec for a charset label of RFC 2045; "" when undeclared, unknown, or merely us-ascii."""
    match = _LABEL.match(label)
    if match is None:
        return ""
    name = re.sub(r"[^a-z0-9]", "_", match[1].lower())
    name = _MAIL_LABELS.get(name, name)
    name = _ISO_8859.sub(r"iso8859_\1", _WINDOWS.sub(r"cp\1", name))
    name = aliases.get(name, name)
    if name not in _KNOWN or name in _NO_CHARSET or name == "ascii":
        return ""
    try:
        b"text".decode(name, "ignore")
        return codecs.lookup(name).name
    except (LookupError, ValueError):  # a codec of bytes to bytes, such as zlib
        return ""


def decode(payload: bytes, label: str = "", *, beside: str = "") -> str:
    """Text of `payload` under the declared `label`; what cannot be read is replaced.

    Undeclared is UTF-8, else in the charset `beside` (that of the text it stands with), else what it looks like.
    """
    codec = codec_of(label)
    if payload.isascii() and codec in _LIKE_ASCII:
        return _escaped(payload) if not codec and _ESCAPE.search(payload) else payload.decode("ascii")
    if not codec:
        return _undeclared(payload, beside)
    try:
        text = payload.decode(codec, "replace")
    except (LookupError, ValueError):
        return _undeclared(payload, beside)
    if codec == "utf-8" and _REPLACED in text:
        return _misdeclared(payload, text)
    if codec in _WINDOWS_OF and _C1.search(text):
        text = payload.decode(_WINDOWS_OF[codec], "replace")
    # UTF-7 alone lets half a character through, which no encoder takes afterwards.
    text = _SURROGATE.sub(_REPLACED, text) if codec == "utf-7" else text
    return text.removeprefix(_BYTE_ORDER_MARK)


def label_of(payload: bytes, label: str) -> str:
    """The label under which `payload` is read: the declared one, or what it looks like; "" when UTF-8 or ASCII."""
    codec = codec_of(label)
    if codec not in ("", "utf-8"):
        return codec
    text = payload.decode("utf-8", "replace")
    return "" if _REPLACED not in text or _is_cut(text) else charset_of(payload)


def encode(text: str, label: str) -> bytes:
    """What `decode` turns into `text` under this label; UTF-8 where the charset has not got it."""
    try:
        return text.encode(codec_of(label) or "utf-8")
    except (LookupError, ValueError):
        return text.encode("utf-8", "replace")


def _undeclared(payload: bytes, beside: str) -> str:
    if payload.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return payload.decode("utf-16", "replace")
    try:
        return payload.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError:
        text = payload.decode("utf-8", "replace")
    if _is_cut(text):
        return text
    if beside and (codec := codec_of(beside)) not in _LIKE_ASCII:
        with suppress(LookupError, ValueError):
            if b"a".decode(codec) == "a":  # neither UTF-16 nor EBCDIC
                return payload.decode(codec)
    return payload.decode(charset_of(payload) or WESTERN, "replace")


def _misdeclared(payload: bytes, text: str) -> str:
    """UTF-8 by its label, but not by its octets: another charset if one makes words of it."""
    codec = "" if _is_cut(text) else charset_of(payload)
    return (payload.decode(codec, "replace") if codec else text).removeprefix(_BYTE_ORDER_MARK)


def _is_cut(text: str) -> bool:
    """One cut character in UTF-8 text stays UTF-8; text with more holes than letters was another charset all along."""
    holes = text.count(_REPLACED)
    letters = len(text) - holes - len(text.encode("ascii", "ignore"))
    return holes <= letters


def _escaped(payload: bytes) -> str:
    """ASCII octets that switch charsets by escapes (RFC 1468, RFC 1557), as Japanese and Korean mail did unlabelled."""
    for codec in ("iso2022_jp_ext", "iso2022_kr"):
        with suppress(ValueError):
            return payload.decode(codec)
    return payload.decode("ascii")
