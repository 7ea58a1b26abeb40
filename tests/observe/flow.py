"""The whole system on one machine, observed, with mail of every kind going through it."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from postroad.cli.up import workers
from postroad.ingest.doors.smtp import SmtpDoor
from postroad.runtime.config import Config, Log, Metrics, Relay, Smtp, Store
from postroad.runtime.embedded import Embedded
from postroad.runtime.objects import open_store
from postroad.runtime.observe.observer import UP, Observer
from postroad.runtime.observe.store import TimedStore
from postroad.runtime.signing import sign_with_own_key
from postroad.stage import Descent
from postroad.tour.letters import CUSTOMER, DIRECTORY, DOMAIN, MARY, PAUL, delivery_report, letter
from postroad.views.declared import declared
from postroad_schemas import Record, event_id
from postroad_schemas.address import AddressBarred
from postroad_schemas.chatter import ChatterPosted, ThreadFollowed
from postroad_schemas.directory import RowProposed
from postroad_schemas.outbound import FeedbackReported
from postroad_schemas.values import Author, Contents, Follower, Post
from tests.support.smtp_sink import SmtpSink

GONE, BUSY = "gone@customer.example", "busy@customer.example"
SCRIPT = {GONE: "550 5.1.1 no such user", BUSY: "451 4.2.1 try later"}
LIMIT = 3  # of mails by one author


class Flow:
    """Rounds of mail. Each has its own authors, so that budgets are used up once a round."""

    def __init__(self, embedded: Embedded, sink: SmtpSink, port: int) -> None:
        self.embedded = embedded
        self.metrics_port = port
        self.loop = asyncio.get_running_loop()
        self._sink = sink
        self._round = 0

    async def declare(self) -> None:
        document = {**DIRECTORY, "parameters": {"mail.gateway.loop.threshold": LIMIT}}
        found = declared(document)
        rows = [
            RowProposed(**self._event("row", str(number)), row=row, by="test") for number, row in enumerate(found.rows)
        ]
        await self.embedded.publish([*rows, *found.contacts])
        await self.embedded.idle()

    async def round(self) -> None:
        """A new record, a duplicate, a flood, a refusal; a post to good, bad and busy recipients; a bounce, a
        complaint, an order to blacklist, and a record that nobody can read.
        """
        self._round += 1
        author = f"author{self._round}@customer.example"
        first = letter(author, f"sales@{DOMAIN}", "Chairs", "How much?\n")
        await self._send(author, f"sales@{DOMAIN}", first.as_bytes(), first.as_bytes())
        flood = [letter(author, f"sales@{DOMAIN}", f"More {n}", f"And {n}?\n").as_bytes() for n in range(LIMIT + 1)]
        await self._send(author, f"sales@{DOMAIN}", *flood)
        await self._send(
            PAUL, f"catchall@{DOMAIN}", letter(PAUL, f"catchall@{DOMAIN}", "Lunch", "At one?\n").as_bytes()
        )
        await self._send(author, f"nobody@{DOMAIN}", first.as_bytes())
        await self._post()
        await self._come_back()
        await self.embedded.append([Record("mail.received", b"<junk>", b"no event")])
        await self.embedded.idle()

    async def _post(self) -> None:
        thread, followers = f"crm.lead/{self._round}", (CUSTOMER, MARY, GONE, BUSY)
        post = Post(author=Author(address=PAUL, contact="2"), contents=Contents(text="Forty each.\n"))
        await self.embedded.publish(
            [
                ThreadFollowed(
                    **self._event("follow"),
                    thread=thread,
                    followers=tuple(Follower(address=address) for address in followers),
                ),
                ChatterPosted(**self._event("post"), thread=thread, post=post),
            ]
        )
        await self.embedded.idle()

    async def _come_back(self) -> None:
        sent = next(it for it in reversed(self._sink.messages) if it.rcpt_tos == (CUSTOMER,))
        await self._send("", sent.mail_from, delivery_report(CUSTOMER, sent.mail_from, sent.content).as_bytes())
        await self.embedded.publish(
            [
                FeedbackReported(**self._event("complaint"), notification_id=f"complaint{self._round}"),
                AddressBarred(**self._event("bar"), address=f"unwanted{self._round}@customer.example", by="test"),
            ]
        )

    async def _send(self, sender: str, recipient: str, *mails: bytes) -> None:
        [door] = [door for door in self.embedded.doors if isinstance(door, SmtpDoor)]

        def talk() -> None:
            with smtplib.SMTP("127.0.0.1", door.port, timeout=60) as client:
                for mail in mails:
                    with suppress(smtplib.SMTPRecipientsRefused):
                        client.sendmail(sender, [recipient], mail)

        await asyncio.to_thread(talk)

    def _event(self, *step: str) -> Descent:
        identity = event_id("flow", str(self._round), *step)
        return {"event_id": identity, "trace_id": identity, "occurred_at": datetime.now(UTC), "cause_id": ""}


@asynccontextmanager
async def flowing(folder: Path, port: int) -> AsyncIterator[Flow]:
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(SmtpSink(rcpt=SCRIPT))
        config = Config(
            store=Store(url=f"file:{folder}/objects"),
            log=Log(path=f"{folder}/log.sqlite"),
            smtp=Smtp(port=0, hostname="mx.example.com"),
            relay=Relay(host=sink.host, port=sink.port),
            metrics=Metrics(port=port),
        )
        store = TimedStore(open_store(config.store.url))
        embedded = Embedded(Path(config.log.path), workers(config), store, config)
        observer = await stack.enter_async_context(Observer(UP, config.metrics, every=0.2))
        await embedded.start()
        stack.push_async_callback(embedded.stop)
        await sign_with_own_key(embedded.tools, folder)
        observer.look_at(embedded.readers, embedded.views, held=embedded.held)
        observer.ready_when({})
        flow = Flow(embedded, sink, observer.port)
        await flow.declare()
        yield flow
