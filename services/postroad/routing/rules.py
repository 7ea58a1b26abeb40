"""The rules of routing, in their order (section R). The first that answers decides."""

from collections.abc import Callable

import msgspec

from postroad.routing.case import Case, Question, Ruling, SeekFollowers
from postroad.routing.facts import name_of
from postroad.routing.reply import answer_to_notice, reply
from postroad.routing.report import leave, report
from postroad.routing.routes import Candidate, ruled, through_alias
from postroad_schemas.directory import FormerPolicy
from postroad_schemas.mail import Refusal, RefusalReason
from postroad_schemas.message import Outcome


def duplicate(case: Case) -> Ruling | None:
    """R1, judged at first sight at the Message-ID's key."""
    return Ruling("R1", case.duplicate, Outcome.DUPLICATE) if case.duplicate else None


def copy_to_new_aliases(case: Case) -> Ruling | SeekFollowers | None:
    """R1: a copy that names aliases which no earlier copy named: those alone, by R9."""
    if case.ask.only is None:
        return None
    aliases = [alias for name, alias in case.facts.aliases.items() if name in case.ask.only]
    if not aliases:
        return Ruling("R1", "the aliases that only this copy named are gone", Outcome.DUPLICATE)
    candidates = [through_alias(case, alias, "R9") for alias in aliases]
    return ruled(case, "R9", candidates, f"a copy, to {', '.join(map(name_of, aliases))}, which no earlier copy named")


def catchall_alone(case: Case) -> Ruling | None:
    """R8: an answer to nothing we know."""
    if not case.facts.catchall_alone or case.facts.aliases:
        return None
    return _refused("R8", "only for the catchall, and answers nothing that we know")


def aliases(case: Case) -> Ruling | SeekFollowers | None:
    """R9: every alias gives a route."""
    if not case.facts.aliases:
        return None
    candidates = [through_alias(case, alias, "R9") for alias in case.facts.aliases.values()]
    return ruled(case, "R9", candidates, f"for {', '.join(case.facts.aliases)}")


def default_type(case: Case) -> Ruling | SeekFollowers | None:
    """R10: what the mailbox it came from opens."""
    if not case.mail.record_type:
        return None
    why = f"from mailbox {case.mail.mailbox or 'without name'}, which opens {case.mail.record_type}"
    return ruled(case, "R10", [Candidate("R10", case.mail.record_type)], why)


def catchall_among_others(case: Case) -> Ruling | None:
    """R11, with a notice."""
    return _refused("R11", "for the catchall, with nothing else to route by") if case.facts.catchall else None


def unroutable(_: Case) -> Ruling:
    """R11: for the operator, without a notice."""
    return Ruling("R11", "no alias, no thread, no default record type", Outcome.HELD)


def _refused(rule: str, why: str) -> Ruling:
    return Ruling(rule, why, refusals=(Refusal(reason=RefusalReason.CATCHALL, rule=rule),))


RULES: tuple[tuple[str, Callable[[Case], Ruling | Question | None]], ...] = (
    ("R1", duplicate),
    ("R2", answer_to_notice),
    ("O6", leave),
    ("P1", report),
    ("R1", copy_to_new_aliases),
    ("R3", reply),
    ("R8", catchall_alone),
    ("R9", aliases),
    ("R10", default_type),
    ("R11", catchall_among_others),
    ("R11", unroutable),
)


def decided(case: Case) -> Ruling | Question:
    """The first rule's answer: a ruling, or what must be asked before there can be one."""
    for _, rule in RULES:
        answer = rule(case)
        if isinstance(answer, Ruling):
            return _former_addresses_named(case, answer)
        if answer is not None:
            return answer
    raise AssertionError("the last rule always answers")


def _former_addresses_named(case: Case, ruling: Ruling) -> Ruling:
    """D9: operators see who still writes to an address that was renamed, whatever became of the mail."""
    why = ruling.why
    for former in {found.former.address: found.former for found in case.facts.ours.values() if found.former}.values():
        warned = f" (a warning: write to {former.now or 'no more'})" if former.policy is FormerPolicy.WARN else ""
        why += f", by the former address {former.address}{warned}"
    return ruling if why is ruling.why else msgspec.structs.replace(ruling, why=why)
