"""Messages over their server's limit (O14)."""

from base64 import encodebytes
from typing import Any

import pytest

from tests.support.scenario import ANNA, EVE, Sent, Story

BASE = "https://mail.example.com"
OFFER = (
    "From: Bob <bob@example.org>\r\nTo: sales@example.com\r\nSubject: Offer\r\nMessage-ID: <offer@example.org>\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    "--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n"
    '--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="offer.pdf"\r\n'
    f"Content-Transfer-Encoding: base64\r\n\r\n{encodebytes(bytes(9_000)).decode()}\r\n--b--\r\n"
)


def sent(story: Story, limit: int, base: str = BASE, script: dict[str, Any] | None = None) -> Sent:
    """Bob's offer as it goes to Anna, who follows, through a server with this limit."""
    story.apply(contact=[ANNA, EVE], smarthost=[{"name": "main", "host": "m.example", "size_limit": limit}])
    story.set("mail.links.base", base)
    story.smarthost("main", **(script or {}))
    story.raw(OFFER)
    contents = story.events("record.requested")[-1]["post"]["contents"]
    thread = story.thread("<offer@example.org>")
    story.post(thread, contents=contents, notify=[{"contact": "eve"}])
    (copy,) = story.sent()
    return copy


def attached(copy: Sent) -> list[str | None]:
    return [part.get_filename() for part in copy.message.iter_attachments()]


@pytest.mark.parametrize(
    ("limit", "script"),
    [
        pytest.param(5_000, {}, id="by its row"),
        pytest.param(0, {"ehlo": ["SIZE 5000"]}, id="by its SIZE (RFC 1870)"),
    ],
)
def test_attachments_become_links(story: Story, limit: int, script: dict[str, Any]) -> None:
    copy = sent(story, limit, script=script)
    assert (copy.code, attached(copy)) == (250, [])
    assert f"offer.pdf (9.0 kB): {BASE}/files/" in copy.words
    assert story.events("notification.failed") == []


@pytest.mark.parametrize(
    ("limit", "base", "words"),
    [
        pytest.param(5_000, "", "mail.links.base", id="without a link base: what to do"),
        pytest.param(300, BASE, "limit of 300", id="too large with links alone"),
    ],
)
def test_else_it_fails_with_the_reason(story: Story, limit: int, base: str, words: str) -> None:
    assert sent(story, limit, base).code == 0
    (failed,) = story.events("notification.failed")
    assert failed["failure"] == "configuration"
    assert words in failed["diagnostic"]


def test_within_the_limit_it_stays_attached(story: Story) -> None:
    assert attached(sent(story, 50_000)) == ["offer.pdf"]
