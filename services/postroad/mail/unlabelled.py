"""Which charset 8-bit text is in when no label says so (M8): the one in which it is valid and looks like a language."""

import codecs
import re
from collections import Counter
from functools import cache, lru_cache
from operator import add

from postroad.mail.spelling import CHARACTERS, PAIRS

WESTERN = "cp1252"
"""What stands unless something else is clearly better."""

_SEARCHED = 65_536  # octets in which lines with 8-bit characters are looked for
_JUDGED = 600  # octets of such lines that are judged; more never changed an answer
_BEFORE = 40  # octets kept of what stands before the first 8-bit one
_LETTERS = {  # codecs of one octet a character, and the languages written in them
    WESTERN: (
        *("German", "French", "Spanish", "Portuguese", "Italian", "Dutch", "Swedish", "Danish", "Norwegian"),
        *("Finnish", "Catalan", "Icelandic"),
    ),
    "cp1250": ("Polish", "Czech", "Slovak", "Hungarian", "Croatian", "Slovene", "Romanian"),
    "iso8859-2": ("Polish", "Czech", "Slovak", "Hungarian", "Croatian", "Slovene", "Romanian"),
    "cp1257": ("Lithuanian", "Latvian", "Estonian"),
    "cp1254": ("Turkish",),
    "cp1251": ("Russian", "Ukrainian", "Bulgarian"),
    "koi8-u": ("Russian", "Ukrainian", "Bulgarian"),
    "iso8859-5": ("Russian", "Ukrainian", "Bulgarian"),
    "cp866": ("Russian",),
    "cp1253": ("Greek",),
    "iso8859-7": ("Greek",),
    "cp1255": ("Hebrew",),
    "cp1256": ("Arabic", "Persian"),
    "iso8859-6": ("Arabic",),
    "cp874": ("Thai",),
}
_SYLLABARIES = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB))))
_PUNCTUATION = "、。，．！？「」『』（）：；《》【】\u3000・ー〜～"
_CHARACTERS = {  # codecs of several octets a character
    "gb18030": frozenset(CHARACTERS["simplified Chinese"] + _PUNCTUATION),
    "cp950": frozenset(CHARACTERS["traditional Chinese"] + _PUNCTUATION),
    "cp932": frozenset(CHARACTERS["Japanese"] + _SYLLABARIES + _PUNCTUATION),
    "euc_jp": frozenset(CHARACTERS["Japanese"] + _SYLLABARIES + _PUNCTUATION),
    "cp949": frozenset(CHARACTERS["Korean"] + _PUNCTUATION),
}
_ENOUGH = 0.5  # share of neighbours that must be usual ones
_ENOUGH_CHARACTERS = 0.3  # likewise of characters; texts use many that are not among the most usual
_CLEARLY = 0.1  # by how much a reading must be better than the Western one, and by more the fewer neighbours there are
# What stands around words in any language: it says nothing of the charset.
_EDGE = re.compile("[\x00-@\\[-`{-\x7f\u00a0«»“”„‘’‚–—…•·°§©®™€£¡]")
_ASCII_RUN = re.compile(rb"([\x00-\x7f])[\x00-\x7f]+([\x00-\x7f])")


def charset_of(octets: bytes) -> str:
    """The codec of 8-bit text that is not UTF-8; "" when none makes words of it."""
    return _likeliest(_sample(octets))


@lru_cache(maxsize=64)  # a mail asks for its text and for its header
def _likeliest(sample: bytes) -> str:
    western, found, best = -1.0, "", 0.0
    letters = _ASCII_RUN.sub(rb"\1 \2", sample)
    for codec, languages in _LETTERS.items():
        text = _read(letters, codec)
        share, neighbours = _share_of_pairs(text, languages) if text else (0.0, 0)
        if codec == WESTERN:
            if text and (share + _CLEARLY >= 1 or _EDGE.sub("", text).isascii()):
                return WESTERN  # nothing can be clearly better, or it is quotes and dashes alone
            western = share
        elif share >= _ENOUGH and share > max(best, western + _CLEARLY + 1 / neighbours):
            found, best = codec, share
    for codec, usual in _CHARACTERS.items():
        share = _share_of_characters(_read(sample, codec), usual)
        if share >= _ENOUGH_CHARACTERS and share > max(best, western + _CLEARLY):
            found, best = codec, share
    return found or (WESTERN if western > _ENOUGH else "")


def _sample(octets: bytes) -> bytes:
    """The first lines with 8-bit characters."""
    lines, size = [], 0
    for line in octets[:_SEARCHED].split(b"\n"):
        if not line.isascii():
            first = next(at for at, octet in enumerate(line) if octet > 0x7F)
            lines.append(line[max(first - _BEFORE, 0) :][: _JUDGED - size])
            size += len(lines[-1])
            if size >= _JUDGED:
                break
    return b"\n".join(lines)


def _read(sample: bytes, codec: str) -> str:
    """The sample in this charset; "" when it cannot be. A character cut at its end is no harm."""
    try:
        return codecs.getincrementaldecoder(codec)().decode(sample)
    except UnicodeDecodeError:
        return ""


def _share_of_pairs(text: str, languages: tuple[str, ...]) -> tuple[float, int]:
    """Of the neighbours with a letter beyond ASCII: how many are usual in the likeliest language, and their number."""
    words = _EDGE.sub(" ", text)
    pairs, total = Counter[str](), 0
    for pair, times in Counter(map(add, words, words[1:])).items():
        if pair.isascii():
            continue
        total += times
        if not (pair[0].islower() and pair[1].isupper()):  # a capital inside a word betrays a wrong reading
            pairs[pair.lower()] += times
    usual = (sum(pairs[pair] for pair in pairs.keys() & _pairs(language)) for language in languages)
    return (max(usual) / total, total) if total else (0.0, 0)


def _share_of_characters(text: str, usual: frozenset[str]) -> float:
    beyond = [character for character in text if character > "\x7f"]
    return sum(character in usual for character in beyond) / len(beyond) if beyond else 0.0


@cache
def _pairs(language: str) -> frozenset[str]:
    letters = PAIRS[language]
    return frozenset(letters[at : at + 2] for at in range(0, len(letters), 2))
