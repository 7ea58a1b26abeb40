"""The sessions with one server (O11): so many at once, so many mails in each, so many mails a second."""

import asyncio
import re
from collections import deque
from collections.abc import Callable

from postroad.dispatch.attempt import Answer, Plan, Step
from postroad.dispatch.judge import status_of
from postroad.dispatch.transports.pauses import DESTINATION, SERVER, Pauses
from postroad.dispatch.transports.session import Ended, Gone, Session
from postroad.mail.status import parse_status
from postroad.runtime.observe import metrics
from postroad.stage import Clock
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import FailureType, Reply

_OF_THE_DESTINATION = (Step.RCPT, Step.DATA, Step.BODY)  # what is said to MAIL is about us
_ABOUT_A_PAIR = re.compile(r"gr[ae]y-?\s?list", re.IGNORECASE)
_ABOUT_ONE = (1, 2)  # RFC 3463 3.2, 3.3: subjects that are one address or one mailbox


class Lane:
    """Calls wait for a place in it. A server or a destination that puts everything off is left alone meanwhile."""

    def __init__(self, server: Smarthost, new: Callable[[], Session], clock: Clock, idle: float) -> None:
        self.server = server
        self._new, self._clock, self._idle_for = new, clock, idle
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(max(1, server.connections))
        self._idle: deque[tuple[float, Session]] = deque()  # since when; the one that was used last is at the right
        self._sweeper: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._retired = False
        self._next_at = 0.0
        self._here, self._destinations = Pauses(SERVER), Pauses(DESTINATION)

    async def send(self, plan: Plan, message: bytes, last: bool) -> Reply:
        """Raises Ended when no session can be had or the transaction stops before its end."""
        domain = plan.recipient.rpartition("@")[2].lower()
        async with self._places:
            if not last and (streak := self._destinations.ask(domain, self._clock())):
                words = f"{domain} deferred the last {streak.length} messages, the last one with: {streak.words}"
                raise Ended(Step.RCPT, Reply(text=f"not tried: {words}"), None, streak.status)
            step, reply, failure = Step.CONNECT, Reply(), None
            try:
                reply = await self._send(plan, message, last)
                step = Step.BODY
            except Ended as ended:
                step, reply, failure = ended.step, ended.reply, ended.failure
                raise
            finally:
                self._book(domain, step, reply, failure)
            return reply

    def _book(self, domain: str, step: Step, reply: Reply, failure: FailureType | None) -> None:
        """What the destination itself said, or did. Its words about one address alone tell nothing of the others."""
        answer = Answer(reply, step, self._clock(), failure)
        if failure is not None or step not in _OF_THE_DESTINATION or _about_one(answer):
            self._destinations.not_asked(domain)
        elif reply.code // 100 in (0, 4):
            self._destinations.put_off(domain, _words(reply), status_of(answer), answer.at)
        else:
            self._destinations.answered(domain)

    async def _send(self, plan: Plan, message: bytes, last: bool) -> Reply:
        if self.server.rate:
            await self._pace()
        while session := self._idle_session():
            try:
                return await session.transact(plan, message)
            except Gone:
                continue
            finally:
                self._put_back(session)
        session = await self._new_session(last)
        try:
            return await session.transact(plan, message)
        finally:
            self._put_back(session)

    async def _pace(self) -> None:
        at = max(self._loop.time(), self._next_at)
        self._next_at = at + 1 / self.server.rate
        await asyncio.sleep(at - self._loop.time())

    def _idle_session(self) -> Session | None:
        while self._idle:
            _, session = self._idle.pop()
            if session.is_open:
                return session
        return None

    async def _new_session(self, last: bool) -> Session:
        """Not of a server that could not be had the last times: nobody waits for its time-outs then."""
        name = self.server.name
        if not last and (streak := self._here.ask(name, self._clock())):
            metrics.LANE_PAUSED.set(1, name)
            words = f"{name} could not be had the last {streak.length} times, the last one with: {streak.words}"
            raise Ended(Step.CONNECT, Reply(text=f"not tried: {words}"), None, streak.status)
        session = self._new()
        try:
            await session.open()
        except Ended as ended:
            answer = Answer(ended.reply, ended.step, self._clock(), ended.failure, ended.status)
            if ended.failure is None and ended.reply.code // 100 in (0, 4):
                self._here.put_off(name, _words(ended.reply), status_of(answer), answer.at)
            raise
        else:
            self._here.answered(name)
            metrics.LANE_PAUSED.set(0, name)
            return session
        finally:
            self._here.not_asked(name)

    def _put_back(self, session: Session) -> None:
        if not session.is_open:
            return
        if self._retired or session.transactions >= max(1, self.server.mails_per_connection):
            self._leave(session)
            return
        self._idle.append((self._loop.time(), session))
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._idle_for, self._sweep)

    def _sweep(self) -> None:
        """One timer for all of them: the longest idle is at the left."""
        self._sweeper, now = None, self._loop.time()
        while self._idle and self._idle[0][0] + self._idle_for <= now:
            self._leave(self._idle.popleft()[1])
        if self._idle:
            self._sweeper = self._loop.call_at(self._idle[0][0] + self._idle_for, self._sweep)

    def _leave(self, session: Session) -> None:
        task = self._loop.create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def retire(self) -> None:
        """Ends with what is in flight in it."""
        self._retired = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._idle:
            self._leave(self._idle.pop()[1])

    async def close(self) -> None:
        self.retire()
        await asyncio.gather(*self._leaving)


def _about_one(answer: Answer) -> bool:
    """Putting off one mailbox, or one sender's first message to it."""
    if answer.reply.code // 100 != 4:
        return False
    status = parse_status(answer.reply.text)
    return (status is not None and status.subject in _ABOUT_ONE) or bool(_ABOUT_A_PAIR.search(answer.reply.text))


def _words(reply: Reply) -> str:
    return f"{reply.code} {reply.text}"[:200] if reply.code else reply.text[:200]
