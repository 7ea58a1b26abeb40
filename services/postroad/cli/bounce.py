"""`postroad bounce`: what we read in reports about other mails, for people and for many mails in one process."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from postroad.cli.mail_files import answer
from postroad.mail.bounce.reading import Reading, read_bounce
from postroad.mail.parse import read


def bounce(
    *mails: Path,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
    batch: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show what postroad reads in a report: its kind, who failed, for good or not, why, and of which message.

    Parameters
    ----------
    mails
        Files that hold one mail each, as received (.eml).
    json_
        One JSON object a line instead of text.
    batch
        Read paths from standard input, one a line, and answer each with one JSON line before the next is read.
    """
    return answer(mails, reading, described, _readable, as_json=json_, batch=batch)


def reading(raw: bytes) -> Reading:
    mail = read(raw)
    return read_bounce(mail.root, mail.as_report)


def described(found: Reading) -> dict[str, object]:
    """As plain values for JSON. `status` and the id are null where nothing says them; the id has no brackets."""
    return {
        "kind": found.kind,
        "recipients": [
            {
                "address": one.address,
                "action": one.action or None,
                "status": one.status or None,
                "permanent": one.permanent,
                "hard": one.hard,
                "reason": one.reason,
                "diagnostic": one.diagnostic,
            }
            for one in found.recipients
        ],
        "original_message_id": found.original_message_id or None,
    }


def _readable(found: Reading) -> str:
    lines = [f"  {found.kind}: {found.rule}"]
    if found.original_message_id:
        lines.append(f"  about <{found.original_message_id}>")
    for one in found.recipients:
        lasting = "permanent" if one.permanent else "passing"
        said = ", ".join(
            part for part in (one.action, lasting, "hard" if one.hard else "", one.reason, one.status) if part
        )
        lines.append(f"  {one.address}: {said}")
        lines += [f"    | {one.diagnostic[:300]}"] if one.diagnostic else []
    return "\n".join(lines)
