"""Directory rows, submissions and views, as the tests of dispatch need them; and a runner for its sender."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from postroad.dispatch.attempt import Answer, Attempt, Step
from postroad.dispatch.core import sender
from postroad.dispatch.meter import METER, Metered
from postroad.stage import Call, Decision
from postroad.views import Views
from postroad_schemas import Event, event_id, key_of, record, topic_of
from postroad_schemas import read as read_record
from postroad_schemas.directory import AliasDomain, Parameter, SigningKey, Smarthost, row_key
from postroad_schemas.event import Row, Ticked
from postroad_schemas.outbound import (
    DeliveryReported,
    OutboundDeferred,
    OutboundMetered,
    OutboundSubmitted,
    RecipientSettled,
)
from postroad_schemas.values import Contents, Mailbox, Reply

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DOMAIN = AliasDomain(name="example.com", default=True)
KEY = SigningKey(key_id="a", secret="env:KEY")
RELAY = Smarthost(name="default", host="relay.test")


def views_of(*rows: Row, suppressions: Sequence[tuple[str, Event]] = ()) -> Views:
    """Views with these rows of the directory, and a signing key that can be had."""
    views = Views(lambda reference: b"secret" if reference == "env:KEY" else None)
    for row in rows:
        views.apply("directory", row_key(row), row)
    for key, suppression in suppressions:
        views.apply("suppressions", key, suppression)
    return views


def parameter(name: str, value: str) -> Parameter:
    return Parameter(name=name, value=value)


def submitted(number: int = 1, /, recipient: str = "bob@example.org", **fields: Any) -> OutboundSubmitted:
    """A submission of its own id for each number. Its From is of a domain that is not ours."""
    identity = event_id("submission", str(number))
    made = OutboundSubmitted(
        event_id=identity,
        occurred_at=AT,
        trace_id=identity,
        recipient=recipient,
        from_=Mailbox(address="mary@example.net", name="Mary"),
        subject="Hello",
        message_id=f"<{number}@example.com>",
        contents=Contents(text="Hello\n"),
        thread="lead/1",
        author="contact-1",
    )
    return replace(made, **fields)


def says(code: int, text: str = "", step: Step = Step.BODY, at: datetime = AT, **fields: Any) -> Answer:
    return Answer(reply=Reply(code=code, text=text), step=step, at=at, **fields)


class Runner:
    """Runs dispatch's sender and meter for all keys, event by event; the clock stands until it is moved."""

    def __init__(self, views: Views, call: Callable[[Attempt], Awaitable[Answer]], relay: Smarthost = RELAY) -> None:
        self.sender, self.views, self.call = sender(relay), views, call
        self.now = AT
        self.states: dict[str, RecipientSettled] = {}
        self.meters: dict[str, Metered] = {}
        self.emitted: list[Any] = []
        self.attempts: list[Attempt] = []
        self._waiting: list[OutboundDeferred] = []

    @property
    def reports(self) -> list[DeliveryReported]:
        return [event for event in self.emitted if isinstance(event, DeliveryReported)]

    async def take(self, *events: Any) -> None:
        """Each event, and what follows from it at this time."""
        queue = list(events)
        while queue:
            event = queue.pop(0)
            decision = self._metered(event) if isinstance(event, OutboundMetered) else await self._sent(event)
            for emitted in decision.emit:
                assert read_record(topic_of(emitted), record(emitted).value or b"") == emitted
                self.emitted.append(emitted)
                if isinstance(emitted, OutboundDeferred) and emitted.not_before > self.now:
                    self._waiting.append(emitted)
                elif topic_of(emitted) in (*self.sender.reads, *METER.reads):
                    queue.append(emitted)

    async def pass_time(self, duration: timedelta) -> None:
        """The clock goes on; what falls due on the way is taken at its time."""
        until = self.now + duration
        while due := sorted((e for e in self._waiting if e.not_before <= until), key=lambda e: e.not_before):
            self._waiting.remove(due[0])
            self.now = max(self.now, due[0].not_before)
            await self.take(due[0])
        self.now = until

    def sweep(self) -> None:
        tick = Ticked(event_id="0" * 32, occurred_at=self.now, trace_id="0" * 32, stage="dispatch")
        assert self.sender.sweep is not None
        for key, state in tuple(self.states.items()):
            self.states[key] = self.sender.sweep(tick, state, self.views).state

    def _metered(self, event: OutboundMetered) -> Decision[Metered]:
        decision = METER.decide(event, self.meters.get(event.server, Metered()), self.views)
        self.meters[event.server] = decision.state
        return decision

    async def _sent(self, event: Any) -> Decision[RecipientSettled]:
        key = key_of(event)
        state = self.states.get(key, RecipientSettled())
        begun = self.sender.begin(event, state, self.views, self.now)
        if isinstance(begun, Call):
            self.attempts.append(begun.request)
            answer = await self.call(begun.request)
            begun = self.sender.conclude(event, begun.request, answer, state, self.views, self.now)
        self.states[key] = begun.state
        return begun


class Script:
    """A world that answers from a list, then accepts. It has the runner's clock."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.runner: Runner | None = None

    async def __call__(self, attempt: Attempt) -> Answer:
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else says(250, "2.0.0 queued")
        at = self.runner.now if self.runner else AT
        return Answer(answer.reply, answer.step, at, answer.failure, answer.status)


def running(views: Views, *answers: Answer) -> Runner:
    script = Script(*answers)
    script.runner = Runner(views, script)
    return script.runner
