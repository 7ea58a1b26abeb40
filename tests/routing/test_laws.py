"""What holds for any mail in any order."""

import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.fanout.threads import THREADS
from postroad.loop_guard.budgets import BUDGETS
from postroad.routing.core import ROUTING
from postroad.runtime.memory import MemoryLog
from postroad.stage import Decision
from postroad_schemas.mail import MailReceived, MailRouted, Report, ReportedRecipient, ReportKind
from postroad_schemas.message import FollowerSought, MessageSettled, OriginSought, ThreadSought
from postroad_schemas.values import Automatic, Degree, Envelope
from tests.routing.mails import BOB, BOUNCE, CATCHALL, START, mail, take, views

ADDRESSES = (
    "sales@example.com",
    "support@example.com",
    "jobs@example.com",
    "board@example.com",
    "team@example.com",
    CATCHALL,
    BOUNCE,
    "catchall+abcdefghijklmnop@example.com",
    "eve@example.net",
)
some = st.lists(st.sampled_from(ADDRESSES), max_size=4)
words = st.text(max_size=30)
ids = st.lists(st.one_of(words, st.sampled_from(["<m0@example.org>", "<m1@example.org>"])), max_size=3).map(tuple)
degrees = st.sampled_from(
    [None, Automatic(degree=Degree.ANSWER, reason="x"), Automatic(degree=Degree.MADE, reason="x")]
)
blocks = st.builds(
    ReportedRecipient, final_recipient=words, original_recipient=words, action=words, status=words, diagnostic=words
)
reports = st.builds(
    Report,
    kind=st.sampled_from(list(ReportKind)),
    recipients=st.lists(blocks, max_size=3).map(tuple),
    original_message_id=words,
    original_to=st.lists(words, max_size=2).map(tuple),
)


@st.composite
def mails(draw: st.DrawFn, addresses: st.SearchStrategy[list[str]] = some, name: str = "m1") -> MailReceived:
    reverse_path = draw(st.sampled_from([None, "", BOB]))
    return mail(
        name,
        to=draw(addresses),
        cc=draw(addresses),
        sender=draw(st.sampled_from([BOB, "", "carol@example.org", CATCHALL])),
        envelope=Envelope(mail_from=reverse_path),
        references=draw(ids),
        in_reply_to=draw(ids),
        automatic=draw(degrees),
        record_type=draw(st.sampled_from(["", "ticket"])),
    )


def ends(decision: Decision[Any]) -> int:
    """Ends and questions: either says that the mail goes on from here."""
    kinds = (MailRouted, MessageSettled, ThreadSought, OriginSought, FollowerSought)
    return sum(isinstance(each, kinds) for each in decision.emit)


@given(event=mails(), turn=st.randoms(use_true_random=False))
def test_the_order_of_to_and_cc_changes_no_route(event: MailReceived, turn: random.Random) -> None:
    to, cc = list(event.to), list(event.cc)
    turn.shuffle(to)
    turn.shuffle(cc)
    other = mail("m1", sender="", to=[b.address for b in to], cc=[b.address for b in cc])
    straight = mail("m1", sender="", to=[b.address for b in event.to], cc=[b.address for b in event.cc])
    seen = views()
    one, two = ([each.routes for each in take(e, seen).emit if isinstance(each, MailRouted)] for e in (straight, other))
    assert one == two


@given(event=mails(some | st.lists(words, max_size=4)), report=st.none() | reports, subject=words, sender=words)
def test_no_content_raises_and_every_mail_goes_on_one_way(
    event: MailReceived, report: Report | None, subject: str, sender: str
) -> None:
    seen = views()
    hostile = mail(
        "m1",
        to=[box.address for box in event.to],
        cc=[box.address for box in event.cc],
        sender=sender,
        envelope=Envelope(mail_from=sender, rcpt_to=(sender, subject)),
        references=event.references,
        in_reply_to=event.in_reply_to,
        subject=subject,
        report=report,
        record_type=event.record_type,
        verdict=event.verdict,
        list_id=subject,
    )
    for each in (event, hostile):
        decision = take(each, seen)
        assert ends(decision) == 1
        assert take(each, seen, decision.state) == decision  # the same event twice


@settings(max_examples=60)
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 3), some, ids), max_size=6),
    seed=st.integers(0, 1 << 30),
    again=st.booleans(),
)
def test_every_acceptance_ends_exactly_once_in_any_order(
    arrivals: list[tuple[int, list[str], tuple[str, ...]]], seed: int, again: bool
) -> None:
    log = MemoryLog((ROUTING, BUDGETS, THREADS), views=views(), start=START, shuffle=random.Random(seed))
    settled = list[MessageSettled]()
    log.listen(lambda _, __, e, ___: settled.append(e) if isinstance(e, MessageSettled) and e.mail_id else None)
    dead = list[str]()
    log.listen(lambda topic, _, e, __: dead.append(f"{topic} {e}") if topic.endswith(".dead") else None)
    events = [
        mail(f"m{name}", to=to, references=references, minute=place, copy=place)
        for place, (name, to, references) in enumerate(arrivals)
    ]
    log.publish(events)
    if again:
        log.publish(events)
    log.advance(START.replace(hour=12))
    assert dead == []
    assert set(Counter(one.mail_id for one in settled)) == {event.event_id for event in events}
    assert len({one.event_id for one in settled}) == len(events)
    assert not log.state("routing", "<m0@example.org>").asks
