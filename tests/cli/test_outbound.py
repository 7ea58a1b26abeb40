"""`postroad outbound`: what waits to be sent, and what an operator does with it (O5, O8)."""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.dispatch.waiting import DISPATCH
from postroad.dispatch.worker import worker
from postroad.routing.worker import WORKER as ROUTING
from postroad.runtime.config import Config, Log, Relay, Store
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad.runtime.state import states
from postroad_schemas.outbound import OutboundRetried, OutboundSubmitted, SettledState
from tests.cli.conftest import Running
from tests.cli.installation import Said
from tests.dispatch.made import submitted
from tests.support.smtp_sink import SmtpSink
from tests.support.thread_loop import in_thread

BUSY = "451 4.3.0 busy"


class Sending(Running):
    """Routing and dispatch, before a server that says so of whom it will not have yet."""

    def __init__(self, folder: Path, run: Callable[..., Said]) -> None:
        super().__init__(folder, run)
        self.sink = SmtpSink(rcpt={"eve@example.net": [BUSY] * 3, "carl@example.net": [BUSY]})

    async def __aenter__(self) -> "Sending":
        await self.sink.__aenter__()
        self.config = Config(
            store=Store(url=f"file:{self.folder}/objects"),
            log=Log(path=str(self.folder / "log.sqlite")),
            relay=Relay(host=self.sink.host, port=self.sink.port),
        )
        self.embedded = Embedded(
            self.folder / "log.sqlite", (ROUTING, worker(self.config)), open_store(self.config.store.url), self.config
        )
        return await super().__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self.sink.__aexit__(None, None, None)

    def submit(self, *recipients: str) -> list[OutboundSubmitted]:
        """Tried once on return."""
        now = datetime.now(UTC)
        made = [replace(submitted(n, each), occurred_at=now) for n, each in enumerate(recipients)]
        self.wait(self._publish(made))
        self.wait(self.embedded.idle())
        return made

    async def _publish(self, made: list[OutboundSubmitted]) -> None:
        await self.embedded.tools.publish(made)

    def sent_to(self) -> list[str]:
        self.wait(self.embedded.idle())
        return [message.rcpt_tos[0] for message in self.sink.messages]

    def of(self, submission: OutboundSubmitted) -> Any:
        live = states(self.config).one(DISPATCH, submission.recipient)
        return next(entry for entry in live.submissions if entry.submission_id == submission.event_id)


@pytest.fixture
def sending(tmp_path: Path, run: Callable[..., Said]) -> Iterator[Sending]:
    made = Sending(tmp_path, run)
    assert run("apply", made.file).code == os.EX_OK
    with in_thread(made):
        yield made


@pytest.fixture
def waits(sending: Sending) -> tuple[OutboundSubmitted, OutboundSubmitted]:
    eve, carl, _ = sending.submit("eve@example.net", "carl@example.net", "ann@example.org")
    return eve, carl


Waits = tuple[OutboundSubmitted, OutboundSubmitted]


def test_list_tells_when_and_why(sending: Sending, waits: Waits) -> None:
    lines = {line["to"]: line for line in sending.lines("outbound", "list")}
    assert set(lines) == {"eve@example.net", "carl@example.net"}
    eve = lines["eve@example.net"]
    assert (eve["id"], eve["state"], eve["attempts"], eve["server"]) == (waits[0].event_id, "deferred", 1, "default")
    assert eve["reply"] == "451 4.3.0 busy"
    due = datetime.fromisoformat(eve["next_attempt"]).replace(tzinfo=UTC)
    assert timedelta(seconds=20) < due - datetime.now(UTC) <= timedelta(seconds=67)
    told = sending.good("outbound", "list", "--to", "Eve@Example.net")
    assert re.fullmatch(
        rf"{waits[0].event_id}  eve@example\.net  next at [-0-9: ]+, tried 1 time at default: 451 4\.3\.0 busy\n", told
    )
    assert sending.lines("outbound", "list", "--state", "held") == []
    assert sending.good("outbound", "list", "--domain", "example.org") == ""
    assert "Hello" not in sending.good("outbound", "list")


def test_show_tells_of_the_message_but_not_its_words(sending: Sending, waits: Waits) -> None:
    (shown,) = sending.lines("outbound", "show", waits[0].event_id[:12])
    expected = ("mary@example.net", "Hello", "<0@example.com>", "lead/1")
    assert (shown["from"], shown["subject"], shown["message_id"], shown["thread"]) == expected
    told = sending.good("outbound", "show", waits[0].event_id)
    assert "reply         451 4.3.0 busy" in told.splitlines()


def test_retry_does_not_wait_for_its_time(sending: Sending, waits: Waits) -> None:
    assert sending.sent_to() == ["ann@example.org"]
    said = sending.good("outbound", "retry", waits[1].event_id)
    assert said.startswith(f"retried {waits[1].event_id}  carl@example.net")
    assert sending.sent_to() == ["ann@example.org", "carl@example.net"]
    assert sending.of(waits[1]).state is SettledState.DONE
    orders = [it.event for it in sending.log.records("outbound.submitted") if isinstance(it.event, OutboundRetried)]
    assert [(order.by, order.trace_id) for order in orders] == [("olga", waits[1].trace_id)]
    assert [line["to"] for line in sending.lines("outbound", "list")] == ["eve@example.net"]


def test_retry_of_all_that_a_filter_names(sending: Sending, waits: Waits) -> None:
    found = sending.lines("outbound", "retry", "--domain", "EXAMPLE.net", "--rate", "1000/s")
    assert {line["recipient"] for line in found} == {"eve@example.net", "carl@example.net"}
    assert sending.sent_to() == ["ann@example.org", "carl@example.net"]
    assert (sending.of(waits[0]).state, sending.of(waits[0]).attempt) == (SettledState.DEFERRED, 2)


def test_held_means_held_until_it_is_released(sending: Sending, waits: Waits) -> None:
    sending.good("outbound", "hold", "--to", "carl@example.net")
    (line,) = sending.lines("outbound", "list", "--state", "held")
    assert (line["id"], line["next_attempt"], line["reply"]) == (waits[1].event_id, "", "451 4.3.0 busy")
    said = sending("outbound", "retry", waits[1].event_id)
    assert (said.code, said.out) == (os.EX_OK, "")
    assert "nothing is retried: of what is meant nothing is deferred" in said.err
    sending.good("outbound", "release", waits[1].event_id)
    assert sending.of(waits[1]).state is SettledState.DEFERRED
    assert sending.lines("outbound", "list", "--state", "held") == []


def test_cancel_asks_a_person(sending: Sending, waits: Waits) -> None:
    said = sending("outbound", "cancel", waits[0].event_id)
    assert (said.code, said.out) == (os.EX_USAGE, "")
    assert "--yes does it without asking" in said.err
    sending.good("outbound", "cancel", waits[0].event_id, "--yes")
    (line,) = sending.lines("outbound", "list", "--state", "cancelled")
    assert line["to"] == "eve@example.net"


def test_what_is_over_the_daily_limit_says_so(sending: Sending) -> None:
    sending.good("params", "set", "mail.daily.limit", "1")
    sending.submit("ann@example.org", "bob@example.org")
    (line,) = sending.lines("outbound", "list")
    assert (line["attempts"], line["server"], line["reply"]) == (0, "default", "")
    assert ", over the daily limit at default" in sending.good("outbound", "list")
    sending.good("outbound", "retry", line["id"])
    assert len(sending.sent_to()) == 1


def test_while_nothing_runs_the_order_waits(tmp_path: Path, run: Callable[..., Said]) -> None:
    """Two people order it: it is one order."""
    stopped = Sending(tmp_path, run)
    assert run("apply", stopped.file).code == os.EX_OK
    with in_thread(stopped):
        (eve,) = stopped.submit("eve@example.net")
    said = stopped("outbound", "retry", eve.event_id)
    assert said.code == os.EX_OK
    assert said.err == "postroad: in the log; it takes effect when dispatch comes to it (`postroad up`)\n"
    stopped("outbound", "retry", eve.event_id)
    with in_thread(stopped):
        stopped.wait(stopped.embedded.idle())
        assert stopped.of(eve).attempt == 2


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["retry"], 64, "name some by their IDs, or several by --to", id="neither id nor filter"),
        pytest.param(["hold", "x", "--to", "a@b.c"], 64, "name some by their IDs", id="both"),
        pytest.param(["retry", "--to", "a@b.c", "--rate", "0"], 64, "'0' is no rate", id="no rate"),
        pytest.param(["show", "nosuch"], 66, "there is no waiting message nosuch", id="show none"),
        pytest.param(["cancel", "nosuch", "--yes"], 66, "there is no waiting message nosuch", id="cancel none"),
        pytest.param(["release", "--to", "a@b.c"], 0, "nothing is released", id="none is meant"),
        pytest.param(["list"], 0, "no message waits", id="none waits"),
    ],
)
def test_wrong_orders(running: Running, words: list[str], code: int, reason: str) -> None:
    said = running("outbound", *words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err
