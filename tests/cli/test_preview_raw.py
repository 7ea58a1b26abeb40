"""`postroad preview --raw`: octet for octet what a server receives of the same event (F1-F6, O1-O6, O13, O14)."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from postroad.dispatch.worker import worker
from postroad.fanout.worker import WORKER as FANOUT
from postroad.ingest.accept import Origin, accept
from postroad.loop_guard.worker import WORKER as LOOP_GUARD
from postroad.routing.worker import WORKER as ROUTING
from postroad.runtime.config import Config, Log, Store
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad_schemas import Event, event_id
from postroad_schemas.chatter import ChatterPosted, ThreadOpened
from postroad_schemas.directory import Provider
from postroad_schemas.mail import Door
from postroad_schemas.values import Attachment, Author, Contents, Envelope, Follower, Mailbox, Post, Stream
from tests.cli.conftest import Running
from tests.cli.installation import Said
from tests.cli.test_dkim_keys import made as key_made
from tests.dispatch.made import AT, submitted
from tests.support.smtp_sink import SmtpSink
from tests.support.thread_loop import in_thread

THREAD = "crm.lead/7"
ANNA = Author(contact="anna", address="anna@example.com", name="Anna Agent")
EVE, ZOE = "eve@example.net", "zoe@example.org"
ROOM = 20_000  # octets that the server takes
LINKS = ("params", "set", "mail.links.base", "https://mail.example.com")

Copies = Mapping[str, bytes]


class Sending(Running):
    """All that makes mail of a post, before a real server."""

    def __init__(self, folder: Path, run: Callable[..., Said]) -> None:
        super().__init__(folder, run)
        self.sink = SmtpSink()
        url, log = f"file:{folder}/objects", str(folder / "log.sqlite")
        config = Config(store=Store(url=url), log=Log(path=log))
        self.store = open_store(url)
        self.embedded = Embedded(Path(log), (ROUTING, LOOP_GUARD, FANOUT, worker(config)), self.store, config)

    async def __aenter__(self) -> "Sending":
        await self.sink.__aenter__()
        await super().__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self.sink.__aexit__(None, None, None)

    def publish(self, *events: Event) -> Copies:
        """What the server has received in the end, by recipient."""
        before = len(self.sink.messages)
        self.wait(self._publish(events))
        self.wait(self.embedded.idle())
        return {message.rcpt_tos[0]: message.content for message in self.sink.messages[before:]}

    async def _publish(self, events: Sequence[Event]) -> None:
        await self.embedded.tools.publish(events)

    def attached(self, content: bytes, **fields: Any) -> Attachment:
        return Attachment(content=self.wait(self.store.put(content)), **fields)

    def raw(self, what: str | Path, to: str = "") -> bytes:
        said = self("preview", what, "--raw", *(("--to", to) if to else ()))
        assert (said.code, said.err) == (os.EX_OK, "")
        return said.out.encode()


def posted(text: str = "Hello", **contents: Any) -> ChatterPosted:
    new_id = event_id("posted", text)
    post = Post(author=ANNA, contents=Contents(text=text, **contents))
    return ChatterPosted(event_id=new_id, occurred_at=AT, trace_id=new_id, thread=THREAD, post=post)


@pytest.fixture
def sending(tmp_path: Path, run: Callable[..., Said]) -> Iterator[Sending]:
    """Anna, Eve and Zoë follow a thread."""
    made = Sending(tmp_path, run)
    assert run("apply", made.file).code == os.EX_OK
    with in_thread(made):
        server = f'[[smarthost]]\nname = "sink"\nhost = "127.0.0.1"\nport = {made.sink.port}\nsize_limit = {ROOM}\n'
        made.file.write_text(made.file.read_text() + server)
        assert run("apply", made.file).code == os.EX_OK
        made.good("contact", "add", "anna", "anna@example.com", "--name", "Anna Agent", "--kind", "internal")
        followers = (Follower(contact="anna"), Follower(address=EVE, name="Eve"), Follower(address=ZOE, name="Zoë"))
        new_id = event_id("opened")
        opened = ThreadOpened(
            event_id=new_id, occurred_at=AT, trace_id=new_id, thread=THREAD, title="Größe", followers=followers
        )
        assert made.publish(opened) == {}
        yield made


def images(sending: Sending) -> ChatterPosted:
    logo = sending.attached(b"\x89PNG\x00", name="logo.png", media_type="image/png", content_id="logo@1", inline=True)
    offer = sending.attached(bytes(range(256)) * 9, name="Angebot für Eve.pdf", media_type="application/pdf")
    html = sending.wait(sending.store.put('<p>Grüße <img src="cid:logo@1">'.encode()))
    return posted(html_ref=html, attachments=(logo, offer))


def large(sending: Sending) -> ChatterPosted:
    """O14: links for what does not fit."""
    sending.good(*LINKS)
    return posted(attachments=(sending.attached(bytes(ROOM), name="plan.bin", media_type="application/zip"),))


def signed(sending: Sending) -> ChatterPosted:
    """O13."""
    key_made(sending, "s1")
    key_made(sending, "e1", "--algorithm", "ed25519-sha256")
    return posted()


def reported(sending: Sending) -> ChatterPosted:
    """B1: a server whose provider is told which message it is."""
    sending.file.write_text(f'{sending.file.read_text()}provider = "{Provider.POSTMARK}"\n')
    assert sending._run("apply", sending.file).code == os.EX_OK
    return posted()


@pytest.mark.parametrize(
    ("post", "in_it"),
    [
        pytest.param(lambda _: posted("Grüße\n.\nFrom me"), [b"Subject: ", b"\nFrom: "], id="words"),
        pytest.param(images, [b"multipart/related", b"filename*"], id="HTML, an image in it, a file"),
        pytest.param(large, [b"https://mail.example.com/files/"], id="O14: too large for the server"),
        pytest.param(signed, [b"a=ed25519-sha256", b"a=rsa-sha256"], id="O13: signed twice"),
        pytest.param(reported, [b"X-PM-"], id="B1: what its provider says back"),
    ],
)
def test_it_is_what_the_server_receives(
    sending: Sending, post: Callable[[Sending], ChatterPosted], in_it: list[bytes]
) -> None:
    """Before it is published, by the file that is published; and afterwards, by its thread and by its id."""
    event = post(sending)
    draft = sending.folder / "draft.json"
    draft.write_text(json.dumps(to_builtins(event)))
    beforehand = {to: sending.raw(draft, to) for to in (EVE, ZOE)}
    assert sending.sink.messages == [], "something was sent"
    received = sending.publish(event)
    assert [octets for octets in in_it if octets not in received[EVE]] == []
    assert received == beforehand
    for what in (THREAD, event.event_id):
        assert {to: sending.raw(what, to) for to in received} == received


def test_a_mail_that_came_in_is_what_the_server_receives(sending: Sending) -> None:
    """Its words and files lie in the store; an earlier post stays what it was."""
    first = posted()
    before = sending.publish(first)
    (reply_to,) = (line for line in before[EVE].decode().splitlines() if "catchall+" in line)
    handle = reply_to[reply_to.index("catchall+") :].strip("<> ")
    head = ("MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "My answer")
    file = ("--b", "Content-Type: image/png", "Content-Disposition: attachment; filename=a.png", "", "octets", "--b--")
    answer = f"From: {EVE}\r\nTo: {handle}\r\nMessage-ID: <e1@example.net>\r\n" + "\r\n".join((*head, *file, ""))
    sending.wait(_taken(sending, answer.encode(), handle))
    sending.wait(sending.embedded.idle())
    received = {message.rcpt_tos[0]: message.content for message in sending.sink.messages[len(before) :]}
    assert set(received) == {"anna@example.com", ZOE}
    assert b"filename=a.png" in received[ZOE].replace(b'"', b"")
    assert {to: sending.raw(THREAD, to) for to in received} == received
    assert {to: sending.raw(first.event_id, to) for to in before} == before


async def _taken(sending: Sending, raw: bytes, to: str) -> None:
    envelope, origin = Envelope(mail_from=EVE, rcpt_to=(to,)), Origin(Door.SMTP, session="test", ordinal="1")
    await accept(raw, envelope, origin, sending.embedded.tools)


@pytest.mark.parametrize("published", [False, True], ids=["beforehand", "by its id"])
def test_bulk_mail_of_an_app_with_its_leave_links(sending: Sending, published: bool) -> None:
    """O6."""
    sending.good(*LINKS)
    news = replace(submitted(1, EVE), stream=Stream.BULK, mailing="May", from_=Mailbox(address="news@example.com"))
    draft = sending.folder / "news.json"
    draft.write_text(json.dumps(to_builtins(news)))
    beforehand = sending.raw(draft)
    received = sending.publish(news)[EVE]
    assert b"\nList-Unsubscribe: <https://mail.example.com/leave/" in received
    assert (sending.raw(news.event_id) if published else beforehand) == received


def test_a_person_reads_words_files_and_signatures(sending: Sending) -> None:
    sending.good(*LINKS)
    key_made(sending, "s1")
    small = sending.attached(b"x" * 900, name="a\x1b.txt", media_type="text/plain")
    text = "Good morning\n" + "and so on\n" * 12
    sending.publish(posted(text, attachments=(small,)))
    said = sending.good("preview", THREAD, "--to", EVE).splitlines()
    assert said[0] == f"{EVE}: mail (follows)"
    assert said[said.index("  |") + 1 : said.index("  |") + 3] == ["  | Good morning", "  | and so on"]
    *_, rest, attached, signature, octets = said
    assert rest == "  (1 more line: --raw shows the whole message)"
    assert attached == "  attached: a\N{REPLACEMENT CHARACTER}.txt (text/plain, 900 B)"
    assert signature == "  would be signed d=example.com s=s1 a=rsa-sha256"
    assert octets == f"  {len(sending.raw(THREAD, EVE))} octets"
    sending.publish(large(sending))
    (copy,) = (line["copy"] for line in sending.lines("preview", THREAD, "--to", ZOE))
    assert copy["files"] == [{"name": "plan.bin", "media_type": "application/zip", "size": ROOM, "linked": True}]
    assert copy["text"].startswith("Hello\n\nplan.bin (20 kB): https://mail.example.com/files/")
    assert "  as a link: plan.bin (application/zip, 20 kB)" in sending.good("preview", THREAD).splitlines()


def test_a_key_that_cannot_be_read_is_said_to_be_missing(sending: Sending) -> None:
    """The message is shown all the same; nothing but the signature is missing from it."""
    file = key_made(sending, "s1")
    whole = sending.publish(posted())[EVE]
    file.rename(file.with_name("elsewhere.pem"))
    said = sending("preview", THREAD, "--raw", "--to", EVE)
    assert said.code == os.EX_OK
    assert whole.endswith(said.out.encode())
    assert not said.out.startswith("DKIM-Signature")
    why = f"d=example.com s=s1: the DKIM key file:{file} cannot be read"
    assert said.err == (
        f"postroad: shown without a signature: {why}; where dispatch cannot read it either, the mail waits\n"
    )
    assert f"  signature missing here: {why}" in sending.good("preview", THREAD).splitlines()


def test_an_object_that_is_gone_is_named(sending: Sending) -> None:
    lost = sending.attached(b"once", name="lost.txt", media_type="text/plain")
    sending.publish(posted(attachments=(lost,)))
    sending.wait(sending.store.delete(lost.content.ref))
    said = sending("preview", THREAD, "--raw", "--to", EVE)
    assert (said.code, said.out) == (os.EX_UNAVAILABLE, "")
    why = f"not composed: a part is missing: {lost.content.ref} is not in the object store"
    assert said.err.startswith(f"postroad: {why}")
    assert f"  {why}" in sending.good("preview", THREAD)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["--raw"], 64, f"2 get a mail of it: name one with --to ({EVE}, {ZOE})", id="several"),
        pytest.param(
            ["--raw", "--to", "anna@example.com"],
            66,
            "nobody gets a mail of it: anna@example.com is told by none (author)",
            id="one who gets no mail",
        ),
        pytest.param(["--to", "eva@example.net"], 66, f"there is no follower eva@example.net; did you mean {EVE}?"),
    ],
)
def test_which_one_is_not_clear(sending: Sending, words: list[str], code: int, reason: str) -> None:
    sending.publish(posted())
    said = sending("preview", THREAD, *words)
    assert (said.code, said.out, said.err) == (code, "", f"postroad: {reason}\n")


def test_what_is_not_sent_says_why(sending: Sending) -> None:
    news = replace(submitted(1, "nobody"), stream=Stream.BULK)
    draft = sending.folder / "news.json"
    draft.write_text(json.dumps(to_builtins(news)))
    said = sending("preview", draft, "--raw")
    assert (said.code, said.out) == (os.EX_DATAERR, "")
    assert said.err == "postroad: not sent to nobody: address_invalid: 'nobody' is no address\n"
