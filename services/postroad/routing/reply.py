"""R3-R7: does the mail answer something, and on which thread does it land?"""

from datetime import UTC, datetime

from postroad.mail.message_id import Flag, read_own
from postroad.routing.case import Case, Ruling, SeekFollowers, SeekThread
from postroad.routing.facts import name_of, record_type_of, type_of
from postroad.routing.routes import Candidate, ruled, through_alias
from postroad.routing.state import better
from postroad.views import Views
from postroad_schemas.directory import Alias
from postroad_schemas.mail import MailReceived
from postroad_schemas.message import Found, Outcome
from postroad_schemas.values import PostKind, ThreadLink

MAX_FOREIGN = 32  # R3: looked up, the last ones


def answer_to_notice(case: Case) -> Ruling | None:
    """R2: our notices' mark comes back."""
    for message_id in _named(case.mail):
        own = read_own(case.views.keys, message_id)
        if own is not None and Flag.NOTICE in own.flags:
            return Ruling("R2", f"answers our notice {message_id}", Outcome.ANSWER_TO_NOTICE)
    return None


def reply(case: Case) -> Ruling | SeekThread | SeekFollowers | None:
    """R3, with R4 (closed threads), R5 (forwards), R6 (policy) and R7 (notes, acknowledgements)."""
    keys, own = sought(case.mail, case.facts.handles, case.views)
    if keys and not case.asked_threads:
        return SeekThread(keys, own)
    found = case.handle or case.found or own
    if found is None:
        return None
    link = next((link for link in found.links if link.alias in case.facts.aliases), found.links[0])
    record_type = link.record_type or type_of(link.thread)
    return (
        _forwarded(case, found, record_type)
        or (_reopened(case, link, record_type) if link.thread in case.views.closed else None)
        or (_answered(case, link, record_type) if link.thread not in case.views.closed else None)
    )


def sought(mail: MailReceived, handles: tuple[str, ...], views: Views) -> tuple[tuple[str, ...], Found | None]:
    """What must be looked up, handles first, and the best of what our own ids say by themselves."""
    keys = [message_id for message_id in _named(mail) if read_own(views.keys, message_id) is None]
    best = _own(mail, views)
    if best is not None:  # R7: the thread's first message and a note's author are known at its key
        keys.append(best.message_id)
    return (*handles, *keys[-MAX_FOREIGN:]), best


def _own(mail: MailReceived, views: Views, thread: str = "") -> Found | None:
    """The best of our own ids by what they say themselves; on this thread, if one is given."""
    best = None
    for message_id in _named(mail):
        own = read_own(views.keys, message_id)
        if own and own.thread and Flag.OPENS_NEW not in own.flags and thread in ("", own.thread):
            best = better(best, _said_by_itself(message_id, own.thread, own.flags, own.seconds))
    return best


def _named(mail: MailReceived) -> tuple[str, ...]:
    """References, In-Reply-To as the last (M4); each once, at its last place; never the mail's own id."""
    if not mail.references and not mail.in_reply_to:
        return ()
    newest_first = dict.fromkeys(reversed((*mail.references, *mail.in_reply_to)))
    return tuple(found for found in reversed(newest_first) if found != mail.message_id)


def _said_by_itself(message_id: str, thread: str, flags: Flag, seconds: int) -> Found:
    return Found(
        message_id=message_id,
        settled_at=datetime.fromtimestamp(min(seconds, 1 << 36), UTC),
        links=(ThreadLink(thread=thread, record_type=type_of(thread)),),
        note=Flag.NOTE in flags,
        automatic=Flag.ACKNOWLEDGEMENT in flags,
    )


def _forwarded(case: Case, found: Found, record_type: str) -> Ruling | SeekFollowers | None:
    """R5: an alias of another type among the To-like; those that the parent took itself make no forward."""
    taken = {link.alias for link in found.links}
    other = {n: a for n, a in case.facts.aliases.items() if record_type_of(a) != record_type and n not in taken}
    if not case.facts.to_aliases & other.keys():
        return None
    candidates = [through_alias(case, alias, "R5") for alias in other.values()]
    return ruled(case, "R5", candidates, f"forwards {found.message_id} to {', '.join(other)}, of another type")


def _reopened(case: Case, link: ThreadLink, record_type: str) -> Ruling | SeekFollowers | None:
    """R4: the thread takes no more posts: a new record of its type, if anything can open one."""
    alias = _opener(case, record_type)
    if alias is None and not _mailbox_opens(case, record_type):
        return None
    candidate = Candidate("R4", record_type, alias)
    return ruled(case, "R4", [candidate], f"{link.thread} takes no more posts: a new {record_type}")


def _opener(case: Case, record_type: str) -> Alias | None:
    """An alias of this type: one that the mail names, else the oldest."""
    named = case.facts.aliases.values()
    known = sorted(case.views.directory.aliases(), key=_age)
    for alias in (*named, *known):
        if alias.active and not alias.thread and alias.record_type == record_type:
            return alias
    return None


def _age(alias: Alias) -> tuple[float, str]:
    return alias.created_at.timestamp() if alias.created_at else float("inf"), name_of(alias)


def _mailbox_opens(case: Case, record_type: str) -> bool:
    types = {case.mail.record_type, *(mailbox.record_type for mailbox in case.views.directory.mailboxes())}
    return record_type in types


def _answered(case: Case, link: ThreadLink, record_type: str) -> Ruling | SeekFollowers:
    """A handle says which thread; what is answered there, and so whether it is a note, only a reference says."""
    found = better(case.found, _own(case.mail, case.views, link.thread), link.thread)
    if found is not None and all(known.thread != link.thread for known in found.links):
        found = None
    note = found is not None and found.note and not found.automatic
    same_type = [alias for alias in case.facts.aliases.values() if record_type_of(alias) == record_type]
    addressed = sorted(same_type, key=lambda a: (name_of(a) not in case.facts.to_aliases, name_of(a)))
    candidate = Candidate(
        rule="R3",
        record_type=record_type,
        alias=addressed[0] if addressed else None,  # R6
        thread=link.thread,
        alias_name=link.alias,
        parent=link.first_message,
        answers=found.message_id if found else next(iter(reversed(_named(case.mail))), ""),
        kind=PostKind.NOTE if note else PostKind.COMMENT,
        note_author=found.author if found and note else "",
        note_contact=found.author_contact if found and note else "",
    )
    how = "came to the thread's own reply address" if case.handle or not found else f"answers {found.message_id}"
    return ruled(case, "R3", [candidate], f"{how}, on {link.thread}" + (", a note" if note else ""))
