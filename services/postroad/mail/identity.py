"""Names of mails: Message-IDs as they are read (RFC 5322 3.6.4), and one for a mail that has none (I6)."""

import re
from base64 import b32encode
from hashlib import sha256

from postroad.mail.encoded_word import decode_words
from postroad.mail.header import Headers

MAX_IDS = 1_000
"""Ids read of one field; a long thread's nearest ancestors stand last and are kept."""

_ID = re.compile(r"<([^<>]+)>")
_SPACE = re.compile(r"\s+")

# What the originator wrote (RFC 5322 3.6.1-3.6.5). Trace fields differ from door to door and are left out.
_ORIGINATOR = ("from", "sender", "reply-to", "date", "subject", "to", "cc", "references", "in-reply-to", "content-type")


def message_ids(field: str) -> tuple[str, ...]:
    """The ids of References or In-Reply-To, in order, with brackets, white space inside removed (M4)."""
    if not field:
        return ()
    found = ("".join(inner.split()) for inner in _ID.findall(decode_words(field)))
    return tuple([f"<{inner}>" for inner in found if inner][-MAX_IDS:])


def message_id(field: str) -> str:
    """The one id of Message-ID, with brackets even if the sender forgot them; "" when absent."""
    if found := message_ids(field)[:1]:
        return found[0]
    bare = _SPACE.sub("", decode_words(field)).strip("<>")
    return f"<{bare}>" if bare else ""


def derived_id(headers: Headers, body: bytes) -> str:
    """An id that every copy of the same mail gets, whichever door it came by: line ends and folding do not matter."""
    digest = sha256()
    for name in _ORIGINATOR:
        for value in headers.all_unfolded(name):
            digest.update(f"{name}:{_SPACE.sub('', value)}\n".encode("utf-8", "replace"))
    digest.update(b"\n" + body.replace(b"\r", b"").strip(b"\n"))
    return f"<{b32encode(digest.digest()[:20]).decode('ascii').lower()}@derived.postroad.invalid>"
