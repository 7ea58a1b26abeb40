"""What logs do not tell: addresses, and what mails are about."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

Redact: TypeAlias = Callable[[str], str]

HIDDEN = frozenset({"subject", "text", "html", "body", "content", "contents"})  # fields whose value is never told
SIGNS = ("@", "%40", "\N{FULLWIDTH COMMERCIAL AT}")
DEEP = 8  # values within values

LONGEST = 10_000  # letters of one value; the rest is cut off

# Wider than any grammar: whatever stands before the sign, up to a space or a mark that ends addresses, or in quotes.
_NEAR = r"[^\s<>\[\],;:@]"
_ADDRESS = re.compile(
    rf"(?P<local>\"(?:[^\"\\]|\\.){{1,128}}\"|(?<!{_NEAR}){_NEAR}+?|[^\s@])"
    r"(?P<at>@|%40|\N{FULLWIDTH COMMERCIAL AT})"
    r"(?P<domain>\[[^\]\s]{0,255}\]|[\w.-]+)?",
    re.IGNORECASE,
)


def redactor(key: bytes | None = None) -> Redact:
    """Puts a keyed hash in the place of local parts: the same one is told alike as long as the key is the same.

    The key is by default one that this process alone knows, so that nobody finds out by trying who was meant.
    """
    return partial(_redact, key=os.urandom(16) if key is None else key)


def _redact(text: str, key: bytes) -> str:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}..."
    if not any(sign in text for sign in SIGNS):
        return text

    def told(found: "re.Match[str]") -> str:
        local = found["local"].strip("\"'").casefold().encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(local, key=key, digest_size=3).hexdigest()
        return f"<a:{digest}>{found['at']}{found['domain'] or ''}"

    return _ADDRESS.sub(told, text)


def plain(value: Any, redact: Redact, depth: int = 0) -> Any:
    """A value as JSON may have it, with every text in it redacted, names of fields too."""
    match value:
        case str():
            return redact(value)
        case None | bool() | int() | float():
            return value
        case bytes():
            return redact(value.decode("utf-8", "backslashreplace"))
        case datetime():
            return value.isoformat()
        case Mapping() if depth < DEEP:
            return {redact(str(name)): _field(str(name), each, redact, depth) for name, each in value.items()}
        case list() | tuple() | set() | frozenset() if depth < DEEP:
            return [plain(each, redact, depth + 1) for each in value]
        case _:
            return redact(str(value) if isinstance(value, BaseException) else repr(value))


def _field(name: str, value: Any, redact: Redact, depth: int) -> Any:
    return "(not told)" if name.lower() in HIDDEN else plain(value, redact, depth + 1)
