"""Is a mail without machine-readable fields a notice, and about whom? By its header first, then by its words (P4)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from postroad.mail.address import mailboxes
from postroad.mail.bounce.classify import worded
from postroad.mail.bounce.codes import coded
from postroad.mail.bounce.notice import Notice, Told, read_notice
from postroad.mail.bounce.place import Rank
from postroad.mail.bounce.reasons import HARD
from postroad.mail.bounce.signs import Signs, is_mail_system
from postroad.mail.bounce.words import FIRST_PERSON, Fate
from postroad.mail.entity import Entity
from postroad.mail.header import Headers

_OF_LISTS = ("list-id", "list-unsubscribe")
_OF_ANSWERS = ("in-reply-to", "references")
_OWN = frozenset(FIRST_PERSON)
_WORD = re.compile(r"[^\W\d_]+")
_FEW = 300  # characters
_AT_ONCE = 100  # characters: the same of one that came over a list
_SOON = 700  # characters within which a notice of an unusual author says what it is


@dataclass(frozen=True, slots=True)
class FreeForm:
    """A notice read by its words, and by what it was taken for one."""

    fate: Fate
    told: tuple[Told, ...]
    words: str
    rule: str
    why: str = ""  # where it names nobody


def read_free_form(
    root: Entity, signs: Signs, texts: Iterable[str], *, returned: bool = False, copy: bool = False
) -> FreeForm | None:
    """None for what is no notice: an ordinary mail, an answer by machine, a challenge, a receipt.

    `texts`: what `own_text.words_of` finds in it; `returned`: it came to a return path, where people do not write to;
    `copy`: a message came back with it.
    """
    plain = returned and _is_plain(root.headers, signs)
    strong = signs.daemon or bool(signs.named) or signs.typed or (signs.null and signs.subject and not signs.answer)
    if not (strong or plain or signs.subject or signs.null) or signs.receipt:
        return None
    if signs.answer and not (strong or signs.subject or (signs.null and copy)):
        return None
    headers, author = root.headers, signs.author
    mailer = author[0].address.rpartition("@")[2] if author and signs.daemon else ""
    soon = _AT_ONCE if any(name in headers for name in _OF_LISTS) else _SOON
    never = () if strong else [box.address for box in author]
    best: FreeForm | None = None
    for text in texts:
        notice = read_notice(text, lambda: _sent_to(headers), mailer, never)
        found = _taken(notice, signs, soon, strong=strong) or (_curt(notice, text) if plain else None)
        if found is not None and (found.told or signs.named):
            return _named(found, signs)
        best = best or found
    if signs.named and best is None and (signs.subject or signs.daemon):
        best = FreeForm("delayed" if signs.delay else "failed", (), "", "X-Failed-Recipients")
    return _named(best, signs) if best else None


def _sent_to(headers: Headers) -> list[str]:
    return [box.address for name in ("to", "cc") for box in mailboxes(headers.unfolded(name))]


def _taken(notice: Notice, signs: Signs, soon: int, *, strong: bool) -> FreeForm | None:
    rule = f"text: {notice.rank.name.lower()}"
    if notice.fate is None:
        if not (signs.daemon or signs.named) or not (signs.subject or signs.null):
            return None
        shown = signs.subject or signs.typed or bool(signs.named)
        if notice.rank < Rank.SAID and not (shown and (coded(notice.words) or worded(notice.words))):
            return None
        fate: Fate = "delayed" if signs.delay else "failed"
        return FreeForm(fate, notice.told, notice.words, f"{rule}, of a mail system", notice.why)
    by = [name for name in ("daemon", "subject", "null", "named", "typed") if getattr(signs, name)]
    found = FreeForm(notice.fate, notice.told, notice.words, f"{rule}, by {', '.join(by)}", notice.why)
    if notice.fate == "delivered":
        return replace(found, told=()) if strong else None
    if strong and (signs.subject or signs.null or signs.named or notice.rank >= Rank.LOOSE):
        return found
    if notice.first > soon or not notice.near:
        return None
    return found if notice.rank >= Rank.LISTED and (signs.subject or signs.null) else None


def is_borne_out(found: FreeForm, signs: Signs, *, copy: bool) -> bool:
    """Whether more than one sign speaks for a notice that names nobody, which warnings and forgeries do not either.

    `copy`: a message came back with it.
    """
    if found.told or found.fate == "delivered":
        return True
    if signs.subject and (not signs.author or is_mail_system(signs.author[0].address)):
        return True
    return sum((signs.subject, signs.null, signs.typed, copy, coded(found.words))) > 1


def _is_plain(headers: Headers, signs: Signs) -> bool:
    """A mail of its own: no answer, which names the mail that it answers or says that a machine made it."""
    return not (signs.answer or signs.reply or any(name in headers for name in (*_OF_LISTS, *_OF_ANSWERS)))


def _curt(notice: Notice, text: str) -> FreeForm | None:
    """A few words at a return path that an address is dead, by an author like any other, but not of the author's own.

    Whoever was away says "I", quotes, and goes on to say whom to ask instead.
    """
    if notice.fate != "failed" or notice.first > _AT_ONCE or len(notice.words) > _FEW or "\n>" in text:
        return None
    words = set(_WORD.findall(notice.words))
    if words & _OWN or worded(notice.words) not in HARD:
        return None
    return FreeForm("failed", notice.told, notice.words, "text: few words at a return path", notice.why)


def _named(found: FreeForm, signs: Signs) -> FreeForm:
    """X-Failed-Recipients says who; the text says why."""
    if not signs.named or found.fate == "delivered":
        return found
    told = {one.address.lower(): one for one in found.told}
    shared = found.told[0].diagnostic if found.told else ""
    blamed = (told.get(address.lower()) or Told(address, found.fate, shared) for address in dict.fromkeys(signs.named))
    return replace(found, told=tuple(blamed), rule="X-Failed-Recipients, " + found.rule)
