"""Who failed, by the text of a notice that no program was meant to read (P4). Linear in its length; never raises."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter

from postroad.mail.address import bare_address
from postroad.mail.bounce.classify import worded
from postroad.mail.bounce.codes import coded, refusal_in
from postroad.mail.bounce.own_text import own_lines
from postroad.mail.bounce.phrase import Phrases
from postroad.mail.bounce.place import ADDRESS, Rank, Spot, place
from postroad.mail.bounce.words import CLOSERS, FATES, FINAL, NEGATIONS, Fate

MAX_RECIPIENTS = 10_000

_SPOTS = 50_000  # addresses looked at in one notice
_DIAGNOSTIC = 2_000  # characters kept of what belongs to one recipient
_PARAGRAPHS = 6  # looked at for a reply code
_BETWEEN = re.compile(r"mailto|smtp|and|und|et|to:", re.IGNORECASE)
_WORDS = re.compile(r"[^\W_]")
_NOWHERE = Spot("", -1, Rank.NOT, "")  # above the first line
_at = itemgetter(0)
_NEAR = 3  # lines
_SHORTLY = 12  # characters
_NOT = frozenset(NEGATIONS)
_DENIED = re.compile("[未没沒無无不][^ ,.，。、]{0,5}$")  # no blanks divide these words
_MARKS = Phrases[Fate | None]([*FATES, (None, CLOSERS)])


@dataclass(frozen=True, slots=True)
class Told:
    """One recipient as a notice tells it."""

    address: str
    fate: Fate
    diagnostic: str = ""
    original: str = ""  # as the sender gave it, where it was rewritten


@dataclass(frozen=True, slots=True)
class Notice:
    """What the text says. `rank`: how surely its recipients are recipients."""

    told: tuple[Told, ...] = ()
    fate: Fate | None = None  # None: it says nothing of a delivery
    first: int = 0  # characters before it first says so
    near: bool = False  # it says so directly above a recipient, or beside it
    rank: Rank = Rank.NOT
    words: str = ""  # its own, flat
    why: str = ""  # where it names nobody: what seems to be the reason


@dataclass(slots=True)
class _Page:
    """The lines of a notice, and what is said where."""

    lines: list[str]
    flats: list[str]
    marked: list[int] = field(default_factory=list)  # lines on which something is said of a delivery, in order
    marks: list[Fate | None] = field(default_factory=list)  # what; None closes a list
    words: str = ""
    first: int = 0

    def before(self, line: int) -> Fate | None:
        at = bisect_right(self.marked, line)
        return self.marks[at - 1] if at else None

    def above(self, line: int) -> str:
        """The nearest line above that is not blank, flat."""
        return next((flat for at in range(line - 1, -1, -1) if (flat := self.flats[at])), "")

    def near(self, line: int) -> bool:
        at = bisect_right(self.marked, line)
        return at > 0 and self.marked[at - 1] >= line - _NEAR


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Lines with a code that do not stand below a recipient: the first that names each, the first above all."""

    lines: Mapping[str, str]
    above: str


def read_notice(
    text: str, ours: Callable[[], Iterable[str]] = tuple, mailer: str = "", never: Iterable[str] = ()
) -> Notice:
    """Read one text.

    `ours`: addresses that the notice was sent to, no recipients unless it lists them, asked for where it lists none;
    `never`: those that are none even then; `mailer`: the domain of the server that speaks, for people that it names
    without one.
    """
    page = _page(*own_lines(text))
    fate = _fate(page)
    if fate is None and "@" not in text:
        return Notice(words=page.words)
    spots, asides = _spots(page)
    if nobody := {address.lower() for address in never}:
        spots = [spot for spot in spots if spot.address.lower() not in nobody]
    chosen, rank = _chosen(spots, ours)
    if not chosen and mailer and fate in ("failed", "delayed"):
        chosen = _local(page, mailer)
        rank = Rank.ALONE if chosen else rank
    if not chosen:
        why = _diagnostic(page, _NOWHERE, len(page.lines))
        return Notice((), fate, page.first, words=page.words, why=why if coded(why) or worded(why) else "")
    told = tuple(_told(page, chosen, spots, asides, fate or "failed"))
    near = any(page.near(spot.line) for spot in chosen)
    return Notice(told, fate, page.first, near, rank, page.words)


def _page(lines: list[str], flats: list[str]) -> _Page:
    page = _Page(lines, flats, words=" ".join(filter(None, flats)))
    marks = list(_meant(page.words))
    if marks:
        page.first = min([at for at, fate in marks if fate], default=0)
        ends = list(accumulate([len(line) + 1 if line else 0 for line in flats]))
        by_line = sorted([(bisect_right(ends, at), fate) for at, fate in marks], key=_at)
        page.marked = [line for line, _ in by_line]
        page.marks = [fate for _, fate in by_line]
    return page


def _meant(words: str) -> Iterator[tuple[int, Fate | None]]:
    """What is said where: a delivery that is denied has failed, a delay that is denied is nothing."""
    for at, fate in _MARKS.each(words):
        if fate == "failed" or not _denied(words, at):
            yield at, fate
        elif fate == "delivered":
            yield at, "failed"


def _denied(words: str, at: int) -> bool:
    before = words[max(at - _SHORTLY, 0) : at]
    return not _NOT.isdisjoint(before.split()) or _DENIED.search(before) is not None


def _fate(page: _Page) -> Fate | None:
    """Of the notice as a whole. A warning speaks of failure too, of one that may come."""
    fates = page.marks
    if "delayed" in fates and not any(word in page.words for word in FINAL):
        return "delayed"
    return "failed" if "failed" in fates or "delayed" in fates else "delivered" if "delivered" in fates else None


def _spots(page: _Page) -> tuple[list[Spot], list[Spot]]:
    """Every address where it stands; beside them those as the sender gave them."""
    spots, asides = list[Spot](), list[Spot]()
    for at, line in enumerate(page.lines):
        if "@" not in line:
            continue
        listing, before = page.before(at) is not None, page.above(at)
        for match in ADDRESS.finditer(line):
            spot = place(line, match, before, at, listing=listing)
            if spot.origin:
                asides.append(spot)
            elif spot.rank is not Rank.NOT:
                spots.append(spot)
        if len(spots) >= _SPOTS:
            break
    if not spots:  # all that is known is what the sender gave
        return [Spot(one.address, one.line, Rank.LISTED, one.rest) for one in asides], []
    return _lists(page, spots), asides


def _lists(page: _Page, spots: list[Spot]) -> list[Spot]:
    """Several on one line: if the first is listed and nothing but marks stands between them, so are the others."""
    if len(spots) == 1:
        return spots
    by_line = dict[int, list[Spot]]()
    for spot in spots:
        by_line.setdefault(spot.line, []).append(spot)
    result = list[Spot]()
    for line, here in by_line.items():
        if (
            len(here) > 1
            and here[0].rank >= Rank.ALONE
            and not _WORDS.search(_BETWEEN.sub("", ADDRESS.sub("", page.lines[line])))
        ):
            rank = Rank.LISTED if page.before(line) else Rank.ALONE
            result.extend(Spot(one.address, one.line, rank, "") for one in here)
        else:
            result.extend(here)
    return result


def _chosen(spots: list[Spot], ours: Callable[[], Iterable[str]]) -> tuple[list[Spot], Rank]:
    """The surest ones, each address once: lists and headed lines together, else all of the next rank."""
    top = max([spot.rank for spot in spots], default=Rank.NOT)
    if top < Rank.LISTED and spots:
        nobody = {address.lower() for address in ours()}
        spots = [spot for spot in spots if not _aside(spot.address.lower(), nobody)]
        top = max([spot.rank for spot in spots], default=Rank.NOT)
    least = min(top, Rank.LISTED)
    chosen = dict[str, Spot]()
    for spot in spots:
        if spot.rank >= least and bare_address(spot.address):
            chosen.setdefault(spot.address.lower(), spot)
            if len(chosen) >= MAX_RECIPIENTS:
                break
    return list(chosen.values()), top if chosen else Rank.NOT


def _aside(address: str, nobody: Set[str]) -> bool:
    return address in nobody or address.startswith("postmaster@")


def _local(page: _Page, mailer: str) -> list[Spot]:
    """Names without a domain, on lines of their own directly under what failed: people of the server itself."""
    last = max((line for line, fate in zip(page.marked, page.marks, strict=True) if fate), default=len(page.lines))
    found = list[Spot]()
    for at in range(last + 1, min(last + 8, len(page.lines))):
        line = page.lines[at]
        if line.strip() and not re.fullmatch(r"[ \t>*-]+[\w.+-]{1,64}[ \t\r:]*", line):
            break
        if line.strip():
            found.append(Spot(line.strip(" \t>*-:\r") + "@" + mailer, at, Rank.ALONE, ""))
    return found


def _told(page: _Page, chosen: list[Spot], spots: list[Spot], asides: list[Spot], whole: Fate) -> Iterable[Told]:
    both = "delayed" in page.marks and whole == "failed"
    origins = {bisect_right(chosen, one.line, key=lambda spot: spot.line) - 1: one.address for one in asides}
    elsewhere: _Elsewhere | None = None
    shared, result = "", list[Told]()
    for at in range(len(chosen) - 1, -1, -1):
        spot = chosen[at]
        end = chosen[at + 1].line if at + 1 < len(chosen) else len(page.lines)
        diagnostic = _diagnostic(page, spot, max(end, spot.line + 1))
        if not coded(diagnostic):
            elsewhere = elsewhere or _elsewhere(page, chosen, spots)
            diagnostic = elsewhere.lines.get(spot.address.lower(), f"{elsewhere.above} {diagnostic}".strip())
        diagnostic = diagnostic or shared
        shared = diagnostic
        fate = page.before(spot.line) if both else whole
        result.append(Told(bare_address(spot.address), fate or "failed", diagnostic, bare_address(origins.get(at, ""))))
    return reversed(result)


def _elsewhere(page: _Page, chosen: list[Spot], spots: list[Spot]) -> _Elsewhere:
    lines = dict[str, str]()
    for spot in spots:
        key = spot.address.lower()
        if key not in lines and coded(page.lines[spot.line]):
            lines[key] = page.lines[spot.line].strip()
    return _Elsewhere(lines, next((line for line in page.lines[: chosen[0].line] if coded(line)), "").strip())


def _diagnostic(page: _Page, spot: Spot, end: int) -> str:
    """What belongs to a recipient: the first paragraph below it with a code, else with words of refusal, else any."""
    paragraphs, current, size = list[str](), [spot.rest.strip(" \t>\"')]:;,.-")], 0
    for line in page.lines[spot.line + 1 : end]:
        if not line.strip():
            if any(current):
                paragraphs.append(" ".join(part for part in current if part))
                current = []
            if len(paragraphs) >= _PARAGRAPHS:
                break
            continue
        size += len(line)
        if size > _DIAGNOSTIC * 2:
            break
        current.append(line.strip())
    paragraphs.append(" ".join(part for part in current if part))
    paragraphs = [one[:_DIAGNOSTIC] for one in paragraphs if one]
    best = next((one for one in paragraphs if refusal_in(one)), "") or next(
        (one for one in paragraphs if coded(one)), ""
    )
    return best or next((one for one in paragraphs if worded(one)), "") or next(iter(paragraphs), "")
