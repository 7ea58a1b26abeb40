"""Ways of a composed message to a server: a file for each, and its line in TRANSPORTS."""

from collections.abc import Callable, Mapping
from typing import Protocol

from postroad.dispatch.attempt import Answer, Plan
from postroad.dispatch.transports.session import Timeouts
from postroad.dispatch.transports.smtp import SmtpTransport
from postroad.stage import Clock


class Transport(Protocol):
    async def send(self, plan: Plan, message: bytes, *, last: bool = False) -> Answer:
        """What the server said, or why it could not be asked. Never raises for an outcome of mail.

        `last`: no other attempt may follow, so that this one is made whatever speaks against it for now.
        """
        ...

    async def close(self) -> None: ...


Opened = Callable[[str, Callable[[str], bytes | None], Clock, Timeouts | None], Transport]
"""Given: how we greet, what resolves references of secrets, the clock, and the patience."""

TRANSPORTS: Mapping[str, Opened] = {"smtp": SmtpTransport}
