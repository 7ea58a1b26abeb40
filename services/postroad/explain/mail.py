"""What would happen to a mail now: every rule tried, every budget, the outcome, and who would be told."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from postroad.explain.overlay import Look, Step, played
from postroad.explain.reasons import asks, why_not
from postroad.explain.states import said
from postroad.loop_guard.budget import Ledger
from postroad.routing.case import Case, Ruling
from postroad.routing.core import judged
from postroad.routing.rules import RULES
from postroad.stage import Emission, Stage
from postroad.story.sentences import sentence
from postroad.views import Views
from postroad_schemas import Event
from postroad_schemas.chatter import NotificationPlanned
from postroad_schemas.mail import MailReceived, MailRefused, MailRouted
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Stream

_END = ("outcome", "rule", "why", "threads", "notice", "told", "also")


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    name: str
    verdict: str  # "does not apply", "asks", "decides", "not reached"
    why: str = ""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """State that mattered."""

    stage: str
    key: str
    state: str


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    budget: str
    count: int  # within the window, without this mail
    limit: int
    window: int  # seconds
    verdict: str  # "passes", "blocks", "over, in shadow", "not reached"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a plan (F3)."""

    thread: str
    who: str
    channel: str
    reason: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    message_id: str
    directory_version: int
    rules: tuple[Tried, ...]
    looked: tuple[Looked, ...]
    budgets: tuple[Counted, ...]
    outcome: str
    rule: str
    why: str
    threads: tuple[str, ...]
    notice: str
    told: tuple[Told, ...]
    also: tuple[str, ...] = ()  # what else would be said


def explain(mail: MailReceived, stages: Sequence[Stage[Any]], look: Look, views: Views) -> Explained:
    """Asks the stages (routing, budgets, threads, notices) on looked-up states; nothing is published."""
    steps = played(mail, stages, look, views)
    emitted = [emission for step in steps for emission in step.emitted]
    ends = [e for e in emitted if isinstance(e, MessageSettled) and e.mail_id == mail.event_id]
    end = ends[-1] if ends else None
    return Explained(
        message_id=mail.message_id,
        directory_version=views.directory.version,
        rules=tuple(_tried(steps, views)),
        looked=tuple(_looked(steps)),
        budgets=tuple(_counted(steps)),
        outcome=end.outcome if end else "undecided",
        rule=end.rule if end else "",
        why=end.why if end else "",
        threads=tuple(f"{link.thread} (new)" if link.new else link.thread for link in end.links) if end else (),
        notice=_notice(steps),
        told=tuple(_told(emitted)),
        also=tuple(map(sentence, filter(_said_too, emitted))),
    )


def entries(found: Explained) -> list[dict[str, Any]]:
    """For programs that read line by line: rules, states, budgets, and last the outcome."""
    lines = [msgspec.to_builtins(one) for one in (*found.rules, *found.looked, *found.budgets)]
    end = msgspec.to_builtins(found)
    return [*lines, {name: end[name] for name in _END}]


def _looked(steps: Sequence[Step]) -> Iterator[Looked]:
    """Each key as it was found; what the mail itself would leave there is not told."""
    first = {(step.stage, step.key): step for step in reversed(steps)}
    for (stage, key), step in reversed(first.items()):
        yield Looked(stage=stage, key=key, state=said(step))


def _tried(steps: Sequence[Step], views: Views) -> Iterator[Tried]:
    """In their order. A rule that asked is tried again when its answer is there; those before it stay as they were."""
    first = 0
    for step in steps:
        case = judged(step.event, step.before, views) if _at_its_own_key(step) else None
        if case is None:
            continue
        for place, (rule, function) in enumerate(RULES[first:], first):
            tried = _verdict(rule, function.__name__, function(case), case)
            yield tried
            if tried.verdict != "does not apply":
                first = place
                break
    for rule, function in RULES[first + 1 :]:
        yield Tried(rule=rule, name=_words(function.__name__), verdict="not reached")


def _at_its_own_key(step: Step) -> bool:
    return step.stage == "routing" and (isinstance(step.event, MailReceived) or step.key == step.event.asking)


def _verdict(rule: str, name: str, answer: Any, case: Case) -> Tried:
    if answer is None:
        return Tried(rule=rule, name=_words(name), verdict="does not apply", why=why_not(name, case))
    if isinstance(answer, Ruling):
        return Tried(rule=rule, name=_words(name), verdict="decides", why=f"{answer.rule}: {answer.why}")
    return Tried(rule=rule, name=_words(name), verdict="asks", why=asks(answer, case))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _counted(steps: Sequence[Step]) -> Iterator[Counted]:
    routed: MailRouted | None = None
    for step in steps:
        if isinstance(step.event, MailRouted) and step.event.position < len(step.event.budgets):
            routed = step.event
            yield _at_its_budget(routed, step)
    for budget in routed.budgets[routed.position + 1 :] if routed else ():
        yield Counted(budget=budget.key, count=0, limit=budget.limit, window=budget.window, verdict="not reached")


def _at_its_budget(routed: MailRouted, step: Step) -> Counted:
    budget, ledger, at = routed.budgets[routed.position], step.before, routed.received_at.timestamp()
    assert isinstance(ledger, Ledger)
    stopped = any(isinstance(e, MessageSettled) and e.outcome in (Outcome.HELD, Outcome.REPEATED) for e in step.emitted)
    over = budget.shadow and not ledger.judge(budget, routed.mail_id, at)[0]
    return Counted(
        budget=budget.key,
        count=ledger.recent.count(at, budget.window),
        limit=budget.limit,
        window=budget.window,
        verdict="blocks" if stopped else "over, in shadow" if over else "passes",
    )


def _notice(steps: Sequence[Step]) -> str:
    """Whether the sender would be told (L8)."""
    refused = [step for step in steps if isinstance(step.event, MailRefused)]
    if not refused:
        return "none"
    notice = refused[-1].event.notice
    if not notice.addressee:
        return f"none: {notice.why_not}"
    goes = any(isinstance(e, OutboundSubmitted) and e.stream is Stream.NOTICE for e in refused[-1].emitted)
    return f"to {notice.addressee}" if goes else f"none: {notice.addressee} was told within the window, or is ours"


def _told(emitted: Sequence[Emission]) -> Iterator[Told]:
    for plan in emitted:
        if isinstance(plan, NotificationPlanned):
            for one in plan.followers:
                yield Told(thread=plan.thread, who=one.address or one.contact, channel=one.channel, reason=one.reason)


def _said_too(emission: Emission) -> bool:
    """What other workers would be told beside the outcome."""
    kinds = ("delivery.reported", "feedback.reported", "address.heard_from", "row.proposed")
    return isinstance(emission, Event) and type(emission).__struct_config__.tag in kinds
