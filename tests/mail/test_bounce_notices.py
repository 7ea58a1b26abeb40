"""Notices in the manner of many servers: who failed, for good or not, why, of which message (P4-P6).

`notices.txt` holds them, each below a line: name, kind, recipients, permanence, reason, original id; "-" is not asked.
"""

import re
from pathlib import Path

import pytest

from postroad.mail.bounce.reading import read_bounce
from postroad.mail.parse import read

_HEAD = re.compile(r"^===== \| (.+)\n", re.MULTILINE)
_PARTS = _HEAD.split(Path(__file__).with_name("notices.txt").read_text(encoding="utf-8"))[1:]
NOTICES = [
    pytest.param(*head.split(" | ")[1:], raw.strip("\n") + "\n", id=head.split(" | ")[0])
    for head, raw in zip(_PARTS[::2], _PARTS[1::2], strict=True)
]


@pytest.mark.parametrize(("kind", "recipients", "permanence", "reason", "original", "raw"), NOTICES)
def test_reads_notices(kind: str, recipients: str, permanence: str, reason: str, original: str, raw: str) -> None:
    mail = read(raw.encode())
    found = read_bounce(mail.root, mail.as_report)
    assert found.kind == kind
    assert [one.address for one in found.recipients] == ([] if recipients == "-" else recipients.split())
    if permanence != "-":
        assert {one.permanent for one in found.recipients} == {permanence == "permanent"}
    if reason != "-":
        assert {one.reason for one in found.recipients} == {reason}
    if original != "-":
        assert found.original_message_id == original


def test_there_are_notices_of_every_kind() -> None:
    kinds = {str(notice.values[0]) for notice in NOTICES}
    assert len(NOTICES) >= 104
    assert kinds == {"bounce", "feedback", "auto_reply", "delivered", "receipt", "normal"}
