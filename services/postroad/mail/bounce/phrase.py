"""Phrases to look for in a notice's words. "*" in a phrase stands for up to 60 other characters."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from operator import itemgetter
from typing import Generic, TypeVar

V = TypeVar("V")

_GAP = 60
_KEY = 4  # octets at the head of a word by which phrases are looked up
# What most notices say, whatever they are about: of the words of a phrase these tell the least.
_COMMON = frozenset(
    b"addr be com coul deli doma emai erro exam fail foll for from has host is mail mess not of or perm reci reje remo "
    b"retu send sent serv smtp syst that the this to unkn user was you your".split()
)
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\xa0": " ", "\xad": None})
_DIVIDED = bytes.maketrans(b"!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~", b" " * 31)
_head = itemgetter(slice(_KEY))
_UNSPACED = re.compile("[\u0e00-\U0010ffff]")  # in these scripts no blanks divide words


def flat(text: str) -> str:
    """Lower case, every white space one blank, quotes straight: the form in which phrases compare."""
    return " ".join((text if text.isascii() else text.translate(_QUOTES)).split()).lower()


def _keys_of(text: str) -> Set[bytes]:
    return set(map(_head, _divided_words(text)))


def _divided_words(text: str) -> list[bytes]:
    return text.encode("utf-8", "replace").translate(_DIVIDED).split()


class Phrases(Generic[V]):
    """Rows of (value, phrases). Only those whose rarest word occurs in a text are looked for: hundreds cost little."""

    def __init__(self, rows: Iterable[tuple[V, Iterable[str]]]) -> None:
        self._rows = [(phrase, value) for value, phrases in rows for phrase in phrases]
        self._heads = [phrase.partition("*")[0] for phrase, _ in self._rows]
        self._gaps = [_Gap(phrase) if "*" in phrase else None for phrase, _ in self._rows]
        self._by_key: dict[bytes, list[int]] = {}
        self._unspaced: list[int] = []
        keys = [[] if _UNSPACED.search(phrase) else sorted(_certain(phrase)) for phrase, _ in self._rows]
        often = Counter(key for each in keys for key in each)
        for row, each in enumerate(keys):
            if each:
                rarest = min(each, key=lambda key: (key in _COMMON, -len(key), often[key]))
                self._by_key.setdefault(rarest, []).append(row)
            else:
                self._unspaced.append(row)
        self._keys = frozenset(self._by_key)

    def first(self, text: str) -> V | None:
        """The value of the first row that a flat text fits."""
        for row in sorted(self._candidates(text)):
            gap = self._gaps[row]
            if self._heads[row] not in text:
                continue
            if gap is None or next(gap.each(text), None) is not None:
                return self._rows[row][1]
        return None

    def each(self, text: str) -> Iterator[tuple[int, V]]:
        """Where in a flat text phrases begin, every time they do; no particular order."""
        for row in self._candidates(text):
            head = self._heads[row]
            at = text.find(head)
            if at < 0:
                continue
            value, gap = self._rows[row][1], self._gaps[row]
            if gap is not None:
                yield from ((at, value) for at in gap.each(text))
                continue
            while at >= 0:
                yield at, value
                at = text.find(head, at + len(head))

    def _candidates(self, text: str) -> list[int]:
        """Rows that the text may fit."""
        found = [row for key in self._keys & _keys_of(text) for row in self._by_key[key]]
        return found + self._unspaced if not text.isascii() and _UNSPACED.search(text) else found


def _certain(phrase: str) -> Set[bytes]:
    """The keys of every text that the phrase fits: not those of short words that may go on, unless it has no others."""
    last = {words[-1] for part in phrase.split("*") if (words := _divided_words(part)) and not words[-1].isdigit()}
    return {key for key in _keys_of(phrase) if len(key) == _KEY or key not in last} or _keys_of(phrase)


class _Gap:
    """A phrase with "*" in it."""

    def __init__(self, phrase: str) -> None:
        self._tail = phrase.rpartition("*")[2]
        self._pattern = re.compile(rf".{{0,{_GAP}}}?".join(re.escape(part) for part in phrase.split("*")))

    def each(self, text: str) -> Iterator[int]:
        """Where it begins in a text."""
        return (match.start() for match in self._pattern.finditer(text)) if self._tail in text else iter(())


def divided(phrases: str) -> tuple[str, ...]:
    """The phrases of a block of text, divided by "|"."""
    return tuple(phrase for one in phrases.split("|") if (phrase := " ".join(one.split())))
