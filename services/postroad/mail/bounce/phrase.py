"""Phrases to look for in a notice's words. "*" in a phrase stands for up to 60 other characters."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from operator import itemgetter
from typing import Generic, TypeVar

V = TypeVar("V")

_GAP = 60
_KEY = 4  # octets at the head of a word by which phrases are looked up
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\xa0": " ", "\xad": None})
_DIVIDED = bytes.maketrans(b"!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~", b" " * 31)
_head = itemgetter(slice(_KEY))
_UNSPACED = re.compile("[\u0e00-\U0010ffff]")  # in these scripts no blanks divide words


def flat(text: str) -> str:
    """Lower case, every white space one blank, quotes straight: the form in which phrases compare."""
    return " ".join((text if text.isascii() else text.translate(_QUOTES)).split()).lower()


def keys_of(text: str) -> Set[bytes]:
    """The heads of all words in a flat text, for those who look for phrases of several tables in it."""
    return set(map(_head, text.encode("utf-8", "replace").translate(_DIVIDED).split()))


class Phrases(Generic[V]):
    """Rows of (value, phrases). Only those whose rarest word occurs in a text are looked for: hundreds cost little."""

    def __init__(self, rows: Iterable[tuple[V, Iterable[str]]]) -> None:
        self._rows = [(phrase, value) for value, phrases in rows for phrase in phrases]
        self._parts = [
            (phrase.split("*")[0], phrase.rpartition("*")[2], _pattern(phrase) if "*" in phrase else None)
            for phrase, _ in self._rows
        ]
        self._by_key: dict[bytes, list[int]] = {}
        self._unspaced: list[int] = []
        keys = [[] if _UNSPACED.search(phrase) else sorted(keys_of(phrase)) for phrase, _ in self._rows]
        often = Counter(key for each in keys for key in each)
        for row, each in enumerate(keys):
            if each:
                rarest = min(each, key=lambda key: (-len(key), often[key]))
                self._by_key.setdefault(rarest, []).append(row)
            else:
                self._unspaced.append(row)
        self._keys = frozenset(self._by_key)

    def first(self, text: str, keys: Set[bytes] | None = None) -> V | None:
        """The value of the first row that a flat text fits. `keys` are those of the text, if they are known."""
        for row in self._candidates(text, keys):
            head, tail, pattern = self._parts[row]
            if head in text and (pattern is None or (tail in text and pattern.search(text))):
                return self._rows[row][1]
        return None

    def each(self, text: str, keys: Set[bytes] | None = None) -> Iterator[tuple[int, V]]:
        """Where in a flat text phrases begin, every time they do; no particular order."""
        for row in self._candidates(text, keys):
            head, tail, pattern = self._parts[row]
            at = text.find(head)
            if at < 0:
                continue
            value = self._rows[row][1]
            if pattern is not None:
                if tail in text:
                    yield from ((match.start(), value) for match in pattern.finditer(text))
                continue
            while at >= 0:
                yield at, value
                at = text.find(head, at + len(head))

    def _candidates(self, text: str, keys: Set[bytes] | None) -> list[int]:
        found = []
        for key in self._keys & (keys_of(text) if keys is None else keys):
            found += self._by_key[key]
        if not text.isascii() and _UNSPACED.search(text):
            found += self._unspaced
        found.sort()
        return found


def _pattern(phrase: str) -> re.Pattern[str]:
    return re.compile(rf".{{0,{_GAP}}}?".join(re.escape(part) for part in phrase.split("*")))


def divided(phrases: str) -> tuple[str, ...]:
    """The phrases of a block of text, divided by "|"."""
    return tuple(phrase for one in phrases.split("|") if (phrase := " ".join(one.split())))
