"""The worker from end to end: submissions in, real SMTP to a scripted server, reports out."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.dispatch.caller import SmtpCaller
from postroad.dispatch.transports.session import Timeouts
from postroad.dispatch.worker import WORKER, worker
from postroad.runtime.config import Config, Relay
from postroad.runtime.worker import Tools, Unavailable
from postroad.stage import Emission
from postroad_schemas.directory import Security, Smarthost
from postroad_schemas.outbound import Action
from postroad_schemas.values import Attachment, Contents, FailureType, ObjectRef
from tests.dispatch.made import DOMAIN, KEY, Runner, submitted, views_of
from tests.support.smtp_sink import ANSWER_AND_DROP, DROP, KEEP_AND_DROP, SmtpSink, make_certificate

HOUR = timedelta(hours=1)


class Objects:
    """An object store in a dict, that can be down."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.down = False

    async def put_all(self, contents: Sequence[bytes]) -> list[ObjectRef]:
        return [await self.put(content) for content in contents]

    async def put(self, content: bytes) -> ObjectRef:
        ref = f"sha256/{sha256(content).hexdigest()}"
        self.kept[ref] = content
        return ObjectRef(ref=ref, size=len(content))

    async def get(self, ref: str) -> bytes:
        if self.down:
            raise Unavailable("read-only file system")
        return self.kept[ref]

    async def delete(self, ref: str) -> None:
        self.kept.pop(ref, None)


async def publish(_: Sequence[Emission]) -> None:
    raise AssertionError("a caller publishes nothing: its answer is concluded by the sender")


@asynccontextmanager
async def dispatching(config: Config, *rows: Any, store: Objects | None = None) -> AsyncIterator[Runner]:
    views = views_of(DOMAIN, KEY, *rows)
    runner = Runner(views, lambda attempt: caller(attempt))
    clock: Callable[[], Any] = lambda: runner.now  # noqa: E731
    caller = SmtpCaller(Tools(publish, views, store or Objects(), clock, config), Timeouts(2, 2, 2))
    yield runner
    await caller.close()


def smarthost(sink: SmtpSink, **fields: Any) -> Smarthost:
    return replace(Smarthost(name="sink", host=sink.host, port=sink.port), **fields)


@pytest.mark.parametrize(
    ("script", "actions", "messages"),
    [
        pytest.param({}, ["relayed"], 1, id="accepted"),
        pytest.param({"body": ["451 4.3.0 later"]}, ["delayed", "relayed"], 1, id="4yz, then accepted"),
        pytest.param({"greylist": "450 4.7.1 greylisted"}, ["delayed", "relayed"], 1, id="greylisted"),
        pytest.param({"rcpt": {"*": "550 5.1.1 no such user"}}, ["failed"], 0, id="5yz"),
        pytest.param({"body": "550 5.7.1 caf\udce9 " + "x" * 3000}, ["failed"], 0, id="long words that are not UTF-8"),
        pytest.param({"body": [DROP]}, ["delayed", "relayed"], 1, id="O10: lost before the 250, not taken"),
        pytest.param({"body": [KEEP_AND_DROP]}, ["delayed", "relayed"], 2, id="O10: lost before the 250, but taken"),
        pytest.param({"body": [ANSWER_AND_DROP]}, ["relayed"], 1, id="O10: lost after the 250"),
        pytest.param({"connect": ["421 4.3.2 busy", DROP]}, ["delayed", "delayed", "relayed"], 1, id="a busy server"),
    ],
)
async def test_a_message_gets_there_or_is_reported(
    script: Mapping[str, Any], actions: list[str], messages: int
) -> None:
    async with SmtpSink(**script) as sink, dispatching(Config(), smarthost(sink)) as runner:
        await runner.take(submitted(), submitted())
        await runner.pass_time(HOUR)
        await runner.take(submitted())
    assert [report.action for report in runner.reports] == actions
    assert len(sink.messages) == messages
    assert len({message.content for message in sink.messages}) <= 1, "a repeat is the same, octet for octet"


async def test_what_arrives_is_what_was_meant() -> None:
    store = Objects()
    contents = Contents(
        text="short",
        text_ref=await store.put("Grüße\n".encode()),
        html_ref=await store.put(b"<p>hi"),
        attachments=(Attachment(name="a.bin", media_type="image/png", content=await store.put(b"\x00\x01")),),
    )
    async with SmtpSink() as sink, dispatching(Config(), smarthost(sink), store=store) as runner:
        await runner.take(submitted(contents=contents))
    (arrived,) = sink.messages
    message: Any = message_from_bytes(arrived.content, policy=policy.default)
    assert arrived.mail_from.startswith("bounce+")
    assert arrived.rcpt_tos == ("bob@example.org",)
    assert message["From"] == "Mary <notifications@example.com>"
    assert message["Message-ID"] == "<1@example.com>"
    assert message.get_body(("plain",)).get_content().split() == ["Grüße"]
    assert message.get_body(("html",)).get_content().strip() == "<p>hi"
    assert [part.get_content() for part in message.iter_attachments()] == [b"\x00\x01"]


async def test_a_certificate_that_nobody_vouches_for_is_retried_and_nothing_is_sent(tmp_path: Path) -> None:
    """O8: TLS failures are retried."""
    certificate = make_certificate(tmp_path)
    async with SmtpSink(certificate=certificate) as sink, dispatching(Config()) as runner:
        for ca_file in ("", str(certificate.ca_file)):
            assert not sink.messages
            row = smarthost(sink, security=Security.STARTTLS, ca_file=ca_file)
            runner.views.apply("directory", "smarthost/sink", row)
            await runner.take(submitted())
            await runner.pass_time(timedelta(seconds=90) if ca_file else timedelta())
    assert [(report.action, report.status) for report in runner.reports] == [
        (Action.DELAYED, "4.7.5"),
        (Action.RELAYED, "2.0.0"),
    ]
    assert not runner.reports[0].proven
    assert [message.encrypted for message in sink.messages] == [True]


@pytest.mark.parametrize("of_the_plan", [True, False], ids=["as planned", "found by the process itself"])
async def test_the_built_in_server_is_where_the_configuration_says(of_the_plan: bool) -> None:
    """O5: also for plans that were made without that configuration."""
    async with SmtpSink() as sink:
        config = Config(relay=Relay(host=sink.host, port=sink.port))
        async with dispatching(config) as runner:
            runner.sender = (worker(config) if of_the_plan else WORKER).sendings[0].sender
            await runner.take(submitted())
    assert len(sink.messages) == 1
    assert (runner.reports[0].server, runner.reports[0].action) == ("default", Action.RELAYED)


async def test_contents_that_are_gone_fail_with_words() -> None:
    gone = Contents(text_ref=ObjectRef(ref="sha256/gone", size=1))
    async with SmtpSink() as sink, dispatching(Config(), smarthost(sink)) as runner:
        await runner.take(submitted(contents=gone))
    (report,) = runner.reports
    assert (report.action, report.failure) == (Action.FAILED, FailureType.CONFIGURATION)
    assert "sha256/gone" in report.diagnostic
    assert not report.proven
    assert sink.connections == 0


async def test_a_store_that_is_down_is_waited_for() -> None:
    store = Objects()
    contents = Contents(text_ref=await store.put(b"Hello\n"))
    store.down = True
    async with SmtpSink() as sink, dispatching(Config(), smarthost(sink), store=store) as runner:
        await runner.take(submitted(contents=contents))
        assert [report.status for report in runner.reports] == ["4.3.0"]
        store.down = False
        await runner.pass_time(HOUR)
    assert [report.action for report in runner.reports] == [Action.DELAYED, Action.RELAYED]


async def test_several_recipients_of_one_post_each_have_a_transaction_and_a_return_path() -> None:
    """O8, F5."""
    async with (
        SmtpSink(rcpt={"b@example.org": "550 5.1.1 no"}) as sink,
        dispatching(Config(), smarthost(sink)) as runner,
    ):
        copies = [submitted(n, f"{who}@example.org", message_id="<post@example.com>") for n, who in enumerate("abc")]
        await runner.take(*copies)
    assert [report.action for report in runner.reports] == ["relayed", "failed", "relayed"]
    assert len({message.mail_from for message in sink.messages}) == 2
    assert len({report.notification_id for report in runner.reports}) == 3


async def test_the_worker_opens_its_own_caller() -> None:
    (sending,) = WORKER.sendings
    caller = sending.open(Tools(publish, views_of(), Objects(), lambda: submitted().occurred_at, Config()))
    assert isinstance(caller, SmtpCaller)
    await caller.close()
    assert {topic for topic in sending.sender.reads if "deferred" in topic} <= set(sending.sender.writes)


async def test_a_destination_that_defers_everybody_is_left_alone_and_gets_everything_in_the_end() -> None:
    """O8: what was not tried is deferred like what was, and nothing fails of it."""
    async with SmtpSink(rcpt={"*": "451 4.3.0 later"}) as sink, dispatching(Config(), smarthost(sink)) as runner:
        await runner.take(*(submitted(number, f"{number}@example.org") for number in range(20)))
        asked = sum(command.startswith("RCPT") for command in sink.commands)
        not_tried = [report for report in runner.reports if "not tried" in report.diagnostic]
        assert (asked, len(not_tried)) == (5, 15)
        assert {(report.action, report.status) for report in not_tried} == {(Action.DELAYED, "4.3.0")}
        await runner.pass_time(HOUR)
        assert sum(command.startswith("RCPT") for command in sink.commands) < 20, "a probe at a time"
        sink.rcpt = {}
        await runner.pass_time(6 * HOUR)
    assert len(sink.messages) == 20
    assert {report.action for report in runner.reports} == {Action.DELAYED, Action.RELAYED}
