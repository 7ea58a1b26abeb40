"""Why a rule of routing does not apply to a mail, or what it asks, in words."""

from collections.abc import Callable

from postroad.routing.case import Case, Question, SeekFollowers, SeekOrigin, SeekThread

SHOWN = 5  # ids in one sentence


def why_not(name: str, case: Case) -> str:
    """Of a rule that gave no answer. `name`: of its function."""
    return REASONS[name](case) if name in REASONS else ""


def asks(question: Question, case: Case) -> str:
    match question:
        case SeekThread():
            return f"is one of these known: {_some(question.keys)}"
        case SeekOrigin():
            return f"who was sent {question.message_id}"
        case SeekFollowers():
            return f"does {case.facts.author} follow {_some(question.threads)}"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _no_duplicate(case: Case) -> str:
    if case.mail.release:
        return "it is released, which no duplicate stops (R17)"
    return "taken before, but not for all of its aliases" if case.ask.only else "its Message-ID was not taken before"


def _no_reply(case: Case) -> str:
    facts = case.facts
    if not facts.references and not facts.handles:
        return "it names no message and no reply address of ours"
    found = case.ask.handle or case.ask.found
    closed = [link.thread for link in (found.links if found else ()) if link.thread in case.views.closed]
    if closed:
        return f"{_some(tuple(closed))} takes no more posts, and nothing opens another record of that type"
    named = _some((*facts.handles, *facts.references))
    return f"nothing it names is a known message that is answered on a thread: {named}"


def _not_catchall_alone(case: Case) -> str:
    if case.facts.catchall_alone:
        return f"an alias is among the recipients too: {', '.join(case.facts.aliases)}"
    return "it is not for the catchall alone"


REASONS: dict[str, Callable[[Case], str]] = {
    "duplicate": _no_duplicate,
    "answer_to_notice": lambda _: "it names no notice of ours",
    "leave": lambda _: "it is for no leave link of ours",
    "report": lambda _: "no bounce address in To, not from mailer-daemon, no report by its type",
    "copy_to_new_aliases": lambda _: "it is not another copy of a mail that was taken",
    "reply": _no_reply,
    "catchall_alone": _not_catchall_alone,
    "aliases": lambda _: "no active alias is among its recipients",
    "default_type": lambda _: "it came from no mailbox that opens a record type",
    "catchall_among_others": lambda _: "no catchall in To",
}
