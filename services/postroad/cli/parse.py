"""`postroad parse`: what we read in a mail, for people, for scripts, and for many mails in one process."""

from base64 import b64encode
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from postroad.cli.mail_files import answer
from postroad.mail.address import Mailbox
from postroad.mail.parse import Mail, read

_SHOWN = ("from", "to", "cc", "date", "subject", "message_id", "in_reply_to", "references", "automatic", "report")


def parse(
    *mails: Path,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
    batch: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show what postroad reads in mails: headers, text, attachments, automatic or not, a report or not.

    Parameters
    ----------
    mails
        Files that hold one mail each, as received (.eml).
    json_
        One JSON object a line instead of text.
    batch
        Read paths from standard input, one a line, and answer each with one JSON line before the next is read.
    """
    return answer(mails, read, described, _readable, as_json=json_, batch=batch)


def described(mail: Mail) -> dict[str, object]:
    """A mail as plain values for JSON; addresses bare, payloads in base64."""
    return {
        "subject": mail.subject,
        "from": _shown(mail.from_),
        "to": _shown(mail.to),
        "cc": _shown(mail.cc),
        "date": mail.date.isoformat() if mail.date else None,
        "message_id": mail.message_id,
        "in_reply_to": list(mail.in_reply_to),
        "references": list(mail.references),
        "automatic": mail.automatic.reason if mail.automatic else None,
        "report": mail.report.kind if mail.report else None,
        "text": mail.text,
        "html": mail.html,
        "reply_text": mail.reply_text,
        "leaves": [
            {
                "type": leaf.type,
                "b64": b64encode(leaf.payload).decode("ascii"),
                "text": leaf.text,
                "filename": leaf.filename,
                "content_id": leaf.content_id,
                "disposition": leaf.disposition,
            }
            for leaf in mail.leaves
        ],
    }


def _shown(boxes: tuple[Mailbox, ...]) -> list[dict[str, str]]:
    return [{"name": box.name, "address": box.address} for box in boxes]


def _readable(mail: Mail) -> str:
    values = described(mail)
    lines = [f"  {name.replace('_', ' '):12} {_line(values[name])}" for name in _SHOWN if values[name]]
    lines += [
        f"  attachment   {item.filename or '(unnamed)'} {item.type} {len(item.payload)} bytes"
        for item in mail.attachments
    ]
    words = mail.reply_text.split("\n") if mail.reply_text else ["(no text)"]
    return "\n".join([*lines, "", *(f"  | {line}" for line in words), ""])


def _line(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", ".join(
        f"{one['name']} <{one['address']}>".strip() if isinstance(one, dict) else str(one) for one in value
    )
