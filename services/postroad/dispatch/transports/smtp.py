"""SMTP out: a lane of pooled sessions for each server (O11), one transaction for each recipient (O8)."""

import asyncio

from postroad.dispatch.attempt import Answer, Plan, Step
from postroad.dispatch.transports.lane import Lane
from postroad.dispatch.transports.login import Secret
from postroad.dispatch.transports.session import Ended, Session, Timeouts
from postroad.runtime.observe import metrics
from postroad.stage import Clock
from postroad_schemas.directory import Smarthost


class SmtpTransport:
    """Sends composed messages. `hostname` is how we greet; `secret` resolves the references of credentials."""

    def __init__(
        self,
        hostname: str,
        secret: Secret,
        clock: Clock,
        timeouts: Timeouts | None = None,
        idle: float = 30.0,
    ) -> None:
        self._hostname, self._secret, self._clock = hostname, secret, clock
        self._timeouts, self._idle = timeouts or Timeouts(), idle
        self._lanes: dict[str, Lane] = {}

    async def send(self, plan: Plan, message: bytes, *, last: bool = False) -> Answer:
        """What the server said, or why it could not be asked. Never raises for an outcome of mail.

        `last`: no other attempt may follow, so that it is made even where its destination is left alone for now.
        """
        metrics.LANE_MESSAGES.add(1, plan.server.name)
        try:
            reply = await self._lane(plan.server).send(plan, message, last)
        except Ended as ended:
            return Answer(ended.reply, ended.step, self._clock(), ended.failure, ended.status)
        finally:
            metrics.LANE_MESSAGES.add(-1, plan.server.name)
        return Answer(reply, Step.BODY, self._clock())

    def _lane(self, server: Smarthost) -> Lane:
        """The server's lane; a new one when its row has changed."""
        lane = self._lanes.get(server.name)
        if lane is None or (lane.server is not server and lane.server != server):
            if lane is not None:
                lane.retire()
            lane = Lane(server, lambda: self._session(server), self._clock, self._idle)
            self._lanes[server.name] = lane
        return lane

    def _session(self, server: Smarthost) -> Session:
        return Session(server, self._hostname, self._secret, self._timeouts)

    async def close(self) -> None:
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))
