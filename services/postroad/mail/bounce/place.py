"""What the place of an address in a notice says of it: is it one of the recipients, and how surely."""

import re
from enum import IntEnum
from typing import NamedTuple

from postroad.mail.bounce.codes import coded
from postroad.mail.bounce.phrase import flat
from postroad.mail.bounce.words import ASIDE_LINES, FOLLOWS, LEADS, NOT_LEADS, ORIGINS, WEAK_LEADS

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]"
ADDRESS = re.compile(
    rf"(?:\"[^\"@<>]{{1,64}}\"|(?<!{_LOCAL}){_LOCAL}{{1,256}}+)"
    r"@(?:\[[0-9A-Fa-f.:]{3,45}\]|[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})+)"
    r"|(?<=<)[^\s<>@\"]{1,64}@[^\s<>@\"]{1,190}(?=>)"  # in brackets, in any script, at any host
)

_AROUND = " \t<>\"'([{:;,=*#|\u2022\u00b7-\u2013\u2014+~.\u3000\u201c\u201d\u300c\uff08\uff1a\u3010\u00ab\u00bb`"
_TYPED = ("smtp", "mailto", "rfc822", "x400", "address")
_X400 = re.compile(r"c=[a-z ]{0,3};", re.IGNORECASE)
_TWICE = re.compile(
    r"[>\"')\]]*\s*[<(\[]+(?:mailto:|smtp:)?[^\s<>()\[\]]{1,300}@[^\s<>()\[\]]{1,300}[>)\]]+(?:\s*<mailto:[^<>\s]{1,300}>)?"
)
_NOTHING = re.compile(r"[>\"')\]}\u201d\u300d\uff09\u00bb`\s]*[:;,.\uff1a]*\s*$")
_ON_DATE = re.compile(r"[>\"'\s;]*on (?:\w{3},? )?\d{1,2}[ ./]|[>\"'\s;]*on \w{3}, ", re.IGNORECASE)
_SEPARATED = re.compile(r"[>\"')\]}]*\s*(?::|\.\.\.|;|,|\(| -+ |=>|\uff1a)")
_WIDE = re.compile(r"[^\x00-\u04ff]")

# "554 <...>... Remote protocol error", the end of a talk that sendmail tells; a sender has the same place.
_TRANSCRIPT = re.compile(r"[45]\d\d (?:[45]\.\d+\.\d+ )?<?")
_DOTS = re.compile(r">?\.\.\. (?!.*\b(?:sender|domain|access|relay))", re.IGNORECASE)
_HEADED = re.compile(r"> ?(?:\([^()]{0,300}\))?:")  # between brackets Postfix says where the address came from
_TOLD_APART = (("loose", WEAK_LEADS), ("firm", LEADS), ("aside", NOT_LEADS), ("origin", ORIGINS))  # the last one counts
_KINDS = {lead: kind for kind, leads in _TOLD_APART for lead in leads}
_UNSPACED = tuple(lead for lead in LEADS if _WIDE.search(lead))
_LONGEST = 6  # words of the longest lead


class Rank(IntEnum):
    """How surely the address is a recipient's."""

    NOT = 0
    SAID = 1  # in words of refusal
    LOOSE = 2  # behind a mere "to"
    ALONE = 3  # on a line of its own, or at the head of a reason
    SENTENCE = 4  # "your message to ... could not be delivered"
    LISTED = 5  # under a heading, or behind a label of its own
    HEADED = 6  # "<...>:" at the margin


class Spot(NamedTuple):
    """An address where it stands."""

    address: str
    line: int
    rank: Rank
    rest: str  # of its line
    origin: bool = False  # the address as the sender gave it, of the recipient named last


def place(line: str, match: re.Match[str], before: str, at: int, *, listing: bool) -> Spot:
    """`before`: the line that went before, flat; `listing`: something was said to have failed, and its list goes on."""
    address, start = _trimmed(match[0], match.start())
    head = flat(line[:start])
    rest = line[match.end() :]
    if "://" in head.rpartition(" ")[2]:
        return Spot(address, at, Rank.NOT, rest)
    bare = _bare(head)
    if not bare.strip(_AROUND + ">") or _X400.match(line.lstrip()):
        return _at_the_margin(address, line, rest, _bare(before), at, listing=listing)
    kind, words = _lead(bare)
    if kind == "aside" or kind == "origin":
        return Spot(address, at, Rank.NOT, rest, origin=kind == "origin")
    if kind == "firm":
        whole = words >= len(bare.split()) or line.rstrip().endswith(match[0] + "]")
        return Spot(address, at, Rank.LISTED if whole else Rank.SENTENCE, rest)
    if (_followed(rest) and not coded(head)) or (_TRANSCRIPT.fullmatch(head) and _DOTS.match(rest)):
        return Spot(address, at, Rank.SENTENCE, rest)
    return Spot(address, at, Rank.LOOSE if kind == "loose" else Rank.SAID, line)


def _at_the_margin(address: str, line: str, rest: str, before: str, at: int, *, listing: bool) -> Spot:
    doubled = _TWICE.match(rest)
    rest = rest[doubled.end() :] if doubled else rest
    if line[:1] == "<" and (headed := _HEADED.match(rest)):
        return Spot(address, at, Rank.HEADED, rest[headed.end() :])
    kind, _ = _lead(before)
    if kind == "aside" and (not listing or before.endswith(ASIDE_LINES)):
        return Spot(address, at, Rank.NOT, rest)
    if doubled or _NOTHING.match(rest) or _ON_DATE.match(rest):
        return Spot(address, at, Rank.LISTED if listing or kind == "firm" else Rank.ALONE, rest)
    if kind == "firm" or _followed(rest) or (listing and coded(rest)):
        return Spot(address, at, Rank.SENTENCE, rest)
    if _SEPARATED.match(rest):
        return Spot(address, at, Rank.SENTENCE if listing else Rank.ALONE, rest)
    return Spot(address, at, Rank.ALONE if listing else Rank.SAID, rest)


def _trimmed(address: str, start: int) -> tuple[str, int]:
    """Without what clings to it: quotes, the type of an X.400 attribute."""
    local = address[: address.rfind("@")]
    for typed in ("smtp=", "rfc822=", "mailto=") if "=" in local else ():
        if (cut := local.lower().rfind(typed)) >= 0:
            cut += len(typed)
            return address[cut:], start + cut
    lead = len(local) - len(local.lstrip("'*=/`|{.-"))
    return address[lead:], start + lead


def _bare(head: str) -> str:
    """The words before an address, without marks and types in between."""
    while (shorter := head.rstrip(_AROUND)) != head:
        head = shorter
        if head.endswith(_TYPED) and not head.endswith("email address"):
            head = head.removesuffix(next(word for word in _TYPED if head.endswith(word)))
    return head


def _lead(bare: str) -> tuple[str, int]:
    """The longest words that stand directly before: firm, loose, aside, origin or nothing; and how many they are."""
    words = bare[-80:].split()[-_LONGEST:]
    if words:
        words[-1] = words[-1].rstrip(_AROUND)
    for at in range(len(words)):
        kind = _KINDS.get(" ".join(words[at:]).lstrip(_AROUND))
        if kind:
            return kind, len(words) - at
    return ("firm", 1) if bare.endswith(_UNSPACED) else ("", 0)


def _followed(rest: str) -> bool:
    return rest[:60].translate(_DROP).lstrip(" .,:").lower().startswith(FOLLOWS)


_DROP = str.maketrans("", "", ">\"')]")
