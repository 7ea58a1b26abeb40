"""Documents as YAML in block style, for people to read: mappings, lists, texts, numbers and truth."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, TypeGuard

Value: TypeAlias = "Mapping[str, Value] | Sequence[Value] | str | int | float | bool"

# Texts that mean themselves without quotes; "on", "no" and the like mean something else to some readers.
_PLAIN = re.compile(r"[A-Za-z/][\w./-]*")
_WORDS = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|nan|inf")
WIDTH = 100  # of a list in one line


def documents(found: Sequence[Mapping[str, Value]]) -> str:
    """Several documents, with the line between them."""
    return "---\n".join("".join(f"{line}\n" for line in _lines(document)) for document in found)


def _lines(value: Value) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _entry(f"{_scalar(key)}:", inner, " " * 2)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for inner in value:
            first, *rest = _lines(inner)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _entry(head: str, value: Value, indent: str) -> Iterator[str]:
    if _is_scalar(value):
        yield f"{head} {_scalar(value)}"
    elif _is_short(value):
        yield f"{head} [{', '.join(map(_scalar, value))}]"
    else:
        yield head
        yield from (f"{indent}{line}" for line in _lines(value))


def _is_scalar(value: Value) -> bool:
    return not value or not isinstance(value, Mapping | Sequence) or isinstance(value, str)


def _is_short(value: Value) -> TypeGuard[Sequence[Value]]:
    return isinstance(value, Sequence) and all(map(_is_scalar, value)) and len(", ".join(map(_scalar, value))) < WIDTH


def _scalar(value: Value) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not _WORDS.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
