"""What a runner tells of its stage: each event it was given, and what waits before it."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from postroad.runtime import logs, tracing
from postroad.runtime.observe import metrics
from postroad.stage import Decision
from postroad.window import Recent
from postroad_schemas import Event
from postroad_schemas.mail import Budget, MailReceived, MailRouted, Scope
from postroad_schemas.message import MessageSettled
from postroad_schemas.outbound import OutboundDeferred

NEAR = 0.8  # of a budget used
KEPT = 100_000  # mails without outcome, budgets near their limit: more are not told apart
DEFERRED = "outbound.deferred."


class Standing(NamedTuple):
    """One topic before a stage. Times are UTC seconds."""

    topic: str
    waiting: int  # records not done with
    since: float | None = None  # when the oldest that can be worked on came or fell due; None: there is none
    due: float | None = None  # when the next one falls due, where the topic is a delay


class Watch:
    """Of one stage or sender. `taken` is for every event, so it is quick."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.unsettled: dict[str, float] = {}  # the acceptance's id -> when it was, UTC seconds
        self._near: dict[str, tuple[Budget, Recent]] = {}
        self._age = metrics.AGE.of(stage)
        metrics.WITHOUT_EFFECT.inc(stage, by=0)  # a first time is seen only after a 0

    def taken(
        self, event: Any, decision: Decision[Any] | None, now: datetime, *, changed: bool, began: int = 0
    ) -> None:
        """An event was worked on. `changed`: whether its key has another state now. `began`: time.time_ns() before."""
        self._age.observe(max(0.0, (now - worth_since(event)).total_seconds()))
        if decision is None:
            return
        if logs.decisions is not None:
            logs.decisions.decided(self.stage, event, decision, now, changed=changed)
        if tracing.spans is not None:
            tracing.spans.stepped(self.stage, event, decision, began)
        if not changed and not decision.emit:
            metrics.WITHOUT_EFFECT.inc(self.stage)
        if note := NOTES.get(type(event)):
            note(self, event, decision.state)

    def swept(self, tick: Event, decision: Decision[Any] | None, now: datetime) -> None:
        """A key was looked at because time passed."""
        if logs.decisions is not None and decision is not None:
            logs.decisions.decided(self.stage, tick, decision, now, changed=True)

    def forget(self) -> None:
        """Its keys are others' now."""
        self.unsettled.clear()
        self._near.clear()

    def near(self, now: float) -> list[Scope]:
        """The scopes of budgets of which most is used now; those of which it is not any more are forgotten."""
        used = {key: _used(budget, recent, now) for key, (budget, recent) in self._near.items()}
        self._near = {key: self._near[key] for key, part in used.items() if part >= NEAR}
        return [budget.scope for budget, _ in self._near.values()]

    def _received(self, mail: MailReceived, _: object) -> None:
        if mail.release is not None:
            metrics.RELEASED.inc()
        if len(self.unsettled) < KEPT:
            self.unsettled[mail.event_id] = mail.occurred_at.timestamp()

    def _settled(self, event: MessageSettled, _: object) -> None:
        self.unsettled.pop(event.mail_id, None)

    def _judged(self, event: MailRouted, state: object) -> None:
        if event.position >= len(event.budgets):
            return
        budget = event.budgets[event.position]
        recent = getattr(state, "recent", None)  # of the loop guard's ledger, which this layer does not know
        if not isinstance(recent, Recent) or budget.scope is Scope.FINGERPRINT:
            return
        # Whether all of it lies within the window now is asked when the gauge is set: `near`.
        if len(recent.entries) >= NEAR * budget.limit and len(self._near) < KEPT:
            self._near[budget.key] = (budget, recent)
        else:
            self._near.pop(budget.key, None)


NOTES: dict[type, Callable[[Watch, Any, object], None]] = {
    MailReceived: Watch._received,
    MessageSettled: Watch._settled,
    MailRouted: Watch._judged,
}


class Observed(Protocol):
    """A runner, as it is looked at once a second."""

    @property
    def watch(self) -> Watch: ...

    @property
    def ready(self) -> bool: ...

    def standing(self, now: float) -> Iterable[Standing]: ...


def worth_since(event: Event) -> datetime:
    """Since when an event could be worked on: what was put off has waited on purpose."""
    return event.not_before if isinstance(event, OutboundDeferred) else event.occurred_at


def sample(runners: Sequence[Observed], now: float) -> None:
    """Sets the gauges of all stages of this process."""
    waiting: dict[tuple[str, ...], float] = {}
    ages: dict[tuple[str, ...], float] = {}
    due: dict[tuple[str, ...], float] = {}
    for runner in runners:
        stage = runner.watch.stage
        ages[stage,] = 0.0
        for standing in runner.standing(now):
            waiting[stage, standing.topic] = standing.waiting
            if standing.since is not None:
                ages[stage,] = max(ages[stage,], now - standing.since)
            if standing.due is not None:
                due[standing.topic.removeprefix(DEFERRED),] = standing.due - now
    metrics.WAITING.replace(waiting)
    metrics.WAITING_AGE.replace(ages)
    metrics.RETRY_DUE.replace(due)
    _sample_mails([runner.watch for runner in runners], now)


def _sample_mails(watches: Sequence[Watch], now: float) -> None:
    near: dict[tuple[str, ...], float] = {}
    for watch in watches:
        for scope in watch.near(now):
            near[scope,] = near.get((scope,), 0.0) + 1.0
    metrics.NEAR_LIMIT.replace(near)
    open_since = [since for watch in watches for since in watch.unsettled.values()]
    metrics.UNSETTLED.set(len(open_since))
    metrics.UNSETTLED_AGE.set(max(0.0, now - min(open_since)) if open_since else 0.0)


def _used(budget: Budget, recent: Recent, now: float) -> float:
    return recent.count(now, budget.window) / budget.limit if budget.limit else 1.0
