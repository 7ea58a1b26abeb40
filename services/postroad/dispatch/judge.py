"""What an answer means: relayed, to be tried again, or failed (O8-O10, RFC 5321 4.2.1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from postroad.dispatch.attempt import Answer, Step
from postroad.mail.status import parse_status
from postroad.views.directory import Directory
from postroad_schemas.event import event_id
from postroad_schemas.outbound import Action
from postroad_schemas.topics import TIERS
from postroad_schemas.values import FailureType

BACK_OFF = ("1m", "5m", "15m", "1h", "4h", "8h")
_LONGEST_CALL = timedelta(hours=1)  # every patience of RFC 5321 4.5.3.2 used up
JITTER = 0.1  # of a wait, only ever added: a tier's head stays nearly its earliest

# Where a final "no" is not the receiving side's word about the address.
_OURS = {
    Step.CONNECT: FailureType.CONNECTION,
    Step.HELO: FailureType.CONNECTION,
    Step.TLS: FailureType.CONNECTION,
    Step.AUTH: FailureType.CONFIGURATION,
}
# RFC 3463 3.2: what is wrong is our sender's address or its domain. Many servers say so in their answer to RCPT.
_SENDER = (".1.7", ".1.8")
# What it is called where no server was asked.
_UNANSWERED = {Step.CONTENTS: FailureType.CONFIGURATION, Step.AUTH: FailureType.CONFIGURATION}
# RFC 3463 3.5, 3.8: what to call it when no reply came.
_NO_REPLY = {
    Step.CONTENTS: "4.3.0",
    Step.CONNECT: "4.4.1",
    Step.TLS: "4.7.5",
    Step.AUTH: "4.7.8",
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """O8. The tiers in order, the last one again and again, for so long after the first attempt."""

    steps: tuple[str, ...] = BACK_OFF
    keep_trying: timedelta = timedelta(days=5)


def policy(directory: Directory) -> RetryPolicy:
    """As the parameters say now (D5)."""
    return RetryPolicy(keep_trying=timedelta(days=directory.number("mail.retry.days")))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`step` and `not_before` are set when it is tried again."""

    action: Action
    status: str  # RFC 3463
    failure: FailureType | None = None
    step: str = ""
    not_before: datetime | None = None
    expired: bool = False  # failed as the last attempt did, because the retry time is over


def judge(answer: Answer, submission_id: str, attempt: int, first_attempt_at: datetime, policy: RetryPolicy) -> Outcome:
    """2yz to the body is done, 4yz and no reply are tried again until it has expired, 5yz never."""
    status = status_of(answer)
    if answer.failure is not None:
        return Outcome(Action.FAILED, status, answer.failure)
    match answer.reply.code // 100:
        case 2 if answer.step is Step.BODY:
            return Outcome(Action.RELAYED, status)
        case 5:
            return Outcome(Action.FAILED, status, _kind(answer, status))
        case _:
            step, not_before = _next(submission_id, attempt, answer.at, policy)
            if not_before > first_attempt_at + policy.keep_trying:
                return Outcome(Action.FAILED, status, _kind(answer, status), expired=True)
            return Outcome(Action.DELAYED, status, None, step, not_before)


def _kind(answer: Answer, status: str) -> FailureType:
    """O9: whose failure it is. What MAIL FROM is refused for is never the recipient's."""
    if not answer.reply.code:
        return _UNANSWERED.get(answer.step, FailureType.CONNECTION)
    if status[1:] in _SENDER or (answer.step is Step.MAIL and status.startswith(("5.0.", "5.1."))):
        return FailureType.SENDER_INVALID
    return _OURS.get(answer.step, FailureType.REFUSED)


def is_last(submission_id: str, attempt: int, first_attempt_at: datetime, now: datetime, policy: RetryPolicy) -> bool:
    """Whether no attempt may follow this one, if it is put off as late as a call can take."""
    _, not_before = _next(submission_id, attempt, now + _LONGEST_CALL, policy)
    return not_before > first_attempt_at + policy.keep_trying


def _next(submission_id: str, attempt: int, at: datetime, policy: RetryPolicy) -> tuple[str, datetime]:
    """The tier of the attempt after this one, and its time."""
    step = policy.steps[min(attempt, len(policy.steps)) - 1]
    return step, at + delay(step, submission_id, attempt)


def delay(step: str, submission_id: str, attempt: int) -> timedelta:
    """A tier's delay and its jitter, which follows from the id: the same attempt always waits as long."""
    return jittered(TIERS[step] or timedelta(), submission_id, "jitter", str(attempt))


def jittered(wait: timedelta, *of: str) -> timedelta:
    """Up to a tenth longer, by what is waited for; never shorter."""
    share = int(event_id(*of)[:8], 16) / 0x1_0000_0000
    return wait + wait * (JITTER * share)


def status_of(answer: Answer) -> str:
    """RFC 3463: what the server's words name in the reply's own class, else x.0.0; or what stands for no reply."""
    if answer.status:
        return answer.status
    code = answer.reply.code // 100
    if code == 0:
        return _NO_REPLY.get(answer.step, "4.4.2")
    if code not in (4, 5) and (code != 2 or answer.step is not Step.BODY):
        return "4.5.0"  # RFC 3463 3.6: an answer that is none to what was said
    stated = parse_status(answer.reply.text)
    return str(stated) if stated and stated.class_ == code else f"{code}.0.0"


def last_words(answer: Answer, outcome: Outcome) -> str:
    """The diagnostic of a report: where it ended and in which words."""
    code = f"{answer.reply.code} " if answer.reply.code else ""
    words = f"{answer.step}: {code}{answer.reply.text}".strip()
    return f"expired; last attempt: {words}" if outcome.expired else words
