"""R3-R7: does the mail answer something, and on which thread does it land?"""

from datetime import UTC, datetime

from postroad.mail.message_id import Flag
from postroad.routing.case import Case, Ruling, SeekFollowers, SeekThread
from postroad.routing.facts import Facts, name_of, names_now, record_type_of, type_of
from postroad.routing.routes import Candidate, ruled, through_alias
from postroad.routing.state import best, lands_on
from postroad_schemas.directory import Alias
from postroad_schemas.message import Found, Outcome
from postroad_schemas.values import PostKind, ThreadLink

MAX_FOREIGN = 32  # R3: looked up, the last ones


def answer_to_notice(case: Case) -> Ruling | None:
    """R2: our notices' mark comes back."""
    for message_id, own in case.facts.own.items():
        if Flag.NOTICE in own.flags:
            return Ruling("R2", f"answers our notice {message_id}", Outcome.ANSWER_TO_NOTICE)
    return None


def reply(case: Case) -> Ruling | SeekThread | SeekFollowers | None:
    """R3, with R4 (closed threads), R5 (forwards), R6 (policy) and R7 (notes, acknowledgements)."""
    if not case.facts.references and not case.facts.handles:
        return None
    own = _said_by_themselves(case.facts)
    if not case.ask.asked_threads and (keys := _sought(case.facts, best(own))):
        return SeekThread(keys)
    references = _as_named(case, own)
    found = case.ask.handle or best(references)
    if found is None:
        return None
    came_by = ((link, names_now((link.alias,), case.views)) for link in found.links)
    link = next((link for link, names in came_by if names & case.facts.aliases.keys()), found.links[0])
    record_type = link.record_type or type_of(link.thread)
    closed = link.thread in case.views.closed
    reopened = _reopened(case, link, record_type) if closed else None
    if closed and reopened is None:
        return None  # R4: no reply, and so no forward either
    answered = best(found for found in references if lands_on(found, link.thread))
    return _forwarded(case, found, record_type) or reopened or _answered(case, link, record_type, answered)


def _said_by_themselves(facts: Facts) -> list[Found]:
    """What ids of ours carry, those that name a thread. R4: not those whose answers open a new record."""
    return [
        Found(
            message_id=message_id,
            settled_at=datetime.fromtimestamp(min(own.seconds, 1 << 36), UTC),
            links=(ThreadLink(thread=own.thread, record_type=type_of(own.thread)),),
            note=Flag.NOTE in own.flags,
            automatic=Flag.ACKNOWLEDGEMENT in own.flags,
        )
        for message_id, own in facts.own.items()
        if own.thread and Flag.OPENS_NEW not in own.flags
    ]


def _sought(facts: Facts, own: Found | None) -> tuple[str, ...]:
    """Handles, then in the mail's order the last foreign ids and the best of ours.

    The key of ours knows the thread's first message and a note's author (R7).
    """
    foreign = [message_id for message_id in facts.references if message_id not in facts.own]
    sought = {*foreign[-MAX_FOREIGN:], *((own.message_id,) if own else ())}
    return (*facts.handles, *(message_id for message_id in facts.references if message_id in sought))


def _as_named(case: Case, own: list[Found]) -> list[Found]:
    """All that is known of references, in the mail's order; what a key knows of one after what its id says itself."""
    known = [*own, case.ask.found] if case.ask.found else own
    place = {message_id: number for number, message_id in enumerate(case.facts.references)}
    return sorted(known, key=lambda found: place[found.message_id])


def _forwarded(case: Case, found: Found, record_type: str) -> Ruling | SeekFollowers | None:
    """R5: an alias of another type among the To-like; those that the parent took itself make no forward."""
    taken = names_now((link.alias for link in found.links), case.views)
    other = {n: a for n, a in case.facts.aliases.items() if record_type_of(a) != record_type and n not in taken}
    if not case.facts.to_aliases & other.keys():
        return None
    candidates = [through_alias(case, alias, "R5") for alias in other.values()]
    return ruled(case, "R5", candidates, f"forwards {found.message_id} to {', '.join(other)}, of another type")


def _reopened(case: Case, link: ThreadLink, record_type: str) -> Ruling | SeekFollowers | None:
    """R4: the thread takes no more posts: a new record of its type, if anything can open one."""
    alias = _opener(case, link, record_type)
    if alias is None and not _mailbox_opens(case, record_type):
        return None
    candidate = Candidate("R4", record_type, alias)
    return ruled(case, "R4", [candidate], f"{link.thread} takes no more posts: a new {record_type}")


def _opener(case: Case, link: ThreadLink, record_type: str) -> Alias | None:
    """An alias of this type: the one that opened the thread, else one that the mail names, else the oldest."""
    directory = case.views.directory
    named = case.facts.aliases.values()
    for alias in (*directory.called(link.alias), *named, *sorted(directory.aliases(), key=_age)):
        bound = alias.thread and alias.thread not in case.views.closed
        if alias.active and not bound and record_type_of(alias) == record_type:
            return alias
    return None


def _age(alias: Alias) -> tuple[float, str]:
    return alias.created_at.timestamp() if alias.created_at else float("inf"), name_of(alias)


def _mailbox_opens(case: Case, record_type: str) -> bool:
    polled = (mailbox.record_type for mailbox in case.views.directory.mailboxes() if mailbox.confirmed)  # D8
    return record_type in {case.mail.record_type, *polled}


def _answered(case: Case, link: ThreadLink, record_type: str, answered: Found | None) -> Ruling | SeekFollowers:
    """A handle says which thread; what is answered there, and so whether it is a note, only a reference says."""
    note = answered is not None and answered.note and not answered.automatic
    same_type = [alias for alias in case.facts.aliases.values() if record_type_of(alias) == record_type]
    addressed = sorted(same_type, key=lambda a: (name_of(a) not in case.facts.to_aliases, name_of(a)))
    answers = answered.message_id if answered else next(reversed(case.facts.references), "")
    candidate = Candidate(
        rule="R3",
        record_type=record_type,
        alias=addressed[0] if addressed else None,  # R6
        thread=link.thread,
        alias_name=link.alias,
        parent=link.first_message,
        answers=answers,
        kind=PostKind.NOTE if note else PostKind.COMMENT,
        note_author=answered.author if answered and note else "",
        note_contact=answered.author_contact if answered and note else "",
    )
    how = "came to the thread's own reply address" if case.ask.handle else f"answers {answers}"
    return ruled(case, "R3", [candidate], f"{how}, on {link.thread}" + (", a note" if note else ""))
