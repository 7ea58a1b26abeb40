"""Objects are named by what is in them."""

import hashlib
import re

from postroad_schemas.values import ObjectRef

_REF = re.compile(r"sha256/([0-9a-f]{64})", re.ASCII)


def digest(content: bytes) -> ObjectRef:
    """What names these bytes."""
    return ObjectRef(ref=f"sha256/{hashlib.sha256(content).hexdigest()}", size=len(content))


def hex_of(ref: str) -> str | None:
    """The digest in it; None when it is no ref of ours."""
    named = _REF.fullmatch(ref)
    return named[1] if named else None


def absent(ref: str) -> LookupError:
    return LookupError(f"{ref} is not in the object store: it was deleted, or never put there")
