"""What a key's state says, in one line."""

from postroad.explain.overlay import Step
from postroad.fanout.refusal_notice import Addressee
from postroad.fanout.thread import Thread
from postroad.loop_guard.budget import Ledger
from postroad.routing.state import MessageState


def said(step: Step) -> str:
    """What was found at a step's key."""
    match step.before:
        case MessageState():
            return _message(step.before) + ("; the question would wait for its outcome" if step.waits else "")
        case Thread():
            return _thread(step.before)
        case Ledger():
            held = f", {len(step.before.blocked)} blocked" if step.before.blocked else ""
            return f"{len(step.before.recent.entries)} counted{held}"
        case Addressee():
            return f"told {len(step.before.notified)} times lately"
        case _:
            return ""


def _message(state: MessageState) -> str:
    if state.accepted_at is None and state.settled is None:
        return "never heard of"
    taken = f"taken {state.accepted_at:%Y-%m-%d %H:%M:%S}" if state.accepted_at else "known"
    if state.settled is None:
        return f"{taken}, without outcome yet"
    threads = ", ".join(link.thread for link in state.settled.links)
    kind = "a note" if state.settled.note else "a message of ours" if state.settled.ours else "settled"
    return f"{taken}; {kind}, {f'on {threads}' if threads else 'on no thread'}"


def _thread(state: Thread) -> str:
    if not state.known:
        return "never heard of"
    followers = "1 follower" if len(state.followers) == 1 else f"{len(state.followers)} followers"
    return f"{state.title or state.record_type!r}, {followers}{', closed' if state.closed else ''}"
