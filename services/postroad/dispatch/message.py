"""A submission as the bytes that go out: words and attachments fetched, composed, signed (O13, O14).

The same submission gives the same octets at every attempt, and to who looks at it beforehand: its dates are the
submission's, its boundaries follow from its Message-ID.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

from postroad.dispatch.attempt import Plan, as_planned
from postroad.dispatch.links import Linker, Words, choices, link_maker, linked, total
from postroad.dispatch.signing import NoKey, Prepared, Signer, keys_for
from postroad.mail.compose import File, compose
from postroad.runtime.worker import Unavailable
from postroad.views import Views
from postroad_schemas.directory import DkimKey
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Attachment, Contents, FailureType, ObjectRef

SMALL = 64 * 1024  # characters; a larger message is made in a thread, so that others go on

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Gives an object of the store. Raises LookupError, Unavailable."""


class Uncomposed(Exception):  # noqa: N818  # it is the message that is not
    """Why there is no message to send; without `failure` it may be there later."""

    def __init__(self, why: str, failure: FailureType | None = None, status: str = "") -> None:
        super().__init__(why)
        self.why, self.failure, self.status = why, failure, status


class Version(NamedTuple):
    """A message as it can go out."""

    message: bytes
    left_out: Sequence[Attachment]  # links stand for them (O14)
    smaller: int  # the number of the next one that has more links; 0: there is none


class Composer:
    """Makes messages of submissions."""

    def __init__(self, views: Views, fetch: Fetch, signer: Signer) -> None:
        self._views, self._fetch, self._signer = views, fetch, signer

    async def version(
        self, submission: OutboundSubmitted, plan: Plan, number: int = 0, keys: Sequence[DkimKey] | None = None
    ) -> Version:
        """The message as the row of its server has room for it, with as few links as that takes, else with all.

        `number`: where to begin once the server found it too large all the same, a `Version.smaller`. `keys`: those
        that sign, by default all that sign for its From (O13). Raises Uncomposed.
        """
        contents, limit = submission.contents, plan.server.size_limit
        link = link_maker(self._views, submission.occurred_at)
        signing = keys_for(self._views.directory, plan.from_after.address) if keys is None else keys
        *larger, last = choices(contents)[number:] if link else ((),)
        for following, left_out in enumerate(larger, number + 1):
            if limit and total(contents, left_out) > limit:
                continue
            message = await self._made(submission, plan, signing, left_out, link)
            if not limit or len(message) <= limit:
                return Version(message, left_out, following)
        return Version(await self._made(submission, plan, signing, last, link), last, 0)

    async def _made(
        self,
        submission: OutboundSubmitted,
        plan: Plan,
        keys: Sequence[DkimKey],
        left_out: Sequence[Attachment],
        link: Linker | None,
    ) -> bytes:
        with _told():
            words, files = await self._contents(submission.contents, left_out)
            if link and left_out:
                words = linked(words, left_out, link)

            def made() -> Prepared:
                said = as_planned(submission, plan)
                message = compose(said, plan.from_after, submission.occurred_at, words.text, words.html, files)
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
                content=await self._fetch(attachment.content.ref),
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
        return (await self._fetch(ref.ref)).decode("utf-8", "replace")


@contextmanager
def _told() -> Iterator[None]:
    """What keeps a message from being made, as Uncomposed."""
    try:
        yield
    except Unavailable as error:
        raise Uncomposed(f"the object store is down: {error}") from error
    except LookupError as error:
        raise Uncomposed(f"a part is missing: {error}", FailureType.CONFIGURATION, "5.3.0") from error
    except NoKey as error:  # what an operator mends: the mail waits, it never goes out unsigned
        raise Uncomposed(f"cannot be signed: {error}", status="4.3.5") from error
