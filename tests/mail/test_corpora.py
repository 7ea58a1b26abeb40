"""Real mails: every one is read; reports and replies are measured against what people found in them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.mail.parse import Mail, read
from postroad.mail.reply_text import strip_reply

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
REPLIES = CORPORA / "replies" / "email_reply_trimmer"

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"the mail corpora are not at {CORPORA}")


def reports(folder: str = "cws") -> Iterator[tuple[str, Mail, dict[str, object]]]:
    where = CORPORA / "bounces" / folder
    for name, expected in sorted(json.loads((where / "expected.json").read_text()).items()):
        yield name, read((where / name).read_bytes()), expected


def test_every_mail_is_read_and_gives_something() -> None:
    suffixes = (".eml", ".raw", ".golden", ".txt")
    files = [path for path in CORPORA.rglob("*") if path.suffix in suffixes and path.parent.name != "trimmed"]
    assert len(files) > 500
    empty = []
    for path in files:
        mail = read(path.read_bytes())
        for name in dir(Mail):
            if not name.startswith("_"):
                getattr(mail, name)
        if not mail.leaves:
            empty.append(path.name)
    assert sorted(empty) == ["header-only.raw", "part-empty.golden"]  # nothing but a header; nothing at all


def test_readable_text_is_not_lost() -> None:
    """What stands as plain words in odd mails stands in some leaf."""
    words = {
        "low-quality/bad-final-boundary.raw": "A text section",
        "low-quality/bad-header-start.raw": "An HTML section",
        "low-quality/incorrect-charset.raw": "Mathematics and sciences",
        "low-quality/missing-content-type2.raw": "An HTML section",
        "low-quality/unk-charset-part.raw": "A text section",
        "parts/badboundary.raw": "An HTML section",
        "parts/multi-malformed.raw": "I'm section without headers",
        "parts/extra-base64-character.raw": "Hello World!",
        "parts/empty-ctype-bad-content.raw": "Use the View Invoices function",
        "mail/multipart-wo-boundary.raw": "I'm  multipart message without boundary",
        "mail/mime-bad-content-transfer-encoding.raw": "ploozdect  nispplul",
        "mail/erroneous.raw": "Not an RFC-822 Document",
    }
    for name, text in words.items():
        mail = read((CORPORA / "mime" / "enmime" / name).read_bytes())
        assert any(text in (leaf.text or "") for leaf in mail.leaves), name


def test_original_message_ids_of_reports() -> None:
    known = [
        (name, mail, expected["original_message_id"])
        for name, mail, expected in reports()
        if "original_message_id" in expected
    ]
    missed = [name for name, mail, id_ in known if mail.as_report.original_message_id.strip("<>") != id_]
    assert (len(known), missed) == (101, [])


@pytest.mark.parametrize(("folder", "readable"), [("cws", 38), ("flufl", 18)])
def test_recipients_of_machine_readable_reports(folder: str, readable: int) -> None:
    missed, measured = [], 0
    for name, mail, expected in reports(folder):
        found = [one for one in mail.as_report.recipients if one.witness == "fields"]
        wanted = expected.get("recipients")
        if not found or not isinstance(wanted, list):
            continue
        measured += 1
        blocks = [{one.final_recipient.lower(), one.original_recipient.lower()} for one in found]
        accepted = [{address.lower() for address in one["accepted"]} for one in wanted]
        everyone_found = all(any(block & one for block in blocks) for one in accepted)
        nobody_else = all(any(block & one for one in accepted) for block in blocks)
        if not (everyone_found and nobody_else):
            missed.append(name)
    assert (measured, missed) == (readable, [])


def test_reports_are_recognised_by_their_own_looks() -> None:
    """The rest are free-form notices under an ordinary author: reports by the address they were sent to (P1)."""
    assert sum(mail.report is not None for _, mail, _ in reports()) >= 114


def test_new_words_of_replies() -> None:
    pairs = [
        (path.read_text(encoding="utf-8"), (REPLIES / "trimmed" / path.name)) for path in (REPLIES / "emails").iterdir()
    ]
    right = sum(strip_reply(text).split() == trimmed.read_text(encoding="utf-8").split() for text, trimmed in pairs)
    assert len(pairs) == 64
    assert right >= 61
