"""From a ruling to events: exactly one MailRouted or MessageSettled for each acceptance (R16)."""

from postroad.routing.budgets import budgets, loop_policy
from postroad.routing.case import Case, Ruling
from postroad.routing.facts import normalise
from postroad.routing.notice import notice
from postroad.routing.report import is_report
from postroad.routing.routes import shown
from postroad.routing.state import Emitted
from postroad.stage import descent
from postroad_schemas.address import AddressHeardFrom
from postroad_schemas.directory import AliasState, RowProposed
from postroad_schemas.mail import Budget, HeldMail, MailRefused, MailRouted
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import Author, Post


def emissions(case: Case, ruling: Ruling) -> tuple[Emitted, ...]:
    """All that follows from the ruling, the outcome last. Ids derive from the acceptance: a repeat says the same."""
    return (*_signs_of_life(case, ruling), *_flags(case, ruling), *ruling.reports, *_end(case, ruling))


def _end(case: Case, ruling: Ruling) -> tuple[Emitted, ...]:
    match ruling.outcome:
        case None:
            passed = budgets(case, ruling.routes)
            if ruling.routes or passed:
                return (_routed(case, ruling, passed),)
            return _refused(case, ruling), _settled(case, ruling, Outcome.REFUSED)
        case Outcome.HELD:
            return _held(case, ruling), _settled(case, ruling, Outcome.HELD)
        case outcome:
            return (_settled(case, ruling, outcome),)


def _routed(case: Case, ruling: Ruling, passed: tuple[Budget, ...]) -> MailRouted:
    mail = case.mail
    return MailRouted(
        **descent(mail, "routed"),
        mail_id=mail.event_id,
        message_id=mail.message_id,
        received_at=mail.occurred_at,
        rule=ruling.rule,
        routes=ruling.routes,
        refusals=ruling.refusals,
        notice=notice(case),
        post=_post(case, ruling),
        mail=mail,
        budgets=passed,
        directory_version=case.views.directory.version,
        why=ruling.why,
    )


def _post(case: Case, ruling: Ruling) -> Post:
    """The mail's words, under From as the mail had it (R15). Each route adds its thread's part."""
    mail = case.mail
    first = ruling.routes[0] if ruling.routes else None
    named = [normalise(mailbox.address) for mailbox in (*mail.to, *mail.cc)]
    author = first.author if first else shown(case)[0]
    answers = first.answers if first else ""
    return Post(
        message_id=mail.message_id,
        author=Author(address=case.facts.author, name=author.name, contact=author.contact),
        subject=mail.subject,
        contents=mail.contents,
        posted_at=mail.date or mail.occurred_at,
        in_reply_to=answers or next(reversed(mail.in_reply_to), ""),
        mailed_to=tuple(dict.fromkeys(named)),
        automatic=case.facts.automatic,
    )


def _refused(case: Case, ruling: Ruling) -> MailRefused:
    mail = case.mail
    return MailRefused(
        **descent(mail, "refused"),
        mail_id=mail.event_id,
        message_id=mail.message_id,
        refusals=ruling.refusals,
        notice=notice(case),
        subject=mail.subject,
        references=mail.references,
        author=mail.author,
        window=case.views.directory.policy(loop_policy).minutes * 60,
        directory_version=case.views.directory.version,
    )


def _held(case: Case, ruling: Ruling) -> HeldMail:
    mail = case.mail
    return HeldMail(
        **descent(mail, "held"),
        mail=mail,
        rule=ruling.rule,
        reason=ruling.why,
    )


def _settled(case: Case, ruling: Ruling, outcome: Outcome) -> MessageSettled:
    mail = case.mail
    author, _ = shown(case)
    return MessageSettled(
        **descent(mail, "settled"),
        settled=mail.message_id,
        mail_id=mail.event_id,
        outcome=outcome,
        rule=ruling.rule,
        author=author.address,
        author_contact=author.contact,
        refusals=ruling.refusals,
        former=f"held {mail.release.rule}" if mail.release else "",
        notification_ids=tuple(report.notification_id for report in ruling.reports),
        directory_version=case.views.directory.version,
        why=ruling.why,
    )


def _signs_of_life(case: Case, ruling: Ruling) -> tuple[Emitted, ...]:
    """B3: a normal mail from an address; never a report, an answer by machine or a copy seen before."""
    facts, mail = case.facts, case.mail
    if not facts.author or facts.answers_by_machine or is_report(case) or ruling.outcome is Outcome.DUPLICATE:
        return ()
    return (
        AddressHeardFrom(
            **descent(mail, "heard"),
            address=facts.author,
            message_id=mail.message_id,
        ),
    )


def _flags(case: Case, ruling: Ruling) -> list[Emitted]:
    proposed: list[Emitted] = []
    for ordinal, (alias, reason) in enumerate(ruling.flags):
        row = AliasState(alias=alias, invalid=bool(reason), reason=reason)
        proposed.append(RowProposed(**descent(case.mail, "flag", str(ordinal)), row=row, by="routing"))
    return proposed
