"""From candidates to routes: policies (R12), authors (R15), minted thread refs (R14), answers by machine (L7)."""

import msgspec

from postroad.routing.alias_policy import ASKS_FOLLOWERS, POLICIES, Admission, Applicant
from postroad.routing.case import Case, Ruling, SeekFollowers
from postroad.routing.facts import name_of, record_type_of, type_of
from postroad_schemas import short_id
from postroad_schemas.directory import Alias
from postroad_schemas.mail import Refusal, RefusalReason, Route
from postroad_schemas.message import Outcome
from postroad_schemas.values import Author, PostKind


class Candidate(msgspec.Struct, frozen=True):
    """A route before anybody asked whether the author may write."""

    rule: str
    record_type: str
    alias: Alias | None = None  # whose policy holds
    thread: str = ""  # an existing thread; empty: a new record
    alias_name: str = ""  # the way the thread was opened, when no alias was addressed
    parent: str = ""
    answers: str = ""
    kind: PostKind = PostKind.COMMENT
    note_author: str = ""  # R7
    note_contact: str = ""


def through_alias(case: Case, alias: Alias, rule: str) -> Candidate:
    """R9: the alias's own thread, if it has an open one, else a new record (R4)."""
    thread = "" if alias.thread in case.views.closed else alias.thread
    return Candidate(rule if thread == alias.thread else "R4", record_type_of(alias), alias, thread)


def ruled(case: Case, rule: str, candidates: list[Candidate], why: str) -> Ruling | SeekFollowers:
    """The candidates after R12, R15 and L7, as one ruling; or first the question which threads the author follows."""
    if case.ask.answers is None and (threads := _threads_to_ask(case, candidates)):
        return SeekFollowers(threads)
    routes: list[Route] = []
    refusals: list[Refusal] = []
    whys: list[str] = []
    flags: list[tuple[str, str]] = []
    for candidate in candidates:
        admission = _admission(case, candidate)
        alias = candidate.alias
        if alias is None or admission is Admission.PERMITTED:
            route = _route(case, candidate)
            if route.thread not in {other.thread for other in routes}:  # two aliases of one thread: one post
                routes.append(route)
        else:
            refusals.append(_refusal(alias, admission))
            whys.append(_refused_why(alias, admission))
        if alias is not None and admission is not Admission.REFUSED:
            flags.extend(_flag(case, name_of(alias), admission))
    if not routes:
        return Ruling("R12", "; ".join(whys), refusals=tuple(refusals), flags=tuple(flags))
    why = "; ".join((why, *whys))
    return _without_answers_by_machine(case, Ruling(rule, why, None, tuple(routes), tuple(refusals), (), tuple(flags)))


def _without_answers_by_machine(case: Case, ruling: Ruling) -> Ruling:
    """L7: an answer by a machine opens no record; on a thread it is posted."""
    automatic = case.facts.automatic
    if automatic is None or not case.facts.answers_by_machine or not any(route.new for route in ruling.routes):
        return ruling
    if case.overrides("L7") or case.views.directory.setting("mail.gateway.automatic") == "allow":
        return ruling
    known = tuple(route for route in ruling.routes if not route.new)
    if known:
        why = f"{ruling.why}; opens no record: {automatic.reason}"
        return Ruling(ruling.rule, why, None, known, ruling.refusals, (), ruling.flags)
    return Ruling("L7", f"answers by machine open no record: {automatic.reason}", Outcome.HELD)


def _threads_to_ask(case: Case, candidates: list[Candidate]) -> tuple[str, ...]:
    author = case.facts.author
    if not author:
        return ()
    threads: dict[str, None] = {}
    for candidate in candidates:
        if candidate.alias is not None and candidate.alias.policy in ASKS_FOLLOWERS:
            threads.update(dict.fromkeys(_threads_of(candidate)))
        elif candidate.thread and len(case.views.contacts.with_address(author)) > 1:
            threads[candidate.thread] = None
    return tuple(threads)


def _threads_of(candidate: Candidate) -> tuple[str, ...]:
    owner = candidate.alias.owner_thread if candidate.alias else ""
    return tuple(filter(None, (candidate.thread, owner)))


def _admission(case: Case, candidate: Candidate) -> Admission:
    if candidate.alias is None:
        return Admission.PERMITTED
    threads = _threads_of(candidate)
    if threads and candidate.alias.policy in ASKS_FOLLOWERS and not case.facts.author:
        return Admission.REFUSED  # nobody was asked: without author there is no follower
    applicant = Applicant(case.facts.author, threads, case.ask.answers or ())
    return POLICIES[candidate.alias.policy](applicant, case.views)


def _refusal(alias: Alias, admission: Admission) -> Refusal:
    if admission is Admission.MISCONFIGURED:
        return Refusal(reason=RefusalReason.MISCONFIGURED, rule="R12", alias=name_of(alias))
    return Refusal(reason=RefusalReason.POLICY, rule="R12", alias=name_of(alias), text=alias.refusal_text)


def _refused_why(alias: Alias, admission: Admission) -> str:
    never = ", and it has no thread that anybody follows" if admission is Admission.MISCONFIGURED else ""
    return f"only {alias.policy} may write to {name_of(alias)}{never}"


def _flag(case: Case, alias: str, admission: Admission) -> list[tuple[str, str]]:
    """D2: set for people by R12, cleared by the next permitted mail; said only when it changes something."""
    invalid = case.views.directory.flagged(alias) is not None
    if admission is Admission.MISCONFIGURED:
        return [] if invalid else [(alias, "only followers may write, and it has no thread that anybody follows")]
    return [(alias, "")] if invalid else []


def _route(case: Case, candidate: Candidate) -> Route:
    mail, alias = case.mail, candidate.alias
    name = name_of(alias) if alias else candidate.alias_name
    new = not candidate.thread
    record_type = candidate.record_type or type_of(candidate.thread)
    author, active = shown(case, candidate.thread)
    tell = candidate.note_contact or candidate.note_author
    return Route(
        rule=candidate.rule,
        thread=candidate.thread or f"{record_type}/{short_id('record', mail.message_id, name)}",
        new=new,
        alias=name,
        record_type=record_type,
        kind=candidate.kind,
        defaults=alias.defaults if alias and new else {},
        domain=(alias.domain if alias else "") or domain_of(case, name),
        owner_thread=alias.owner_thread if alias else "",
        parent=candidate.parent,
        answers=candidate.answers,
        author=author,
        follow=active,
        tell="" if candidate.note_author == case.facts.author and candidate.note_author else tell,
    )


def domain_of(case: Case, alias_name: str = "") -> str:
    """Whose company it is: of the alias's domain, else of the address of ours that was written to."""
    named = (alias_name.rpartition("@")[2], *(found.domain for found in case.facts.ours.values()))
    return next(filter(case.views.directory.has_domain, named), "")


def shown(case: Case, thread: str = "") -> tuple[Author, bool]:
    """R15: under whom the mail is shown on this thread, and whether that is a known (active) contact."""
    name = case.mail.author.name if case.mail.author else ""
    if not case.facts.author:
        return Author(address="", name=name), False
    following = [answer.contact for answer in case.ask.answers or () if answer.thread == thread and answer.contact]
    contact = case.views.contacts.shown_as(case.facts.author, following)
    if contact is None:
        return Author(address=case.facts.author, name=name), False
    return Author(address=case.facts.author, name=name, contact=contact.contact_id), contact.active
