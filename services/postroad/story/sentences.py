"""One sentence for each kind of event, for people."""

from collections.abc import Callable
from typing import Any

from postroad_schemas import address, chatter, directory, mail, message, outbound


def _thread(found: message.Found | None) -> str:
    return found.links[0].thread if found else "not found"


def _proposal(e: directory.RowProposed) -> str:
    if e.row is None:
        return f"to remove {e.remove}"
    return directory.row_key(e.row) + (f" in place of {e.remove}" if e.remove else "")


SENTENCES: dict[type, Callable[[Any], str]] = {
    mail.MailReceived: lambda e: (
        f"{'released' if e.release else 'accepted'} at {e.door}, from {e.author.address if e.author else 'nobody'} "
        f"to {', '.join(e.envelope.rcpt_to or [box.address for box in e.to]) or 'nobody'}: {e.subject!r}"
    ),
    mail.MailRouted: lambda e: (
        f"{e.why or 'routed'}; "
        + (
            f"at budget {e.position + 1} of {len(e.budgets)} ({e.budgets[e.position].key})"
            if e.position < len(e.budgets)
            else "no budget to pass"
        )
    ),
    mail.BudgetReturned: lambda e: f"budget {e.budget} given back",
    mail.MailRefused: lambda e: (
        f"refused ({', '.join(f'{r.alias}: {r.reason}' if r.alias else r.reason for r in e.refusals)}); "
        + (f"a notice may go to {e.notice.addressee}" if e.notice.addressee else f"no notice: {e.notice.why_not}")
    ),
    mail.HeldMail: lambda e: f"held: {e.reason}",
    message.ThreadSought: lambda e: (
        f"asks at {e.sought} for the thread" if e.sought else f"the answer: {_thread(e.handle or e.best)}"
    ),
    message.OriginSought: lambda e: f"asks at {e.sought} for its recipient" if e.sought else "the answer is back",
    message.FollowerSought: lambda e: f"asks {e.thread} whether {e.address} follows",
    message.FollowerAnswered: lambda e: "; ".join(
        f"{a.thread}: {'follows' if a.follows else 'does not follow'}" for a in e.answers
    ),
    message.MessageSettled: lambda e: (
        f"{e.settled}: {e.outcome}"
        + (f" on {', '.join(link.thread for link in e.links)}" if e.links else "")
        + (f" ({e.why})" if e.why else "")
    ),
    chatter.RecordRequested: lambda e: f"a {e.record_type} is to be created: {e.title!r}, thread {e.thread}",
    chatter.ThreadOpened: lambda e: f"thread {e.thread} opened by its app",
    chatter.ChatterPosted: lambda e: (
        f"a {e.post.kind} on {e.thread} by {e.post.author.address or e.post.author.contact}"
    ),
    chatter.ThreadFollowed: lambda e: f"{len(e.followers)} follow {e.thread}",
    chatter.ThreadUnfollowed: lambda e: f"{len(e.followers)} follow {e.thread} no more",
    chatter.ThreadClosed: lambda e: f"{e.thread} takes no more posts: {e.reason}",
    chatter.RecordRejected: lambda e: f"{e.thread} could not be created: {e.reason}",
    chatter.NotificationPlanned: lambda e: (
        ("; ".join(f"{f.address or f.contact} {f.channel} ({f.reason})" for f in e.followers[:10]) or "nobody to tell")
        + (f"; and {len(e.followers) - 10} more" if len(e.followers) > 10 else "")
    ),
    chatter.NotificationSent: lambda e: f"{e.recipient} has it, by {e.server}",
    chatter.NotificationDelayed: lambda e: f"{e.recipient} waits: {e.diagnostic}",
    chatter.NotificationFailed: lambda e: f"red envelope: {e.recipient} {e.failure} {e.status} {e.diagnostic}",
    chatter.NotificationComplained: lambda e: f"{e.recipient} complained ({e.feedback_type})",
    chatter.PostChunk: lambda e: f"chunk {e.chunk} of the followers of {e.thread}",
    outbound.OutboundSubmitted: lambda e: f"{e.stream} mail for {e.recipient}: {e.subject!r}",
    outbound.OutboundDeferred: lambda e: (
        f"tried {e.attempt} times, again after {e.not_before:%Y-%m-%d %H:%M:%S}: {e.reply.code} {e.reply.text}"
    ),
    outbound.OutboundMetered: lambda e: f"asks whether {e.server} may send one more today (limit {e.limit})",
    outbound.OutboundGranted: lambda e: (
        f"{e.server} may not send before {e.not_before:%Y-%m-%d}" if e.not_before else f"{e.server} may send"
    ),
    outbound.OutboundHeld: lambda e: f"held back by {e.by or 'somebody'}",
    outbound.OutboundReleased: lambda e: f"let go on by {e.by or 'somebody'}",
    outbound.OutboundCancelled: lambda e: f"cancelled by {e.by or 'somebody'}",
    outbound.OutboundRetried: lambda e: f"tried at once, as {e.by or 'somebody'} asked",
    outbound.LeaveAsked: lambda e: f"asked to leave the list ({e.how})",
    outbound.DeliveryReported: lambda e: (
        f"{e.recipient or 'somebody'}: {e.action} {e.status} by {e.source}"
        + (f", server {e.server} ({e.server_rule})" if e.server else "")
        + (f": {e.diagnostic}" if e.diagnostic else "")
    ),
    outbound.FeedbackReported: lambda e: f"{e.recipient or 'somebody'} complains ({e.feedback_type})",
    address.AddressFailed: lambda e: f"{e.address} failed {e.status}",
    address.AddressHeardFrom: lambda e: f"{e.address} was heard from",
    address.AddressBarred: lambda e: f"{e.address} is barred by hand" + (f": {e.note}" if e.note else ""),
    address.AddressPardoned: lambda e: f"{e.address} is pardoned by hand" + (f": {e.note}" if e.note else ""),
    address.AddressLeft: lambda e: f"{e.address} leaves {e.list_name}" + (f" ({e.how})" if e.how else ""),
    address.AddressBlacklisted: lambda e: f"{e.address} {'blacklisted' if e.active else 'lifted'}: {e.note}",
    address.ListLeft: lambda e: f"{e.address} left {e.list_name}",
    address.ThreadShut: lambda e: f"{e.thread} is closed" + (f": {e.reason}" if e.reason else ""),
    directory.RowProposed: lambda e: f"{e.by or 'somebody'} proposes {_proposal(e)}",
}


def sentence(event: Any) -> str:
    """What an event says, in one line. Strangers' words are in it: nothing of them steers a terminal."""
    said = SENTENCES.get(type(event), lambda e: type(e).__name__)(event)
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in " ".join(said.split()))
