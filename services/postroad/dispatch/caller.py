"""The call in the middle of dispatch: has the message composed and signed, and hands it to the server."""

import socket
from dataclasses import replace

import msgspec

from postroad.dispatch.attempt import Answer, Attempt, Plan, Step
from postroad.dispatch.judge import is_last, policy
from postroad.dispatch.links import link_maker, too_big, with_advice
from postroad.dispatch.message import Composer, Uncomposed
from postroad.dispatch.signing import Signer
from postroad.dispatch.transports import TRANSPORTS
from postroad.dispatch.transports.session import Timeouts
from postroad.runtime.config import Relay, secret
from postroad.runtime.worker import Tools
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Reply


class SmtpCaller:
    """Answers every attempt; what it cannot do is an answer too, with the step that failed."""

    def __init__(self, tools: Tools, timeouts: Timeouts | None = None) -> None:
        self._tools = tools
        hostname = tools.config.smtp.hostname or socket.gethostname()
        self._transport = TRANSPORTS["smtp"](hostname, secret, tools.clock, timeouts)
        self._composer = Composer(tools.views, tools.store.get, Signer(secret))

    async def __call__(self, request: Attempt) -> Answer:
        try:
            return await self._sent(request)
        except Uncomposed as error:
            return Answer(Reply(text=error.why), Step.CONTENTS, self._tools.clock(), error.failure, error.status)

    async def _sent(self, request: Attempt) -> Answer:
        """O14: a message that is too large for the server goes again with links for attachments."""
        plan, submission = reachable(request.plan, self._tools.config.relay), request.submission
        final = self._is_last(request)
        message, _, smaller = await self._composer.version(submission, plan)
        answer = await self._transport.send(plan, message, last=final)
        while smaller and too_big(answer):
            message, _, smaller = await self._composer.version(submission, plan, smaller)
            answer = await self._transport.send(plan, message, last=final)
        attached, views = submission.contents.attachments, self._tools.views
        if attached and too_big(answer) and not link_maker(views, submission.occurred_at):
            return replace(answer, reply=with_advice(answer.reply, views))
        return answer

    def _is_last(self, request: Attempt) -> bool:
        """The last attempt is made whatever pauses (O8)."""
        now, retry = self._tools.clock(), policy(self._tools.views.directory)
        return is_last(request.submission.event_id, request.number, request.first_attempt_at or now, now, retry)

    async def close(self) -> None:
        await self._transport.close()


def reachable(plan: Plan, relay: Relay) -> Plan:
    """The built-in server is where this process's own configuration says (O5)."""
    if not plan.built_in:
        return plan
    here = built_in_server(relay)
    where = {name: getattr(here, name) for name in Relay.__struct_fields__}
    return replace(plan, server=msgspec.structs.replace(plan.server, **where))


def built_in_server(relay: Relay) -> Smarthost:
    """The relay of `postroad.toml` as a server's row (O5)."""
    return Smarthost(
        name="default",
        host=relay.host,
        port=relay.port,
        security=relay.security,
        verify=relay.verify,
        ca_file=relay.ca_file,
        credentials=relay.credentials,
        provider=relay.provider,
    )
