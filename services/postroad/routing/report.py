"""P1-P5: reports, and leave links (O6). Who bounced, of which message; what opens no record and is never answered."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from postroad.mail.address import normalise
from postroad.mail.leave import left_by
from postroad.mail.message_id import read_own
from postroad.mail.return_path import notification_of
from postroad.mail.status import Verdict, judge, parse_status
from postroad.routing.case import Case, Ruling, SeekOrigin
from postroad.stage import descent
from postroad_schemas import notification_id
from postroad_schemas.mail import Report, ReportedRecipient, ReportKind
from postroad_schemas.message import Origin, Outcome
from postroad_schemas.outbound import Action, DeliveryReported, FeedbackReported, LeaveAsked, Source
from postroad_schemas.values import FailureType

_UNATTRIBUTED = "unattributed: it says nothing usable of any message of ours"
_ANSWER = "no report, an automatic answer to our return path: recorded, nothing counted"

# RFC 6591: a domain's check failed, which no reader said. RFC 6430: somebody takes back that it was spam.
_NO_COMPLAINTS = ("auth-failure", "not-spam")

_WORDS = {action.value: action for action in Action}


@dataclass(frozen=True, slots=True)
class Block:
    """One recipient's part of a report that says something usable."""

    recipient: str  # normalised; empty: it does not say
    original: str
    action: Action
    verdict: Verdict
    said: ReportedRecipient


@dataclass(frozen=True, slots=True)
class Subject:
    """The message that a report is about."""

    token: str  # the notification that our return path names; empty: none
    message_id: str
    signed: bool  # a validly signed id of ours
    origin: Origin


def is_report(case: Case) -> bool:
    return case.facts.bounce or case.mail.report is not None


def leave(case: Case) -> Ruling | None:
    """O6: mail to the leave link of a message, whatever it says and whoever sends it: the handle is what proves."""
    found = (left_by(case.views.keys, token) for token in case.facts.bounce_tokens)
    left = dict.fromkeys(notification for notification in found if notification)
    if not left:
        return None
    asked = tuple(
        LeaveAsked(**descent(case.mail, "leave", notification), notification_id=notification, how="mailto")
        for notification in left
    )
    return Ruling("O6", "to a leave link: who got that message leaves its list", Outcome.REPORT, reports=asked)


def report(case: Case) -> Ruling | SeekOrigin | None:
    """P1. Blames by token, else by the fields, else by what is known of the original, else nobody."""
    if not is_report(case):
        return None
    said = case.mail.report
    token = _token(case)
    if said is None:
        return _recorded("P4", _ANSWER) if token else _recorded("P7", _UNATTRIBUTED)
    if said.kind is ReportKind.DISPOSITION:
        return _recorded("P2", "a read receipt: recorded, nothing counted")
    if said.kind is ReportKind.FEEDBACK and said.feedback_type.lower() in _NO_COMPLAINTS:
        return _recorded("P2", f"feedback of type {said.feedback_type}, no complaint: recorded, nothing counted")
    blocks = complaints(said) if said.kind is ReportKind.FEEDBACK else list(usable(said))
    if not blocks and token and said.kind is ReportKind.UNKNOWN:
        return _recorded("P4", _ANSWER)
    if not blocks:
        return _recorded("P7", _UNATTRIBUTED)
    message_id, signed = original(case)
    nameless = any(not block.recipient for block in blocks)
    if nameless and not token and message_id and not case.ask.asked_origin:
        return SeekOrigin(message_id)
    return _booked(case, blocks, Subject(token, message_id, signed, case.ask.origin or Origin()))


def _recorded(rule: str, why: str) -> Ruling:
    return Ruling(rule, why, Outcome.REPORT)


def _token(case: Case) -> str:
    found = (notification_of(case.views.keys, token) for token in case.facts.bounce_tokens)
    return next((notification for notification in found if notification), "")


def original(case: Case) -> tuple[str, bool]:
    """P5: the returned part's id, else the report's own references, ours first, the nearest first."""
    mail, said = case.mail, case.mail.report
    named = (said.original_message_id,) if said and said.original_message_id else ()
    near = tuple(reversed((*mail.references, *mail.in_reply_to)))
    ids = [found for found in named or near if found != mail.message_id]
    ours = next((found for found in ids if read_own(case.views.keys, found)), "") or _own_of_returned(case)
    return ours or next(iter(ids), ""), bool(ours)


def _own_of_returned(case: Case) -> str:
    """F5 repeats a message's own id in its References, as the newest of them: for relays that rewrite Message-ID."""
    named = dict.fromkeys(case.mail.report.original_references if case.mail.report else ())
    owns = [(own.seconds, at, found) for at, found in enumerate(named) if (own := read_own(case.views.keys, found))]
    return max(owns)[2] if owns else ""


def usable(said: Report) -> Iterator[Block]:
    """P3: every block whose action, or failing that whose status, can be read."""
    for one in said.recipients:
        verdict = judge(one.status, None, one.action.lower(), one.diagnostic)
        action = _WORDS.get(one.action.strip().lower()) or _action_by(verdict)
        if action is not None:
            final, first = normalise(one.final_recipient), normalise(one.original_recipient)
            yield Block(final or first, first, action, verdict, one)


def _action_by(verdict: Verdict) -> Action | None:
    return {"permanent": Action.FAILED, "temporary": Action.DELAYED}.get(verdict.permanence)


def complaints(said: Report) -> list[Block]:
    """RFC 5965: its recipients, or one that it does not name."""
    recipients = said.recipients or (ReportedRecipient(),)
    return [
        Block(normalise(one.final_recipient or one.original_recipient), "", Action.FAILED, Verdict("none"), one)
        for one in recipients
    ]


def _booked(case: Case, blocks: list[Block], subject: Subject) -> Ruling:
    by_token = _named_by_token(blocks, subject)
    # RFC 3464 2.3.1: the address as we wrote it, where a copy was forwarded. One that was expanded stands for nobody.
    alone = Counter(block.original for block in blocks if block.original)
    reports = dict[str, DeliveryReported | FeedbackReported]()  # by notification: one report, one fate
    for block in blocks:
        recipient = block.recipient or _blamed(case, subject)
        if block is by_token:
            key, named = subject.token, _proven_recipient(block, subject)
        elif recipient:
            sent_to = block.original if alone[block.original] == 1 else recipient
            key, named = notification_id(subject.message_id or case.mail.message_id, sent_to), recipient
        else:
            continue  # P4: nobody is blamed
        if key not in reports:
            reports[key] = _event(case, block, subject, key, named, len(reports))
    if not reports:
        return _recorded("P7", _UNATTRIBUTED)
    return Ruling("P1", _why(blocks, subject), Outcome.REPORT, reports=tuple(reports.values()))


def _named_by_token(blocks: list[Block], subject: Subject) -> Block | None:
    """A return path is one recipient's: the block that names it, else the first failure, else the first."""
    if not subject.token:
        return None
    exact = (block for block in blocks if _proven_recipient(block, subject))
    failed = (block for block in blocks if block.action is Action.FAILED)
    return next(exact, None) or next(failed, blocks[0])


def _proven_recipient(block: Block, subject: Subject) -> str:
    """The address that the token's notification is about. Empty if the block names another (a forwarded copy)."""
    for address in (block.original, block.recipient):
        if address and notification_id(subject.message_id, address) == subject.token:
            return address
    return ""


def _blamed(case: Case, subject: Subject) -> str:
    """P4, when no field says who: the original's one recipient, or nobody; of an unknown one the single To."""
    if subject.origin.known:
        return normalise(subject.origin.recipient)
    to = {normalise(address) for address in case.mail.report.original_to} if case.mail.report else set()
    return to.pop() if len(to) == 1 else ""


def _why(blocks: list[Block], subject: Subject) -> str:
    by = "our return path" if subject.token else "our signed id" if subject.signed else "its own fields"
    return f"a report about {len(blocks)} recipient(s) of {subject.message_id or 'an unnamed message'}, by {by}"


def _event(
    case: Case, block: Block, subject: Subject, key: str, recipient: str, ordinal: int
) -> DeliveryReported | FeedbackReported:
    mail, said = case.mail, case.mail.report or Report(kind=ReportKind.UNKNOWN)
    proven = subject.signed or key == subject.token
    if said.kind is ReportKind.FEEDBACK:
        return FeedbackReported(
            **descent(mail, "report", str(ordinal)),
            notification_id=key,
            recipient=recipient,
            feedback_type=said.feedback_type,
            proven=proven,
            message_id=subject.message_id,
            reporting_mta=said.reporting_mta,
            mail_id=mail.event_id,
        )
    status = parse_status(block.said.status) or parse_status(block.said.diagnostic)
    failed = block.action is Action.FAILED
    return DeliveryReported(
        **descent(mail, "report", str(ordinal)),
        notification_id=key,
        recipient=recipient,
        original_recipient=block.original,
        action=block.action,
        status=str(status or ""),
        diagnostic=block.said.diagnostic,
        source=Source.REPORT,
        proven=proven,
        permanent=failed and block.verdict.permanence == "permanent",
        hard=failed and block.verdict.hard,
        failure=FailureType.REFUSED if failed else None,
        message_id=subject.message_id,
        thread=subject.origin.thread,
        author=subject.origin.author,
        reporting_mta=said.reporting_mta,
        mail_id=mail.event_id,
    )
