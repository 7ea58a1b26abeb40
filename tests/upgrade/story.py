"""The same small story told again and again while versions change, and what must have become of it at the end."""

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from postroad.bounces.addresses import ADDRESSES
from postroad.views import Views
from postroad_schemas import event_id
from postroad_schemas.address import AddressFailed
from postroad_schemas.chatter import ChatterPosted, NotificationSent, RecordRequested, ThreadFollowed
from postroad_schemas.mail import MailReceived
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import Follower, Stream
from tests.support.six import Six, until
from tests.support.smtp_sink import SmtpSink

START = datetime(2026, 11, 1, tzinfo=UTC)
LIMIT = 20  # L1's threshold
CHATTY = "chatty@customer.example"
BOSS = "boss@partner.example"
PEOPLE = [f"person{number}@example.org" for number in range(12)]
PACE_SECONDS = 0.25


class Story:
    """What was sent, by Message-ID. `doors` are those that mails are sent to now, one after the other."""

    def __init__(self, *doors: Six) -> None:
        self.moments = 0
        self.opening: list[str] = []  # each opens a record
        self.opened: list[str] = []  # one of each moment: mails of all later ones answer it
        self.answers: dict[str, str] = {}  # -> what it answers
        self.copies: list[str] = []
        self.chatty: list[str] = []  # one author's, more than the loop guard lets pass
        self._doors = doors
        self._changing = threading.Lock()
        self._turns = itertools.count()
        self._numbers = itertools.count(100_000)

    def sent(self) -> set[str]:
        return {*self.opening, *self.answers, *self.chatty}

    def go_through(self, *doors: Six) -> None:
        """On return no mail is on its way to any other."""
        with self._changing:
            self._doors = doors

    def send(self, number: int, text: str = "Hello", sender: str = "", **fields: str) -> str:
        with self._changing:
            door = self._doors[next(self._turns) % len(self._doors)]
            return door.send(number, text, sender=sender, **fields)

    def moment(self, publish: Callable[..., None]) -> list[str]:
        """A dozen records, an answer to each former moment, a copy, one author's next four, and failures of addresses.

        Returns the dozen.
        """
        first, former = 1000 * self.moments, self.opened[-1:]
        dozen = [self.send(first + number) for number in range(12)]
        self.answers |= {
            self.send(first + 100 + number, f"Answer {first + 100 + number}", In_Reply_To=it): it
            for number, it in enumerate(self.opened)
        }
        self.copies += [self.send(first - 1000) for _ in former]
        self.chatty += [self.send(first + 200 + number, sender=CHATTY) for number in range(4)]
        publish(*failed(self.moments))
        self.opening += dozen
        self.opened.append(dozen[0])
        self.moments += 1
        return dozen

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Mails come all the time meanwhile."""
        ended = threading.Event()

        def keep_sending() -> None:
            while not ended.wait(PACE_SECONDS):
                self.opening.append(self.send(next(self._numbers)))

        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(keep_sending)
            try:
                yield
            finally:
                ended.set()
        sending.result()


def failed(moment: int) -> list[AddressFailed]:
    """Everybody's failure of this moment, two days after the one before: the fifth blacklists (B4)."""
    at = START + timedelta(days=2 * moment)
    ids = [event_id("failed", str(moment), person) for person in PEOPLE]
    usual: dict[str, Any] = {"status": "5.1.1", "hard": True, "proven": True, "stream": Stream.BULK}
    return [
        AddressFailed(event_id=it, occurred_at=at, trace_id=it, address=person, notification_id=it, **usual)
        for it, person in zip(ids, PEOPLE, strict=True)
    ]


def logs_of_addresses(moments: int) -> dict[tuple[str, str], Any]:
    """What one version alone makes of the failures."""
    found: dict[tuple[str, str], Any] = {}
    for event in itertools.chain.from_iterable(map(failed, range(moments))):
        at = (ADDRESSES.name, event.address)
        found[at] = ADDRESSES.decide(event, found.get(at, ADDRESSES.state()), Views()).state
    return found


def follow(system: Six, message_id: str) -> None:
    """The boss is told by mail of everything on the thread that this mail opened."""
    opened = until("no record was requested", lambda: requested(system).get(message_id))
    identity = event_id("boss follows")
    followers = (Follower(address=BOSS),)
    system.publish(
        ThreadFollowed(
            event_id=identity, occurred_at=START, trace_id=identity, thread=opened.thread, followers=followers
        )
    )


def requested(system: Six) -> dict[str, RecordRequested]:
    """Records by the mail that opened them, each asked for once."""
    found = [e for e in system.events("chatter.published") if isinstance(e, RecordRequested)]
    by_mail = {event.post.message_id: event for event in found}
    assert len(by_mail) == len(found), "a second record for one mail"
    return by_mail


def posted(system: Six) -> dict[str, str]:
    """The thread of each mail that is a post."""
    found = [e for e in system.events("chatter.published") if isinstance(e, ChatterPosted)]
    return {event.post.message_id: event.thread for event in found}


def settled(system: Six) -> list[MessageSettled]:
    return [e for e in system.events("message.settled") if isinstance(e, MessageSettled) and e.mail_id]


def at_rest(system: Six) -> None:
    """Returns when each acceptance has its outcome."""
    accepted = {e.event_id for e in system.events("mail.received") if isinstance(e, MailReceived)}
    missing = accepted

    def none_is_missing() -> bool:
        nonlocal missing
        missing = accepted - {end.mail_id for end in settled(system)}
        return not missing

    try:
        until("", none_is_missing)
    except TimeoutError:
        raise AssertionError(f"{len(missing)} of {len(accepted)} mails without outcome\n{system.logs()}") from None


def audit(system: Six, story: Story, sink: SmtpSink) -> None:
    """Every accepted mail has exactly one outcome, the right one; every follower is told once."""
    acceptances = [e for e in system.events("mail.received") if isinstance(e, MailReceived)]
    assert Counter(e.message_id for e in acceptances) == Counter([*story.sent(), *story.copies])
    ends = settled(system)
    assert Counter(end.mail_id for end in ends) == Counter(e.event_id for e in acceptances)
    outcomes = Counter(end.outcome for end in ends)
    held = len(story.chatty) - LIMIT
    assert outcomes == {
        Outcome.DELIVERED: len(story.sent()) - held,
        Outcome.DUPLICATE: len(story.copies),
        Outcome.HELD: held,
    }
    assert {end.settled for end in ends if end.outcome == Outcome.HELD} <= set(story.chatty)

    until("a mail opened no record", lambda: requested(system).keys() >= set(story.opening))
    until("an answer is no post", lambda: posted(system).keys() >= story.answers.keys())
    records = requested(system)
    assert posted(system) == {answer: records[opened].thread for answer, opened in story.answers.items()}

    told = [answer.strip("<>").partition("@")[0] for answer, it in story.answers.items() if it == story.opened[0]]
    until("the boss is not told of all", lambda: len(words_for(sink, BOSS)) >= len(told))
    assert sorted(words_for(sink, BOSS)) == sorted(told)
    until(
        "not all that was sent is reported",
        lambda: len([e for e in system.events("notification.updated") if isinstance(e, NotificationSent)]) == len(told),
    )
    assert len([m for m in sink.messages if CHATTY in m.rcpt_tos]) == 1, "one notice (L8)"


def words_for(sink: SmtpSink, recipient: str) -> list[str]:
    """Which answers reached somebody, by their numbers."""
    found = (re.search(rb"Answer (\d+)", m.content) for m in sink.messages if recipient in m.rcpt_tos)
    return [match[1].decode() if match else "" for match in found]
