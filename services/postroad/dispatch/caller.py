"""The call in the middle of dispatch: fetches the words, composes and signs the message, hands it to the server."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from postroad.dispatch.attempt import Answer, Attempt, Plan, Step
from postroad.dispatch.judge import is_last, policy
from postroad.dispatch.links import Linker, Words, choices, link_maker, linked, too_big, total, with_advice
from postroad.dispatch.signing import NoKey, Prepared, Signer, keys_for
from postroad.dispatch.transports import TRANSPORTS
from postroad.dispatch.transports.session import Timeouts
from postroad.mail.compose import File, compose
from postroad.runtime.config import Relay, secret
from postroad.runtime.worker import Tools, Unavailable
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Attachment, Contents, FailureType, ObjectRef, Reply

SMALL = 64 * 1024  # characters; a larger message is made in a thread, so that others go on


class _Uncomposed(Exception):  # noqa: N818  # it is the message that is not
    """Why there is no message to send; without `failure` it may be there later."""

    def __init__(self, why: str, failure: FailureType | None = None, status: str = "") -> None:
        super().__init__(why)
        self.why, self.failure, self.status = why, failure, status


class SmtpCaller:
    """Answers every attempt; what it cannot do is an answer too, with the step that failed."""

    def __init__(self, tools: Tools, timeouts: Timeouts | None = None) -> None:
        self._tools = tools
        hostname = tools.config.smtp.hostname or socket.gethostname()
        self._transport = TRANSPORTS["smtp"](hostname, secret, tools.clock, timeouts)
        self._signer = Signer(secret)

    async def __call__(self, request: Attempt) -> Answer:
        try:
            return await self._sent(request)
        except _Uncomposed as error:
            return Answer(Reply(text=error.why), Step.CONTENTS, self._tools.clock(), error.failure, error.status)

    async def _sent(self, request: Attempt) -> Answer:
        """O14: a message that is too large for the server goes again with links for attachments."""
        plan, submission = self._reachable(request.plan), request.submission
        contents, link = submission.contents, link_maker(self._tools.views, submission.occurred_at)
        final = self._is_last(request)
        *smaller, last = choices(contents) if link else ((),)
        for left_out in smaller:
            if plan.server.size_limit and total(contents, left_out) > plan.server.size_limit:
                continue
            message = await self._message(request, left_out, link)
            if plan.server.size_limit and len(message) > plan.server.size_limit:
                continue
            answer = await self._transport.send(plan, message, last=final)
            if not too_big(answer):
                return answer
        answer = await self._transport.send(plan, await self._message(request, last, link), last=final)
        if link or not contents.attachments or not too_big(answer):
            return answer
        return replace(answer, reply=with_advice(answer.reply, self._tools.views))

    def _is_last(self, request: Attempt) -> bool:
        """The last attempt is made whatever pauses (O8)."""
        now, retry = self._tools.clock(), policy(self._tools.views.directory)
        return is_last(request.submission.event_id, request.number, request.first_attempt_at or now, now, retry)

    async def _message(self, request: Attempt, left_out: Sequence[Attachment], link: Linker | None) -> bytes:
        """The same octets at every attempt: the dates are the submission's. Raises _Uncomposed."""
        try:
            return await self._composed(request, left_out, link)
        except Unavailable as error:
            raise _Uncomposed(f"the object store is down: {error}") from error
        except LookupError as error:
            why = f"missing from the object store: {error}; it was deleted, or never written"
            raise _Uncomposed(why, FailureType.CONFIGURATION, "5.3.0") from error
        except NoKey as error:  # what an operator mends: the mail waits, it never goes out unsigned
            raise _Uncomposed(f"cannot be signed: {error}", status="4.3.5") from error

    async def _composed(self, request: Attempt, left_out: Sequence[Attachment], link: Linker | None) -> bytes:
        submission, from_ = request.submission, request.plan.from_after
        words, files = await self._contents(submission.contents, left_out)
        if link and left_out:
            words = linked(words, left_out, link)
        keys = keys_for(self._tools.views.directory, from_.address)

        def made() -> Prepared:
            message = compose(submission, from_, submission.occurred_at, words.text, words.html, files)
            return self._signer.prepared(message, keys, submission.occurred_at)

        small = not files and len(words.text) + len(words.html) <= SMALL
        prepared = made() if small else await asyncio.to_thread(made)
        return await asyncio.to_thread(prepared.signed) if prepared.slow else prepared.signed()

    async def _contents(self, contents: Contents, left_out: Sequence[Attachment]) -> tuple[Words, tuple[File, ...]]:
        """The full text if it is an object, else what the event itself carries."""
        words = Words(
            await self._text(contents.text_ref, contents.text), await self._text(contents.html_ref, contents.html)
        )
        files = [
            File(
                name=attachment.name,
                media_type=attachment.media_type,
                content=await self._tools.store.get(attachment.content.ref),
                content_id=attachment.content_id,
                inline=attachment.inline,
            )
            for attachment in contents.attachments
            if attachment not in left_out
        ]
        return words, tuple(files)

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
