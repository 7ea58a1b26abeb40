"""The steps of the tour. Each sends a real mail, waits for what must follow, and says where to look."""

import asyncio
import smtplib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import Message
from typing import Any, Protocol, TypeVar

from postroad.ingest.doors.sink import Sink, Sunk
from postroad.stage import Emission
from postroad.story.sentences import sentence
from postroad.story.trace import story
from postroad.tour.letters import CUSTOMER, DOMAIN, MARY, PAUL, delivery_report, letter
from postroad_schemas import event_id
from postroad_schemas.chatter import ChatterPosted, NotificationFailed, RecordRequested, ThreadFollowed
from postroad_schemas.message import MessageSettled, Outcome
from postroad_schemas.values import Author, Contents, Follower, Post

E = TypeVar("E")
PATIENCE = 5.0  # seconds in which a step must have happened


class DidNotHappen(Exception):  # noqa: N818  # what is told when a step fails
    """A step of the tour did not do what it must."""


class System(Protocol):
    """The running pipeline, as the tour uses it."""

    async def publish(self, emissions: list[Emission]) -> None: ...

    def seen(self) -> Iterator[tuple[str, Any]]:
        """Everything on the log, with its topic."""
        ...


class Tour:
    def __init__(self, system: System, sink: Sink, port: int, tell: Callable[[str], None]) -> None:
        self.system, self.sink, self.port, self.tell = system, sink, port, tell
        self.thread = ""
        self.reply = ""  # Message-ID of the customer's answer

    async def run(self) -> None:
        """Raises DidNotHappen at the first step that did not."""
        for number, step in enumerate(STEPS, 1):
            title = (step.__doc__ or "").strip()
            self.tell(f"\n[bold]{number}. {title}[/bold]")
            try:
                await step(self)
            except DidNotHappen as error:
                raise DidNotHappen(f"step {number}, {title}: {error}") from error
            except (smtplib.SMTPException, OSError) as error:
                raise DidNotHappen(f"step {number}, {title}: the SMTP session ended with {error}") from error

    async def send(self, mail_from: str, rcpt_to: str, mail: Message) -> None:
        """Over real SMTP; raises if it is not accepted."""

        def talk() -> None:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE) as client:
                client.send_message(mail, mail_from, [rcpt_to])

        await asyncio.to_thread(talk)

    async def find(self, what: str, choose: Callable[[], E | None]) -> E:
        """What `choose` finds, as soon as it does. Raises DidNotHappen after 5 seconds."""
        for _ in range(int(PATIENCE / 0.02)):
            found = choose()
            if found is not None:
                return found
            await asyncio.sleep(0.02)
        raise DidNotHappen(what)

    async def event(self, kind: type[E], what: str, fits: Callable[[E], bool] = lambda _: True) -> E:
        def choose() -> E | None:
            return next((e for _, e in self.system.seen() if isinstance(e, kind) and fits(e)), None)

        return await self.find(what, choose)

    async def arrived(self, what: str, fits: Callable[[Sunk], bool]) -> Sunk:
        return await self.find(what, lambda: next((mail for mail in self.sink.mails if fits(mail)), None))

    async def settled(self, mail: Message, outcome: Outcome) -> MessageSettled:
        wanted = str(mail["Message-ID"])
        found = await self.event(MessageSettled, f"no outcome for {mail['Subject']!r}", lambda e: e.settled == wanted)
        if found.outcome != outcome:
            raise DidNotHappen(f"{mail['Subject']!r} was to be {outcome}, and is {found.outcome} by {found.rule}")
        return found


async def a_lead_is_opened(tour: Tour) -> None:
    """A customer writes to sales: a lead is opened"""
    mail = letter(f"Anna Brook <{CUSTOMER}>", f"sales@{DOMAIN}", "Two hundred chairs", "What would they cost?\n")
    await tour.send(CUSTOMER, f"sales@{DOMAIN}", mail)
    opened = await tour.event(RecordRequested, "no record was requested")
    settled = await tour.settled(mail, Outcome.DELIVERED)
    tour.thread = opened.thread
    tour.tell(
        f"   your application reads record.requested: a {opened.record_type}, {opened.title!r}, thread {opened.thread}"
    )
    tour.tell(f"   decided by rule {settled.rule}: {settled.why}")


async def a_post_reaches_the_followers(tour: Tour) -> None:
    """Mary and Paul follow it, Mary posts: the others get mail under the default From"""
    now = datetime.now(UTC)
    ids = [event_id("tour", step) for step in ("follow", "post")]
    followers = (Follower(contact="1"), Follower(contact="2"), Follower(contact="3"))
    post = Post(
        author=Author(address=MARY, contact="1"), contents=Contents(text="Forty each. When do you need them?\n")
    )
    await tour.system.publish(
        [
            ThreadFollowed(event_id=ids[0], trace_id=ids[0], occurred_at=now, thread=tour.thread, followers=followers),
            ChatterPosted(event_id=ids[1], trace_id=ids[1], occurred_at=now, thread=tour.thread, post=post),
        ]
    )
    got = await tour.arrived("the customer got no mail", lambda m: m.rcpt_to == (CUSTOMER,))
    await tour.arrived("Paul got no mail", lambda m: m.rcpt_to == (PAUL,))
    if any(m.rcpt_to == (MARY,) for m in tour.sink.mails):
        raise DidNotHappen("Mary was mailed her own post")
    for name in ("From", "Reply-To"):
        tour.tell(f"   {name}: {got.field(name)}")
    tour.tell(f"   Return-Path: <{got.mail_from}>, so that a bounce says whose message failed")


async def a_reply_lands_on_its_thread(tour: Tour) -> None:
    """The customer answers: it lands on the same thread"""
    got = await tour.arrived("the customer got no mail", lambda m: m.rcpt_to == (CUSTOMER,))
    to = got.field("Reply-To")
    mail = letter(CUSTOMER, to, "Re: Two hundred chairs", "By May.\n", In_Reply_To=got.field("Message-ID"))
    await tour.send(CUSTOMER, to.rpartition("<")[2].rstrip(">"), mail)
    settled = await tour.settled(mail, Outcome.DELIVERED)
    tour.reply = wanted = str(mail["Message-ID"])
    posted = await tour.event(ChatterPosted, "the reply was not posted", lambda e: e.post.message_id == wanted)
    if posted.thread != tour.thread:
        raise DidNotHappen(f"the reply landed on {posted.thread}, not on {tour.thread}")
    await tour.arrived("Mary was not told of the reply", lambda m: m.rcpt_to == (MARY,))
    tour.tell(f"   posted on {posted.thread} by rule {settled.rule}, and relayed to Mary and Paul")


async def a_mail_to_catchall_is_refused(tour: Tour) -> None:
    """A colleague writes to catchall itself: refused, and told so once"""
    mail = letter(PAUL, f"catchall@{DOMAIN}", "Lunch?", "At noon?\n")
    await tour.send(PAUL, f"catchall@{DOMAIN}", mail)
    settled = await tour.settled(mail, Outcome.REFUSED)
    notice = await tour.arrived("Paul got no notice", lambda m: m.rcpt_to == (PAUL,) and not m.mail_from)
    tour.tell(f"   refused by rule {settled.rule}; the notice: {notice.field('Subject')!r} from {notice.field('From')}")


async def an_auto_responder_is_cut_off(tour: Tour) -> None:
    """An auto-responder answers the notice: cut off, no answer to an answer"""
    notice = await tour.arrived("Paul got no notice", lambda m: m.rcpt_to == (PAUL,) and not m.mail_from)
    told = len(tour.sink.mails)
    mail = letter(
        PAUL,
        f"catchall@{DOMAIN}",
        "Out of office",
        "I am away.\n",
        In_Reply_To=notice.field("Message-ID"),
        Auto_Submitted="auto-replied",
    )
    await tour.send("", f"catchall@{DOMAIN}", mail)
    settled = await tour.settled(mail, Outcome.ANSWER_TO_NOTICE)
    await asyncio.sleep(0.1)
    if len(tour.sink.mails) != told:
        raise DidNotHappen("the auto-responder was answered")
    tour.tell(f"   dropped by rule {settled.rule}: {settled.why}")


async def a_bounce_turns_into_a_red_envelope(tour: Tour) -> None:
    """The customer's server reports a failure: Mary sees a red envelope"""
    got = await tour.arrived("the customer got no mail", lambda m: m.rcpt_to == (CUSTOMER,))
    report = delivery_report(CUSTOMER, got.mail_from, got.raw)
    await tour.send("", got.mail_from, report)
    await tour.settled(report, Outcome.REPORT)
    failed = await tour.event(NotificationFailed, "no red envelope")
    if failed.thread != tour.thread:
        raise DidNotHappen(f"the red envelope is on {failed.thread}")
    tour.tell(f"   notification.failed on {failed.thread}: {failed.recipient}, {failed.status}, {failed.diagnostic!r}")


async def the_trace_explains_it(tour: Tour) -> None:
    """Why did the answer land there? As `postroad trace MESSAGE-ID` tells it"""
    told = story(tour.system.seen(), tour.reply)
    if not told:
        raise DidNotHappen("the log tells no story of the reply")
    for line in told:
        if line.topic != "address.observed":
            tour.tell(f"   {'  ' * min(line.depth, 6)}{line.topic}: {sentence(line.event)}")


STEPS = (
    a_lead_is_opened,
    a_post_reaches_the_followers,
    a_reply_lands_on_its_thread,
    a_mail_to_catchall_is_refused,
    an_auto_responder_is_cut_off,
    a_bounce_turns_into_a_red_envelope,
    the_trace_explains_it,
)
