"""Bytes to text, whatever label they carry (M8); never an error, never a lost mail."""

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

_LABEL = re.compile(r"[\s\"']*([A-Za-z0-9][A-Za-z0-9._:+-]{0,39})")

# Labels seen in mail that Python does not know, or knows as a subset of what is really sent under them.
_MAIL_LABELS = {
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "windows_874": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "ks_c_5601_1987": "cp949",
    "x_sjis": "cp932",
    "shift_jis": "cp932",
    "unicode_1_1_utf_8": "utf_8",
    "x_unknown": "",
    "unknown_8bit": "",
    "default": "",
}
_UNALIASED = ("cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_r", "koi8_t", "koi8_u", "utf_8_sig")
# Text codecs of Python that are no charsets of mail; punycode decodes in quadratic time.
_NO_CHARSET = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
# Known codecs are looked up here first: asking `codecs` for made-up labels reads the disk and fills a cache for ever.
_KNOWN = frozenset(aliases.values()) | frozenset(_UNALIASED)
_REPLACED = "\ufffd"
_SURROGATE = re.compile("[\ud800-\udfff]")


@lru_cache(maxsize=512)
def codec_of(label: str) -> str:
    """The Python codec for a charset label of RFC 2045; "" when undeclared, unknown, or merely us-ascii."""
    match = _LABEL.match(label)
    if match is None:
        return ""
    name = re.sub(r"[^a-z0-9]", "_", match[1].lower())
    name = _MAIL_LABELS.get(name, name)
    name = aliases.get(name, name)
    if name not in _KNOWN or name in _NO_CHARSET or name == "ascii":
        return ""
    try:
        b"text".decode(name, "ignore")
        return codecs.lookup(name).name
    except (LookupError, ValueError):  # a codec of bytes to bytes, such as zlib
        return ""


def decode(payload: bytes, label: str = "") -> str:
    """Text of `payload` under the declared `label`; undeclared is UTF-8, what cannot be read is replaced."""
    codec = codec_of(label)
    if not codec:
        return _undeclared(payload)
    try:
        text = payload.decode(codec, "replace")
    except (LookupError, ValueError):
        return _undeclared(payload)
    # UTF-7 alone lets half a character through, which no encoder takes afterwards.
    return _SURROGATE.sub(_REPLACED, text) if codec == "utf-7" else text


def _undeclared(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        text = payload.decode("utf-8", "replace")
    # One cut character in UTF-8 text stays UTF-8; text with more holes than letters was Latin all along.
    holes = text.count(_REPLACED)
    letters = sum(1 for _ in re.finditer(r"[^\x00-\x7f\ufffd]", text))
    return text if holes <= letters else payload.decode("cp1252", "replace")
