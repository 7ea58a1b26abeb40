"""`make bench-bounces`: how well and how fast bounces are read, by family, against what people found in them."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

from postroad.mail.bounce.reading import Reading, read_bounce
from postroad.mail.parse import read

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
FAMILIES = ("flufl", "cws", "crisp")
_ENDED = "flufl"  # `permanent` in its truth means that the attempt has ended
_ROUNDS = 5


@dataclass(slots=True)
class Score:
    """Counts of right answers, and the names of the mails whose answer was wrong."""

    mails: int = 0
    exact: int = 0
    judged: int = 0
    permanence: int = 0
    named: int = 0
    original: int = 0
    wrong: list[str] = field(default_factory=list)


def reading(raw: bytes) -> Reading:
    mail = read(raw)
    return read_bounce(mail.root, mail.as_report)


def score(family: str) -> Score:
    """Of every mail whose truth names its failing recipients, or says that there are none."""
    result, where = Score(), CORPORA / "bounces" / family
    for name, truth in sorted(json.loads((where / "expected.json").read_text()).items()):
        found = reading((where / name).read_bytes())
        wanted = truth.get("recipients")
        if wanted is None and truth["kind"] not in ("none", "autoreply"):
            wanted = [] if truth["kind"] == "feedback" else None
        if wanted is not None or truth["kind"] in ("none", "autoreply"):
            _score_recipients(result, name, found, wanted or [], truth["kind"], ended=family == _ENDED)
        if id_ := truth.get("original_message_id"):
            result.named += 1
            result.original += found.original_message_id == id_
            if found.original_message_id != id_:
                result.wrong.append(f"{name}: original {found.original_message_id!r} for {id_!r}")
    return result


def _score_recipients(
    result: Score, name: str, found: Reading, wanted: list[dict[str, object]], kind: str, *, ended: bool
) -> None:
    result.mails += 1
    blamed = {one.address.lower(): one for one in found.recipients if found.kind == "bounce"}
    accepted = [{str(address).lower() for address in one["accepted"]} for one in wanted]  # type: ignore[attr-defined]
    right = all(any(a in blamed for a in one) for one in accepted) and set(blamed) <= set().union(*accepted)
    right = right and (found.kind == "feedback") == (kind == "feedback")
    result.exact += right
    if not right:
        result.wrong.append(f"{name}: {found.kind} {sorted(blamed)} for {kind} {accepted}")
    for one, addresses in zip(wanted, accepted, strict=True):
        hit = next((blamed[address] for address in addresses if address in blamed), None)
        if hit is None or one.get("permanent") is None:
            continue
        result.judged += 1
        said = hit.action != "delayed" if ended else hit.permanent
        result.permanence += said == one["permanent"]
        if said != one["permanent"]:
            result.wrong.append(f"{name}: permanent {said}, {hit.reason}: {hit.diagnostic[:90]!r}")


def ordinary() -> Iterator[Path]:
    """Mails that are no bounces."""
    yield from sorted((CORPORA / "replies" / "email_reply_trimmer" / "emails").iterdir())
    yield from sorted(
        path for path in (CORPORA / "mime" / "enmime").rglob("*") if path.suffix in (".raw", ".eml", ".golden")
    )


def false_alarms() -> list[str]:
    """Ordinary mails read as bounces; words alone are read as a mail with an ordinary author."""
    return [path.name for path in ordinary() if reading(_as_mail(path)).kind == "bounce"]


def _as_mail(path: Path) -> bytes:
    raw = path.read_bytes()
    return raw if path.suffix != ".txt" else b"From: a@example.org\nTo: b@example.com\nSubject: Re: words\n\n" + raw


def mails_per_second(family: str) -> float:
    """Read, understood and judged, in one process."""
    raws = [path.read_bytes() for path in (CORPORA / "bounces" / family).glob("*.eml")]
    start = process_time()
    for _ in range(_ROUNDS):
        for raw in raws:
            reading(raw)
    return len(raws) * _ROUNDS / (process_time() - start)


def main() -> None:
    if not CORPORA.is_dir():
        sys.exit(f"the mail corpora are not at {CORPORA}")
    for family in FAMILIES:
        found = score(family)
        print(
            f"{family:6} recipients exact {found.exact:3}/{found.mails:3} ({found.exact / found.mails:6.1%})"
            f"  permanence {found.permanence:3}/{found.judged:3} ({found.permanence / max(found.judged, 1):6.1%})"
            f"  original id {found.original:3}/{found.named:3}  {mails_per_second(family):7,.0f} mails/s"
        )
        for line in found.wrong if "-v" in sys.argv else ():
            print(f"       {line}")
    alarms = false_alarms()
    print(f"false alarms {len(alarms)} of {len(list(ordinary()))} ordinary mails {' '.join(alarms)}")


if __name__ == "__main__":
    main()
