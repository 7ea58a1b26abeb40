"""What kind of report a mail is, whom it is about, and what that means for each (P2-P6)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from postroad.mail.address import bare_address
from postroad.mail.automatic import automatic
from postroad.mail.bounce.classify import worded
from postroad.mail.bounce.free_form import FreeForm, read_free_form
from postroad.mail.bounce.own_text import words_of
from postroad.mail.bounce.reasons import Reason
from postroad.mail.bounce.signs import Signs, signs_of
from postroad.mail.bounce.words import COMPLAINT_FIELDS
from postroad.mail.dsn import RecipientReport
from postroad.mail.entity import Entity
from postroad.mail.report import Report
from postroad.mail.status import judge

Kind = Literal["bounce", "feedback", "auto_reply", "delivered", "receipt", "normal"]

_OWN = 3_000  # characters of a notice's own words that may say why, where its recipient's part does not
_REFUSED = ("deleted", "denied", "failed", "processed", "dispatched")
_SUCCESS = ("delivered", "relayed", "expanded")


@dataclass(frozen=True, slots=True)
class Bounced:
    """One recipient of a bounce, or who complained."""

    address: str
    action: str  # failed or delayed; "" for a complaint
    status: str = ""  # RFC 3463; "" when nothing says it
    permanent: bool = False
    hard: bool = False
    reason: Reason = "other"
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A mail read as a report. `rule`: what decided."""

    kind: Kind
    recipients: tuple[Bounced, ...] = ()
    original_message_id: str = ""  # without brackets
    rule: str = ""


def read_bounce(root: Entity, report: Report) -> Reading:
    """`report` is what `read_report` made of the same mail."""
    original = report.original_message_id.strip("<>")
    if report.signs is None and report.recipients:
        return _by_recipients(report, original)
    signs = report.signs or signs_of(root.headers)
    if report.kind == "feedback-report" or (signs.complaint and _complainers(root, report)):
        return Reading("feedback", tuple(_complained(root, report)), original, "a complaint (RFC 5965)")
    if report.kind == "disposition-notification" and report.disposition in _REFUSED:
        found = read_free_form(root, signs, words_of(root.leaves(into_messages=False)))
        if found is not None and found.fate == "failed":  # a mail filter (RFC 5429) says so by a receipt
            report = replace(
                report, kind="unknown", words=found.words, rule=found.rule, recipients=_blamed(report, found)
            )
    if report.kind == "disposition-notification" or (signs.receipt and not signs.daemon):
        return Reading("receipt", (), original, "a receipt (RFC 8098)")
    if report.recipients or report.fate:
        return _by_recipients(report, original)
    return _no_report(root, signs, original)


def _by_recipients(report: Report, original: str) -> Reading:
    failed = [one for one in report.recipients if not _succeeded(one)]
    if report.recipients and not failed:
        return Reading("delivered", (), original, "every recipient's Action (RFC 3464 2.3.3)")
    if report.fate == "delivered" and not failed:
        return Reading("delivered", (), original, report.rule)
    bounced = tuple(_bounced(failed, report))
    return Reading("bounce", bounced or tuple(_single(report)), original, report.rule)


def _succeeded(one: RecipientReport) -> bool:
    return one.action in _SUCCESS or (not one.action and one.status.startswith("2"))


def _blamed(report: Report, found: FreeForm) -> tuple[RecipientReport, ...]:
    text = found.told[0].diagnostic if found.told else found.words
    return tuple(replace(one, action="failed", diagnostic_code=text) for one in report.recipients)


def _no_report(root: Entity, signs: Signs, original: str) -> Reading:
    made = automatic(root.headers, "" if signs.null else None)
    if signs.answer or (made is not None and made.degree == "answer"):
        return Reading("auto_reply", (), original, made.reason if made else "its subject")
    return Reading("normal", (), "", "nothing says that it is a report")


def _bounced(failed: list[RecipientReport], report: Report) -> Iterator[Bounced]:
    """Each address once; what a block leaves open, the text of the notice may say."""
    seen = set[str]()
    for one in failed:
        address = _address(one)
        if address and address.lower() not in seen:
            seen.add(address.lower())
            yield _judged(address, one, report.words)


def _address(one: RecipientReport) -> str:
    """The final recipient, unless it is a name inside some server and the sender's own is known."""
    final, first = one.final_recipient, one.original_recipient
    return first if first and "." not in final.rpartition("@")[2] else final or first


def _judged(address: str, one: RecipientReport, words: str) -> Bounced:
    action, text = one.action or "failed", one.diagnostic_code
    verdict = judge(one.status, None, action, text)
    if verdict.reason == "other" and worded(words[:_OWN]):
        verdict = judge(one.status, None, action, f"{text} {words[:_OWN]}")
    return Bounced(
        address=address,
        action=action,
        status=str(verdict.status or ""),
        permanent=verdict.permanence == "permanent",
        hard=verdict.hard,
        reason=verdict.reason,
        diagnostic=text,
    )


def _single(report: Report) -> Iterator[Bounced]:
    """P4: nobody is named, and the message that came back went to one address."""
    to = {address.lower(): address for address in report.original_to}
    if len(to) == 1:
        one = RecipientReport(final_recipient=next(iter(to.values())), action=report.fate or "failed")
        yield _judged(one.final_recipient, one, report.words)


def _complainers(root: Entity, report: Report) -> list[str]:
    fields = [*(root.headers.unfolded(name) for name in COMPLAINT_FIELDS)]
    if report.returned is not None:
        fields += [report.returned.unfolded(name) for name in COMPLAINT_FIELDS]
    found = [address for value in fields if (address := bare_address(value))]
    return found or list(report.original_to[:1])


def _complained(root: Entity, report: Report) -> Iterator[Bounced]:
    told = report.feedback.original_rcpt_to if report.feedback else ()
    kind = report.feedback.feedback_type if report.feedback else "abuse"
    for address in dict.fromkeys(told or _complainers(root, report)):
        yield Bounced(address, "", diagnostic=f"Feedback-Type: {kind}")
