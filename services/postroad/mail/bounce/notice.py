"""Who failed, by the text of a notice that no program was meant to read (P4). Linear in its length; never raises."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from postroad.mail.address import bare_address
from postroad.mail.bounce.classify import worded
from postroad.mail.bounce.codes import coded, refusal_in
from postroad.mail.bounce.own_text import own_lines
from postroad.mail.bounce.phrase import Phrases, keys_of
from postroad.mail.bounce.place import ADDRESS, Rank, Spot, place
from postroad.mail.bounce.words import CLOSERS, FATES, FINAL, Fate

MAX_RECIPIENTS = 10_000

_SPOTS = 50_000  # addresses looked at in one notice
_DIAGNOSTIC = 2_000  # characters kept of what belongs to one recipient
_PARAGRAPHS = 6  # looked at for a reply code
_BETWEEN = re.compile(r"mailto|smtp|and|und|et|to:", re.IGNORECASE)
_WORDS = re.compile(r"[^\W_]")
_NEAR = 3  # lines
_FATES = Phrases(FATES)
_CLOSERS = Phrases([(True, CLOSERS)])


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


@dataclass(slots=True)
class _Page:
    """The lines of a notice, and what is said where."""

    lines: list[str]
    lower: list[str] = field(default_factory=list)
    marks: list[tuple[int, Fate | None]] = field(default_factory=list)  # by line; None closes a list
    words: str = ""
    first: int = 0

    @property
    def fates(self) -> set[Fate | None]:
        return {fate for _, fate in self.marks}

    def before(self, line: int) -> Fate | None:
        at = bisect_right(self.marks, line, key=lambda mark: mark[0])
        return self.marks[at - 1][1] if at else None

    def near(self, line: int) -> bool:
        at = bisect_right(self.marks, line, key=lambda mark: mark[0])
        return at > 0 and self.marks[at - 1][0] >= line - _NEAR


def read_notice(text: str, ours: Iterable[str] = (), mailer: str = "", never: Iterable[str] = ()) -> Notice:
    """Read one text.

    `ours`: addresses that the notice was sent to, no recipients unless it lists them; `never`: those that are none even
    then; `mailer`: the domain of the server that speaks, for people that it names without one.
    """
    page = _page(*own_lines(text))
    fate = _fate(page)
    if fate is None and "@" not in text:
        return Notice(words=page.words)
    spots, asides = _spots(page)
    nobody = {address.lower() for address in never}
    chosen, rank = _chosen(
        [spot for spot in spots if spot.address.lower() not in nobody], {address.lower() for address in ours}
    )
    if not chosen and mailer and fate in ("failed", "delayed"):
        chosen = _local(page, mailer)
        rank = Rank.ALONE if chosen else rank
    told = tuple(_told(page, chosen, spots, asides, fate or "failed"))
    near = any(page.near(spot.line) for spot in chosen)
    return Notice(told, fate, page.first, near, rank, page.words)


def _page(lines: list[str], flats: list[str]) -> _Page:
    page = _Page(lines, flats)
    starts, at = [], 0
    for line in page.lower:
        starts.append(at)
        at += len(line) + 1 if line else 0
    page.words = " ".join(line for line in page.lower if line)
    keys = keys_of(page.words)
    marks: list[tuple[int, Fate | None]] = [
        (at, fate)
        for at, fate in _FATES.each(page.words, keys)
        if fate == "failed" or page.words[max(at - 4, 0) : at] != "not "
    ]
    page.first = min((at for at, _ in marks), default=0)
    marks += [(at, None) for at, _ in _CLOSERS.each(page.words, keys)]
    page.marks = sorted(((bisect_right(starts, at) - 1, fate) for at, fate in marks), key=lambda mark: mark[0])
    return page


def _fate(page: _Page) -> Fate | None:
    """Of the notice as a whole. A warning speaks of failure too, of one that may come."""
    fates = page.fates
    if "delayed" in fates and not any(word in page.words for word in FINAL):
        return "delayed"
    return "failed" if "failed" in fates or "delayed" in fates else "delivered" if "delivered" in fates else None


def _spots(page: _Page) -> tuple[list[Spot], list[Spot]]:
    """Every address where it stands; beside them those as the sender gave them."""
    spots, asides, before = list[Spot](), list[Spot](), ""
    for at, line in enumerate(page.lines):
        if "@" in line:
            listing = page.before(at) is not None
            for match in ADDRESS.finditer(line):
                spot = place(line, match, before, at, listing=listing)
                if spot.origin:
                    asides.append(spot)
                elif spot.rank is not Rank.NOT:
                    spots.append(spot)
            if len(spots) >= _SPOTS:
                break
        before = line if line.strip() else before
    if not spots:  # all that is known is what the sender gave
        return [Spot(one.address, one.line, Rank.LISTED, one.rest) for one in asides], []
    return _lists(page, spots), asides


def _lists(page: _Page, spots: list[Spot]) -> list[Spot]:
    """Several on one line: if the first is listed and nothing but marks stands between them, so are the others."""
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


def _chosen(spots: list[Spot], ours: set[str]) -> tuple[list[Spot], Rank]:
    """The surest ones, each address once: lists and headed lines together, else all of the next rank."""
    known = [spot for spot in spots if spot.rank >= Rank.LISTED or spot.address.lower() not in ours]
    known = [spot for spot in known if spot.rank >= Rank.LISTED or not spot.address.lower().startswith("postmaster@")]
    top = max((spot.rank for spot in known), default=Rank.NOT)
    least = min(top, Rank.LISTED)
    chosen = dict[str, Spot]()
    for spot in known:
        if spot.rank >= least and bare_address(spot.address):
            chosen.setdefault(spot.address.lower(), spot)
            if len(chosen) >= MAX_RECIPIENTS:
                break
    return list(chosen.values()), top if chosen else Rank.NOT


def _local(page: _Page, mailer: str) -> list[Spot]:
    """Names without a domain, on lines of their own directly under what failed: people of the server itself."""
    last = max((line for line, fate in page.marks if fate), default=len(page.lines))
    found = list[Spot]()
    for at in range(last + 1, min(last + 8, len(page.lines))):
        line = page.lines[at]
        if line.strip() and not re.fullmatch(r"[ \t>*-]+[\w.+-]{1,64}[ \t\r:]*", line):
            break
        if line.strip():
            found.append(Spot(line.strip(" \t>*-:\r") + "@" + mailer, at, Rank.ALONE, ""))
    return found


def _told(page: _Page, chosen: list[Spot], spots: list[Spot], asides: list[Spot], whole: Fate) -> Iterable[Told]:
    lines = dict[str, str]()  # the first line with a code that names the address
    for spot in spots:
        key = spot.address.lower()
        if key not in lines and coded(page.lines[spot.line]):
            lines[key] = page.lines[spot.line].strip()
    both = "delayed" in page.fates and whole == "failed"
    origins = {bisect_right(chosen, one.line, key=lambda spot: spot.line) - 1: one.address for one in asides}
    above: str | None = None  # the first line with a code that stands above all of them
    shared, result = "", list[Told]()
    for at in range(len(chosen) - 1, -1, -1):
        spot = chosen[at]
        end = chosen[at + 1].line if at + 1 < len(chosen) else len(page.lines)
        diagnostic = _diagnostic(page, spot, max(end, spot.line + 1))
        if not coded(diagnostic):
            if above is None:
                above = next((line for line in page.lines[: chosen[0].line] if coded(line)), "").strip()
            diagnostic = lines.get(spot.address.lower(), f"{above} {diagnostic}".strip())
        diagnostic = diagnostic or shared
        shared = diagnostic
        fate = page.before(spot.line) if both else whole
        result.append(Told(bare_address(spot.address), fate or "failed", diagnostic, bare_address(origins.get(at, ""))))
    return reversed(result)


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
