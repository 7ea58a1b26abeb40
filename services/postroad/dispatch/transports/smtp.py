"""SMTP out: a lane of pooled sessions for each server (O11), one transaction for each recipient (O8)."""

import asyncio
from collections.abc import Callable

from postroad.dispatch.attempt import Answer, Plan, Step
from postroad.dispatch.transports.session import Ended, Session, Timeouts
from postroad.stage import Clock
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Reply


class SmtpTransport:
    """Sends composed messages. `hostname` is how we greet; `secret` resolves the references of credentials."""

    def __init__(
        self,
        hostname: str,
        secret: Callable[[str], bytes | None],
        clock: Clock,
        timeouts: Timeouts | None = None,
        idle: float = 30.0,
    ) -> None:
        self._hostname, self._secret, self._clock = hostname, secret, clock
        self._timeouts, self._idle = timeouts or Timeouts(), idle
        self._lanes: dict[str, Lane] = {}

    async def send(self, plan: Plan, message: bytes) -> Answer:
        """What the server said, or why it could not be asked. Never raises for an outcome of mail."""
        try:
            reply = await self._lane(plan.server).send(plan, message)
        except Ended as ended:
            return Answer(ended.reply, ended.step, self._clock(), ended.failure, ended.status)
        return Answer(reply, Step.BODY, self._clock())

    def _lane(self, server: Smarthost) -> "Lane":
        """The server's lane; a new one when its row has changed. The old one ends with what is in flight in it."""
        lane = self._lanes.get(server.name)
        if lane is None or lane.server != server:
            lane = Lane(server, lambda: Session(server, self._hostname, self._secret, self._timeouts), self._idle)
            self._lanes[server.name] = lane
        return lane

    async def close(self) -> None:
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))


class Lane:
    """The sessions with one server: so many at once, so many mails in each, so many mails a second."""

    def __init__(self, server: Smarthost, new: Callable[[], Session], idle: float) -> None:
        self.server = server
        self._new, self._idle_for = new, idle
        self._places = asyncio.Semaphore(max(1, server.connections))
        self._idle: dict[Session, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._next_at = 0.0

    async def send(self, plan: Plan, message: bytes) -> Reply:
        """Raises Ended when no session can be had or the transaction stops before its end."""
        async with self._places:
            await self._pace()
            session = await self._idle_session() or await self._new_session()
            try:
                return await session.transact(plan, message)
            finally:
                self._put_back(session)

    async def _pace(self) -> None:
        if not self.server.rate:
            return
        loop = asyncio.get_running_loop()
        at = max(loop.time(), self._next_at)
        self._next_at = at + 1 / self.server.rate
        await asyncio.sleep(at - loop.time())

    async def _idle_session(self) -> Session | None:
        """One that is still there: a server may close an idle connection at any time, which is no failure."""
        while self._idle:
            session, timer = self._idle.popitem()
            timer.cancel()
            if session.is_open and await session.reset():
                return session
            session.close()
        return None

    async def _new_session(self) -> Session:
        session = self._new()
        await session.open()
        return session

    def _put_back(self, session: Session) -> None:
        if not session.is_open:
            return
        if session.transactions >= max(1, self.server.mails_per_connection):
            self._leave(session)
        else:
            timer = asyncio.get_running_loop().call_later(self._idle_for, self._leave, session)
            self._idle[session] = timer

    def _leave(self, session: Session) -> None:
        self._idle.pop(session, None)
        task = asyncio.get_running_loop().create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        for session, timer in tuple(self._idle.items()):
            timer.cancel()
            self._leave(session)
        await asyncio.gather(*self._leaving)
