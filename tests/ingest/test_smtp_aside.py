"""Large mails are read by another process, with the same outcome; when that is lost, the answer is "not now"."""

import asyncio

import pytest

from postroad.ingest import accept as acceptance
from postroad.ingest.accept import LARGE, Origin, accept
from postroad.ingest.aside import Aside, Question
from postroad.ingest.received import Acceptance
from postroad.runtime.config import Config
from postroad.runtime.worker import Unavailable
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope
from tests.ingest.acceptance import World
from tests.ingest.dialog import MAIL, door, greeted
from tests.support.declared import AT

PARTS = (
    b"From: anna@example.org\r\nTo: %s\r\nSubject: Plans\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThe plans.\r\n\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>The plans.</p><script>x</script>\r\n"
    b"--b\r\nContent-Type: application/pdf; name=plans.pdf\r\n\r\n%s\r\n--b--\r\n"
)
QUESTION = Question(MAIL, Acceptance("e" * 32, AT, Door.SMTP, Envelope()), keep_attachments=True, keep_original=False)


@pytest.mark.parametrize(
    ("recipient", "origin"),
    [
        pytest.param(b"sales@example.com", Origin(Door.SMTP, "s", "1"), id="a mail"),
        pytest.param(b"bounce@example.com", Origin(Door.SMTP, "s", "1"), id="to a bounce address: a report (P1)"),
        pytest.param(
            b"sales@example.com",
            Origin(Door.IMAP, "s", "1", keep_attachments=False, keep_original=True),
            id="its mailbox says what is kept (M9)",
        ),
    ],
)
async def test_a_mail_read_aside_is_the_same_event_with_the_same_objects(
    recipient: bytes, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = PARTS % (recipient, b"%PDF" * (LARGE // 4))
    envelope = Envelope(mail_from="anna@example.org", rcpt_to=(recipient.decode(),))
    aside, here = World(), World()
    await accept(lambda: raw, envelope, origin, aside.tools(Config()))
    monkeypatch.setattr(acceptance, "LARGE", 10 * LARGE)
    await accept(raw, envelope, origin, here.tools(Config()))

    assert aside.events == here.events
    assert aside.store._objects == here.store._objects
    assert (aside.events[0].report is not None) == recipient.startswith(b"bounce")
    assert len(aside.events[0].contents.attachments) == origin.keep_attachments + origin.keep_original


async def test_a_lost_process_is_not_now_and_the_next_mail_has_another() -> None:
    aside = Aside()
    first = await asyncio.to_thread(aside.read, QUESTION)
    assert aside._process is not None
    aside._process.kill()
    with pytest.raises(Unavailable, match="was lost"):
        await asyncio.to_thread(aside.read, QUESTION)
    assert await asyncio.to_thread(aside.read, QUESTION) == first
    aside.close()


async def test_a_mail_that_takes_too_long_is_given_up() -> None:
    aside = Aside(limit=0.0)  # the process is not even begun by then
    with pytest.raises(Unavailable, match="was lost"):
        await asyncio.to_thread(aside.read, QUESTION)
    aside.close()


async def test_at_the_door_it_is_451_and_then_250(monkeypatch: pytest.MonkeyPatch) -> None:
    aside = Aside(limit=0.0)
    monkeypatch.setattr(acceptance, "aside", aside)
    content = MAIL + b"line\r\n" * (LARGE // 5)
    async with door() as opened, greeted(opened.port) as client:
        assert (await client.mail(content))[:9] == "451 4.3.0"
        monkeypatch.setattr(aside, "_limit", 60.0)
        assert (await client.mail(content))[:3] == "250"
    aside.close()


async def test_it_ends_with_ours() -> None:
    aside = Aside()
    await asyncio.to_thread(aside.read, QUESTION)
    process = aside._process
    assert process is not None
    assert process.stdin is not None
    process.terminate()  # as a service manager does to all of a service: meant for us, it is heard by the pipe
    assert await asyncio.to_thread(aside.read, QUESTION)
    process.stdin.close()
    assert await asyncio.to_thread(process.wait, 10) == 0
    aside.close()
