"""The call in the middle of dispatch: fetches the words, composes the message, hands it to the server."""

import asyncio
import socket
from dataclasses import replace

import msgspec

from postroad.dispatch.attempt import Answer, Attempt, Plan, Step
from postroad.dispatch.transports.session import Timeouts
from postroad.dispatch.transports.smtp import SmtpTransport
from postroad.mail.compose import File, compose
from postroad.runtime.config import Relay, secret
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas.directory import Smarthost
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import FailureType, ObjectRef, Reply


class SmtpCaller:
    """Answers every attempt; what it cannot do is an answer too, with the step that failed."""

    def __init__(self, tools: Tools, timeouts: Timeouts | None = None) -> None:
        self._tools = tools
        hostname = tools.config.smtp.hostname or socket.gethostname()
        self._transport = SmtpTransport(hostname, secret, tools.clock, timeouts)

    async def __call__(self, request: Attempt) -> Answer:
        try:
            message = await self._composed(request)
        except Unavailable as error:
            return self._no_contents(f"the object store is down: {error}")
        except LookupError as error:
            why = f"missing from the object store: {error}; it was deleted, or never written"
            return self._no_contents(why, FailureType.CONFIGURATION, "5.3.0")
        return await self._transport.send(self._reachable(request.plan), message)

    def _no_contents(self, why: str, failure: FailureType | None = None, status: str = "") -> Answer:
        return Answer(Reply(text=why), Step.CONTENTS, self._tools.clock(), failure, status)

    async def _composed(self, request: Attempt) -> bytes:
        """The same octets at every attempt: the date is the submission's."""
        submission, from_ = request.submission, request.plan.from_after
        text, html, files = await self._contents(submission)
        if not files:
            return compose(submission, from_, submission.occurred_at, text, html)
        return await asyncio.to_thread(compose, submission, from_, submission.occurred_at, text, html, files)

    async def _contents(self, submission: OutboundSubmitted) -> tuple[str, str, tuple[File, ...]]:
        """The full text if it is an object, else what the event itself carries."""
        contents = submission.contents
        text = await self._text(contents.text_ref, contents.text)
        html = await self._text(contents.html_ref, contents.html)
        files = [
            File(
                name=attachment.name,
                media_type=attachment.media_type,
                content=await self._tools.store.get(attachment.content.ref),
                content_id=attachment.content_id,
                inline=attachment.inline,
            )
            for attachment in contents.attachments
        ]
        return text, html, tuple(files)

    async def _text(self, ref: ObjectRef | None, otherwise: str) -> str:
        if ref is None:
            return otherwise
        return (await self._tools.store.get(ref.ref)).decode("utf-8", "replace")

    def _reachable(self, plan: Plan) -> Plan:
        """The built-in server is where this process's own configuration says (O5)."""
        if not plan.built_in:
            return plan
        here = built_in_server(self._tools.config.relay)
        where = {name: getattr(here, name) for name in Relay.__struct_fields__}
        return replace(plan, server=msgspec.structs.replace(plan.server, **where))

    async def close(self) -> None:
        await self._transport.close()


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
    )
