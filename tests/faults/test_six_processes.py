"""The pipeline as six processes on a real Apache Kafka: one mail all the way round, then kill -9 of each worker."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroad.runtime.broker import Cluster
from postroad_schemas import event_id
from postroad_schemas.chatter import ChatterPosted, NotificationSent, RecordRequested, ThreadFollowed
from postroad_schemas.mail import MailReceived
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import Author, Contents, Follower, Post
from tests.support.broker import leader_of
from tests.support.six import WORKERS, Six, six, until
from tests.support.smtp_sink import SmtpSink
from tests.support.thread_loop import in_thread

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with in_thread(SmtpSink()) as started:
        yield started


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, sink: SmtpSink) -> Iterator[Six]:
    folder = tmp_path_factory.mktemp("six")
    cluster = Cluster.start(folder / "broker", 1)
    try:
        with six(folder, cluster.bootstrap, sink.port) as running:
            yield running
    finally:
        cluster.stop(grace=1.0)


def requested(system: Six, message_id: str) -> RecordRequested | None:
    found = (e for e in system.events("chatter.published") if isinstance(e, RecordRequested))
    return next((e for e in found if e.post.message_id == message_id), None)


def test_a_mail_opens_a_record_and_a_post_reaches_its_followers(system: Six, sink: SmtpSink) -> None:
    message_id = system.send(1)
    opened = until("no record was requested", lambda: requested(system, message_id))
    now, ids = datetime.now(UTC), [event_id("six", step) for step in ("follow", "post")]
    followers = (Follower(contact="1"), Follower(address="anna1@customer.example"))
    post = Post(author=Author(address="", contact="1"), contents=Contents(text="We are on it.\n"))

    system.publish(
        ThreadFollowed(event_id=ids[0], trace_id=ids[0], occurred_at=now, thread=opened.thread, followers=followers),
        ChatterPosted(event_id=ids[1], trace_id=ids[1], occurred_at=now, thread=opened.thread, post=post),
    )

    until("the customer got no mail", lambda: any("anna1@customer.example" in m.rcpt_tos for m in sink.messages))
    sent = until(
        "no notification.sent",
        lambda: [e for e in system.events("notification.updated") if isinstance(e, NotificationSent)],
    )
    assert [e.recipient for e in sent] == ["anna1@customer.example"]
    assert all("mary@example.com" not in m.rcpt_tos for m in sink.messages)
    story = system.postroad("trace", message_id, "--config", str(system.settings))
    assert "[R9]" in story
    assert "crm.lead is to be created" in story


def test_nothing_is_lost_and_no_second_record_opened_when_each_worker_is_killed_once(system: Six) -> None:
    """Promise 1: every mail answered 250 opens exactly one record, whichever process died meanwhile."""
    sent: list[str] = []
    stopping = threading.Event()

    def keep_sending() -> None:
        number = 1000
        while not stopping.is_set():
            sent.append(system.send(number))
            number += 1

    sender = threading.Thread(target=keep_sending)
    sender.start()
    for name in WORKERS:
        before = len(sent)
        until("nothing is accepted", lambda before=before: len(sent) > before + 5)
        system.kill(name)
        system.start(name)
        if name == "ingest":
            system.wait_for_door()
        after = len(sent)
        until(f"nothing moves after {name}", lambda after=after: set(sent[after : after + 1]) & settled(system))
    stopping.set()
    sender.join()

    until("not every mail was settled", lambda: set(sent) <= settled(system), 120)
    audit(system, sent)


def settled(system: Six) -> set[str]:
    return {e.settled for e in system.events("message.settled") if isinstance(e, MessageSettled) and e.mail_id}


def audit(system: Six, sent: list[str]) -> None:
    """One record a Message-ID, and one outcome an acceptance: delivered for one of them, duplicate for the others."""
    threads = defaultdict(set)
    for event in system.events("chatter.published"):
        if isinstance(event, RecordRequested):
            threads[event.post.message_id].add(event.thread)
    assert {message_id: len(threads[message_id]) for message_id in sent} == dict.fromkeys(sent, 1)

    acceptances = [e for e in system.events("mail.received") if isinstance(e, MailReceived)]
    outcomes = defaultdict(list)
    ends = until(
        "an acceptance without outcome",
        lambda: (
            found
            if (found := [e for e in system.events("message.settled") if e.mail_id])
            and {e.mail_id for e in found} >= {e.event_id for e in acceptances}
            else None
        ),
    )
    for end in ends:
        outcomes[end.settled].append(end.outcome)
    assert sorted(end.mail_id for end in ends) == sorted({end.mail_id for end in ends})
    assert all(outcomes[message_id].count(Outcome.DELIVERED) == 1 for message_id in sent)
    assert all(set(outcomes[message_id]) <= {Outcome.DELIVERED, Outcome.DUPLICATE} for message_id in sent)


def test_a_rolling_sigterm_ends_each_worker_with_0(system: Six) -> None:
    for name in WORKERS:
        assert system.terminate(name) == 0, system.log(name)[-1500:]
        system.start(name)
    system.wait_for_door()
    message_id = system.send(5000)
    until("no record was requested", lambda: requested(system, message_id))


def test_three_nodes_and_the_leader_killed(tmp_path: Path, sink: SmtpSink) -> None:
    cluster = Cluster.start(tmp_path / "broker", 3)
    try:
        with six(tmp_path, cluster.bootstrap, sink.port, replication=3) as system:
            sent = [system.send(number) for number in range(6000, 6010)]
            cluster.kill(asyncio.run(leader_of(cluster.bootstrap, "mail.received")))
            sent += [system.send(number) for number in range(6010, 6030)]
            until("not every mail was settled", lambda: set(sent) <= settled(system), 120)
            audit(system, sent)
    finally:
        cluster.stop(grace=1.0)
