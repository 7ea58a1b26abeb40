"""Phrases to look for in a notice's words. "*" in a phrase stands for up to 60 other characters."""

import re
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

V = TypeVar("V")

_GAP = 60
_KEY = 5  # characters at the head of a phrase by which it is looked up
_HEAD = re.compile(rf"\b(?=(\w.{{{_KEY - 1}}}))")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\xa0": " ", "\xad": None})


def flat(text: str) -> str:
    """Lower case, every white space one blank, quotes straight: the form in which phrases compare."""
    return " ".join((text if text.isascii() else text.translate(_QUOTES)).split()).lower()


class Phrases(Generic[V]):
    """Rows of (value, phrases). Only phrases whose head occurs in a text are looked for: hundreds cost little."""

    def __init__(self, rows: Iterable[tuple[V, Iterable[str]]]) -> None:
        self._rows: list[tuple[str, str, re.Pattern[str] | None, V]] = []
        self._by_head: dict[str, list[int]] = {}
        self._always: list[int] = []
        for value, phrases in rows:
            for phrase in phrases:
                head, _, tail = phrase.partition("*")
                keyed = len(head) >= _KEY and _HEAD.match(head)
                where = self._by_head.setdefault(head[:_KEY], []) if keyed else self._always
                where.append(len(self._rows))
                self._rows.append((head, tail.rpartition("*")[2], _pattern(phrase) if tail else None, value))

    def first(self, text: str) -> V | None:
        """The value of the first row that a flat text fits."""
        for head, tail, pattern, value in self._candidates(text):
            if head in text and (pattern is None or (tail in text and pattern.search(text))):
                return value
        return None

    def each(self, text: str) -> Iterator[tuple[int, V]]:
        """Where in a flat text phrases begin, every time they do; no particular order."""
        for head, tail, pattern, value in self._candidates(text):
            at = text.find(head)
            if at < 0:
                continue
            if pattern is not None:
                if tail in text:
                    yield from ((match.start(), value) for match in pattern.finditer(text))
                continue
            while at >= 0:
                yield at, value
                at = text.find(head, at + len(head))

    def _candidates(self, text: str) -> Iterator[tuple[str, str, re.Pattern[str] | None, V]]:
        # In scripts without blanks a phrase may begin anywhere; elsewhere it begins where a word does.
        heads = (
            set(_HEAD.findall(text + " " * _KEY))
            if text.isascii()
            else {text[at : at + _KEY] for at in range(len(text))}
        )
        found = list(self._always)
        for key in heads & self._by_head.keys():
            found += self._by_head[key]
        return (self._rows[at] for at in sorted(found))


def _pattern(phrase: str) -> re.Pattern[str]:
    return re.compile(rf".{{0,{_GAP}}}?".join(re.escape(part) for part in phrase.split("*")))


def divided(phrases: str) -> tuple[str, ...]:
    """The phrases of a block of text, divided by "|"."""
    return tuple(phrase for one in phrases.split("|") if (phrase := " ".join(one.split())))
