"""The call to a server, signed and small enough: keys that cannot be read, attachments that become links (O13, O14)."""

import dataclasses
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from postroad.dispatch.attempt import Answer, Attempt, Plan, Step
from postroad.dispatch.caller import SmtpCaller
from postroad.dispatch.judge import RetryPolicy, judge
from postroad.dispatch.signing import load_key, public_octets
from postroad.dispatch.transports.session import Timeouts
from postroad.mail.dkim import key_record
from postroad.mail.links import read_file_link
from postroad.mail.provider import told
from postroad.runtime.config import Config
from postroad.runtime.objects import MemoryStore
from postroad.runtime.worker import Tools
from postroad.stage import Emission
from postroad_schemas.directory import DkimKey, Provider, Smarthost
from postroad_schemas.event import Row
from postroad_schemas.outbound import Action
from postroad_schemas.values import Attachment, Contents, FailureType, Mailbox
from tests.dispatch.made import AT, DOMAIN, KEY, parameter, submitted, views_of
from tests.support.dkim import verified
from tests.support.smtp_sink import SmtpSink

BASE = parameter("mail.links.base", "https://mail.example.com")
FROM = Mailbox(address="notifications@example.com", name="Mary")
LIMIT = 20_000


async def publish(_: Sequence[Emission]) -> None:
    raise AssertionError("a caller publishes nothing: its answer is concluded by the sender")


class Counting(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    async def get(self, ref: str) -> bytes:
        self.fetched.append(ref)
        return await super().get(ref)


class Calls:
    """Attempts at one sink, by a caller with these rows in its directory."""

    def __init__(self, sink: SmtpSink, *rows: Row, **server: Any) -> None:
        self.sink, self.store, self.views = sink, Counting(), views_of(DOMAIN, *rows)
        self.caller = SmtpCaller(Tools(publish, self.views, self.store, lambda: AT, Config()), Timeouts(2, 2, 2))
        row = replace(Smarthost(name="sink", host=sink.host, port=sink.port), **server)
        self.plan = Plan(row, "no filter", FROM, FROM, "bounce@example.com", "bob@example.org")

    async def attachment(self, name: str, octets: int, content_id: str = "") -> Attachment:
        ref = await self.store.put(name.encode() * (octets // len(name)))
        return Attachment(
            name=name, media_type="image/png", content=ref, content_id=content_id, inline=bool(content_id)
        )

    async def __call__(self, *attachments: Attachment, text: str = "Hello\n", html: str = "") -> Answer:
        contents = Contents(text=text, html=html, attachments=attachments)
        return await self.caller(Attempt(submitted(contents=contents), self.plan, 1))

    @property
    def arrived(self) -> Any:
        """The one message that was taken."""
        [message] = self.sink.messages
        return message_from_bytes(message.content, policy=policy.default)

    def text(self) -> str:
        return str(self.arrived.get_body(("plain",)).get_content())


@asynccontextmanager
async def calls(*rows: Row, script: dict[str, Any] | None = None, **server: Any) -> AsyncIterator[Calls]:
    async with SmtpSink(**(script or {})) as sink:
        made = Calls(sink, *rows, **server)
        yield made
        await made.caller.close()


@pytest.fixture
def key(tmp_path: Path) -> DkimKey:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ed.pem").write_bytes(pem)
    return DkimKey(domain="example.com", selector="s1", algorithm="ed25519-sha256", secret=f"file:{tmp_path}/ed.pem")


def file_of(key: DkimKey) -> Path:
    return Path(key.secret.removeprefix("file:"))


async def test_what_arrives_is_signed(key: DkimKey) -> None:
    """O13: by the domain of From after O2, at every attempt alike."""
    public = public_octets(load_key(file_of(key).read_bytes(), key.algorithm, key.secret))
    published = {"s1._domainkey.example.com": key_record(key.algorithm, public)}
    async with calls(key) as call:
        image = await call.attachment("a.png", 1000)
        for attachments in ((), (image,), (image,)):
            assert (await call(*attachments)).reply.code == 250
        signatures = [verified(message.content, published) for message in call.sink.messages]
        assert signatures == [["ed25519-sha256 example.com s1 pass"]] * 3
        assert call.sink.messages[1].content == call.sink.messages[2].content


async def test_what_a_provider_takes_out_breaks_no_signature(key: DkimKey) -> None:
    """B1: what it was told is in the message before that is signed, and in no signature."""
    public = public_octets(load_key(file_of(key).read_bytes(), key.algorithm, key.secret))
    published = {"s1._domainkey.example.com": key_record(key.algorithm, public)}
    for provider in Provider:
        async with calls(key) as call:
            call.plan = dataclasses.replace(call.plan, told=told(provider, "t" * 33, "<1@example.com>"))
            assert (await call()).reply.code == 250
            names = {header.name.lower().encode() for header in call.plan.told}
            [raw] = [message.content for message in call.sink.messages]
            fields, blank, body = raw.partition(b"\r\n\r\n")
            lines = re.split(rb"\r\n(?![ \t])", fields)
            kept = [line for line in lines if line.partition(b":")[0].lower() not in names]
            assert len(kept) == len(lines) - len(names)
            taken_out = b"\r\n".join(kept) + blank + body
            assert [verified(each, published) for each in (raw, taken_out)] == [
                ["ed25519-sha256 example.com s1 pass"]
            ] * 2


async def test_a_key_that_cannot_be_read_is_waited_for_and_nothing_goes_out_unsigned(key: DkimKey) -> None:
    pem = file_of(key).read_bytes()
    file_of(key).unlink()
    async with calls(key) as call:
        answer = await call()
        assert call.sink.connections == 0
        outcome = judge(answer, "id", 1, AT, RetryPolicy())
        assert (outcome.action, outcome.status, answer.step) == (Action.DELAYED, "4.3.5", Step.CONTENTS)
        assert answer.reply.text == f"cannot be signed: the DKIM key {key.secret} cannot be read"
        file_of(key).write_bytes(pem)
        assert (await call()).reply.code == 250
        assert "DKIM-Signature" in call.arrived


async def test_other_domains_go_unsigned(key: DkimKey) -> None:
    async with calls(replace(key, domain="example.net")) as call:
        await call()
        assert "DKIM-Signature" not in call.arrived


@pytest.mark.parametrize(
    ("script", "server", "connections"),
    [
        pytest.param({"size": LIMIT}, {}, 1, id="as its SIZE extension says (RFC 1870)"),
        pytest.param({}, {"size_limit": LIMIT}, 1, id="as its row says: not even tried"),
        pytest.param({"mail": ["552 5.3.4 too big"]}, {}, 1, id="as it answers at MAIL"),
        pytest.param({"body": ["552 5.3.4 too big"]}, {}, 1, id="as it answers after the body"),
    ],
)
async def test_over_the_limit_attachments_become_links(
    script: dict[str, Any], server: dict[str, Any], connections: int
) -> None:
    """O14."""
    async with calls(KEY, BASE, script=script, **server) as call:
        large, small = await call.attachment("large.png", 30_000), await call.attachment("small.png", 90)
        logo = await call.attachment("logo.png", 900, "logo@1")
        assert (await call(large, small, logo, html='<p>Hello<img src="cid:logo@1">')).reply.code == 250
        parts = [part.get_content_type() for part in call.arrived.walk() if not part.is_multipart()]
        assert parts == ["text/plain", "text/html", "image/png"], "the image in the text stays"
        lines = call.text().split("\r\n" if "\r\n" in call.text() else "\n")
        assert [line.partition(" ")[0] for line in lines if "https:" in line] == ["large.png", "small.png"]
        tokens = [line.rpartition("/files/")[2] for line in lines if "https:" in line]
        linked = [read_file_link(call.views.keys, token, AT) for token in tokens]
        assert [(file.ref, file.name) for file in linked if file] == [
            (large.content.ref, "large.png"),
            (small.content.ref, "small.png"),
        ]
        assert call.sink.connections == connections


async def test_images_become_links_too_where_that_is_not_enough() -> None:
    async with calls(KEY, BASE, size_limit=LIMIT) as call:
        logo = await call.attachment("logo.png", 30_000, "logo@1")
        assert (await call(logo, html='<p>Hello<img src="cid:logo@1">')).reply.code == 250
        html = call.arrived.get_body(("html",)).get_content()
        assert '<img src="https://mail.example.com/files/' in html
        assert call.store.fetched == [], "what is larger than the limit is not even fetched"


@pytest.mark.parametrize(
    ("rows", "advice"),
    [
        pytest.param((KEY,), "attachments become links once the parameter mail.links.base says", id="no base"),
        pytest.param((BASE,), "attachments cannot become links without a signing key", id="no key to sign links"),
    ],
)
async def test_without_links_it_fails_with_that_reason(rows: tuple[Row, ...], advice: str) -> None:
    """O14, O9: configuration."""
    async with calls(*rows, script={"size": LIMIT}) as call:
        answer = await call(await call.attachment("large.png", 30_000))
        outcome = judge(answer, "id", 1, AT, RetryPolicy())
        assert (outcome.action, outcome.failure, outcome.status) == (
            Action.FAILED,
            FailureType.CONFIGURATION,
            "5.3.4",
        )
        assert "more than the server's limit of 20000; " in answer.reply.text
        assert advice in answer.reply.text
        assert call.sink.messages == []


async def test_words_that_are_too_large_themselves_fail_as_they_are() -> None:
    async with calls(KEY, script={"size": LIMIT}) as call:
        answer = await call(text="x\n" * LIMIT)
        assert answer.status == "5.3.4"
        assert answer.reply.text.endswith("the server's limit of 20000")
        answer = await call(await call.attachment("a.png", 90), text="x\n" * LIMIT)
        assert answer.status == "5.3.4"


async def test_another_refusal_is_not_tried_with_links() -> None:
    async with calls(KEY, BASE, script={"body": ["550 5.7.1 no", "250 ok"]}) as call:
        assert (await call(await call.attachment("a.png", 90))).reply.code == 550
        assert call.sink.messages == []
