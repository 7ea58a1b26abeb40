"""F3, F6: a thread of many is told in chunks: each follower once, whatever is repeated."""

from collections import Counter
from typing import Any

import pytest

from postroad.fanout.thread import Thread
from postroad.fanout.threads import decide
from postroad.views import Views
from postroad_schemas import read, record
from postroad_schemas.chatter import Channel, NotificationPlanned, PostChunk, ThreadFollowed, ThreadUnfollowed
from postroad_schemas.message import MessageSettled
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Follower
from tests.fanout.facts import ALICE, NOON, THREAD, by, every, follows, run, says, views

FACT: dict[str, Any] = {"event_id": "e", "occurred_at": NOON, "trace_id": "t", "thread": THREAD}


def crowd(count: int) -> Thread:
    members = tuple(Follower(address=f"member{number}@crowd.example") for number in range(count))
    return run(views(), ThreadFollowed(**FACT, followers=members)).state


def told(state: Thread, found: Views, event: Any, *, repeat: bool = False) -> tuple[Thread, list[Any]]:
    """Everything emitted until no chunk is left. Chunks pass the wire; with `repeat` each comes twice."""
    emitted: list[Any] = []
    queue = [event]
    while queue:
        event = queue.pop(0)
        for _ in range(2 if repeat else 1):
            decision = decide(event, state, found)
            state = decision.state
            emitted += decision.emit
        for chunk in every(PostChunk, decision.emit):
            sent = record(chunk)
            queue.append(read(sent.topic, sent.value or b""))
    return state, emitted


def test_ten_thousand_followers_are_each_told_once() -> None:
    state, found = crowd(10_000), views()
    after, emitted = told(state, found, says(by(ALICE)))
    copies = every(OutboundSubmitted, emitted)
    assert Counter(copy.recipient for copy in copies) == Counter(
        {f"member{number}@crowd.example": 1 for number in range(10_000)}
    )
    assert len({copy.event_id for copy in copies}) == 10_000
    assert len({(copy.message_id, copy.references, copy.in_reply_to, copy.reply_to) for copy in copies}) == 1
    plans = every(NotificationPlanned, emitted)
    assert [(plan.chunk, len(plan.followers)) for plan in plans] == [(chunk, 500) for chunk in range(20)]
    planned = {entry.notification_id for plan in plans for entry in plan.followers}
    assert planned == {copy.notification_id for copy in copies}
    settled = every(MessageSettled, emitted)
    assert (len(settled), settled[0].recipient) == (2, ""), "settled once, with the first chunk"
    assert after == decide(says(by(ALICE)), state, found).state, "chunks change nothing"


@pytest.mark.parametrize(
    ("count", "chunks"),
    [
        pytest.param(500, [500], id="exactly one step"),
        pytest.param(501, [500, 1], id="one more"),
        pytest.param(1000, [500, 500], id="no empty chunk at the end"),
    ],
)
def test_a_step_tells_five_hundred(count: int, chunks: list[int]) -> None:
    _, emitted = told(crowd(count), views(), says(by(ALICE)))
    assert [len(plan.followers) for plan in every(NotificationPlanned, emitted)] == chunks


def test_the_one_copy_of_a_chunk_is_no_sole_recipient() -> None:
    members = follows("ben", *(f"c{number}" for number in range(499)), "mary")
    state = run(views(), ThreadFollowed(**FACT, followers=members)).state
    _, emitted = told(state, views(), says(by(ALICE)))
    assert [copy.recipient for copy in every(OutboundSubmitted, emitted)] == [
        "ben@example.com",
        "mary@customer.example",
    ]
    assert every(MessageSettled, emitted)[0].recipient == ""


def test_repeated_chunks_are_the_same_submissions() -> None:
    state, found = crowd(1200), views()
    _, once = told(state, found, says(by(ALICE)))
    after, twice = told(state, found, says(by(ALICE)), repeat=True)
    assert len(twice) > len(once)
    assert {event.event_id: event for event in twice} == {event.event_id: event for event in once}
    assert after == decide(says(by(ALICE)), state, found).state


def test_who_comes_and_goes_between_two_chunks() -> None:
    found = views()
    first = decide(says(by(ALICE)), crowd(700), found)
    (chunk,) = every(PostChunk, first.emit)
    last = first.state.followers[-1].address
    leaves = ThreadUnfollowed(**FACT, followers=(Follower(address=last),))
    joins = ThreadFollowed(**FACT, followers=follows("aaa@crowd.example"))
    state = run(found, leaves, joins, state=first.state).state
    _, rest = told(state, found, chunk)
    recipients = [copy.recipient for copy in (*every(OutboundSubmitted, first.emit), *every(OutboundSubmitted, rest))]
    assert len(recipients) == len(set(recipients)) == 699
    assert last not in recipients, "he left in time"
    assert "aaa@crowd.example" not in recipients, "joined after the post, in a part that was told"


def test_one_address_in_two_chunks_is_one_submission() -> None:
    state = crowd(500)
    state = run(views(), ThreadFollowed(**FACT, followers=follows("mary", "mary@customer.example")), state=state).state
    _, emitted = told(state, views(), says(by(ALICE)))
    mary = [copy for copy in every(OutboundSubmitted, emitted) if copy.recipient == "mary@customer.example"]
    assert len({copy.event_id for copy in mary}) == 1


def test_those_addressed_by_name_are_told_once_in_a_crowd() -> None:
    post = by(ALICE, notify=follows("ben", "zoe@crowd.example"))
    _, emitted = told(crowd(900), views(), says(post))
    channels = Counter(
        entry.address
        for plan in every(NotificationPlanned, emitted)
        for entry in plan.followers
        if entry.channel == Channel.MAIL
    )
    assert channels["ben@example.com"] == channels["zoe@crowd.example"] == 1
    assert len(channels) == 902
