"""A copy of a post as it would go out now: planned, composed and signed by dispatch's own code. Nothing is sent."""

from collections.abc import Iterator, Sequence

import msgspec

from postroad.dispatch.attempt import Plan, as_planned
from postroad.dispatch.bulk import as_list_mail
from postroad.dispatch.links import size
from postroad.dispatch.message import Composer, Uncomposed
from postroad.dispatch.plan import notification_of, plan
from postroad.dispatch.reports import shown
from postroad.dispatch.signing import NoKey, Signer, keys_for
from postroad.mail.compose import header
from postroad.mail.html_text import html_to_text
from postroad.mail.parse import read
from postroad.runtime.config import secret
from postroad.runtime.worker import ObjectStore
from postroad.views import Views
from postroad_schemas.directory import DkimKey, Smarthost
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Attachment, Contents

LINES = 12
"""How many of the words are shown."""


class Enclosed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a copy."""

    name: str
    media_type: str
    size: int  # octets
    linked: bool = False  # O14: a link in the words stands for it


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy as it would go out; or why it would not."""

    recipient: str
    server: str = ""
    rule: str = ""  # the step of O1
    from_before: str = ""  # O2
    from_after: str = ""
    envelope_from: str = ""  # O4
    reply_to: str = ""
    header: str = ""  # fields of the message, those of its content aside
    text: str = ""  # its words as they stand in it, without HTML
    files: tuple[Enclosed, ...] = ()
    size: int = 0  # octets of the whole message
    signed: tuple[str, ...] = ()  # O13: d=, s= and a= of each signature
    unsigned: tuple[str, ...] = ()  # why the signature of a declared key is missing here
    unsendable: str = ""  # O6, O9
    uncomposed: str = ""  # why there is no message


class Previewer:
    """Does what dispatch does up to the connection, with the keys that can be read from here.

    The message is the one that a server is offered first: what it would say is not known.
    """

    def __init__(self, views: Views, relay: Smarthost, store: ObjectStore) -> None:
        self._views, self._relay = views, relay
        self._signer = Signer(secret)
        self._store = store
        self._fetched: dict[str, bytes] = {}  # all copies of a post have the same words and attachments
        self._composer = Composer(views, self._fetch, self._signer)

    async def copy(self, submission: OutboundSubmitted) -> tuple[Copy, bytes]:
        """What goes out, and its bytes; empty where there are none."""
        planned = plan(submission, self._views, self._relay)
        reply_to = shown(submission.reply_to) if submission.reply_to else ""
        if not isinstance(planned, Plan):
            why = f"{planned.failure}: {planned.why}"
            return Copy(recipient=submission.recipient, reply_to=reply_to, unsendable=why), b""
        message = as_list_mail(submission, notification_of(submission), self._views)
        found = Copy(
            recipient=planned.recipient,
            server=planned.server.name,
            rule=planned.rule,
            from_before=shown(planned.from_before),
            from_after=shown(planned.from_after),
            envelope_from=planned.envelope_from,
            reply_to=reply_to,
            header=_text(header(as_planned(message, planned), planned.from_after, message.occurred_at)),
        )
        keys, missing = self._keys(planned)
        try:
            version = await self._composer.version(message, planned, keys=keys)
        except Uncomposed as error:
            return msgspec.structs.replace(found, uncomposed=error.why), b""
        with_message = msgspec.structs.replace(
            found,
            text=_words(version.message),
            files=tuple(_enclosed(submission.contents, version.left_out)),
            size=len(version.message),
            signed=tuple(f"d={key.domain} s={key.selector} a={key.algorithm}" for key in keys),
            unsigned=tuple(missing),
        )
        return with_message, version.message

    async def _fetch(self, ref: str) -> bytes:
        if ref not in self._fetched:
            self._fetched[ref] = await self._store.get(ref)
        return self._fetched[ref]

    def _keys(self, planned: Plan) -> tuple[list[DkimKey], list[str]]:
        """Those that sign, and why the others do not from here."""
        readable: list[DkimKey] = []
        missing: list[str] = []
        for key in keys_for(self._views.directory, planned.from_after.address):
            try:
                self._signer.key(key)
                readable.append(key)
            except NoKey as error:
                missing.append(f"d={key.domain} s={key.selector}: {error}")
        return readable, missing


def _words(message: bytes) -> str:
    mail = read(message)
    return mail.text if mail.text.strip() else html_to_text(mail.html)


def _enclosed(contents: Contents, left_out: Sequence[Attachment]) -> Iterator[Enclosed]:
    for attachment in contents.attachments:
        yield Enclosed(
            name=attachment.name,
            media_type=attachment.media_type,
            size=attachment.content.size,
            linked=attachment in left_out,
        )


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace").replace("\r\n", "\n")


def told(copy: Copy) -> Iterator[str]:
    """A copy in lines for people."""
    if copy.unsendable:
        yield f"  not sent: {copy.unsendable}"
        return
    changed = "" if copy.from_before == copy.from_after else f", was {copy.from_before}"
    yield f"  by {copy.server} ({copy.rule}), From {copy.from_after}{changed}"
    yield f"  envelope from <{copy.envelope_from}> to <{copy.recipient}>"
    yield from (f"  | {field}" for field in copy.header.splitlines())
    if copy.uncomposed:
        yield f"  not composed: {copy.uncomposed}"
        return
    words = copy.text.strip("\r\n").splitlines()
    yield "  |"
    yield from (f"  | {line}".rstrip() for line in words[:LINES])
    if (left := len(words) - LINES) > 0:
        yield f"  ({left} more line{'s' if left > 1 else ''}: --raw shows the whole message)"
    for file in copy.files:
        how = "as a link" if file.linked else "attached"
        yield f"  {how}: {file.name} ({file.media_type}, {size(file.size)})"
    yield from (f"  would be signed {signature}" for signature in copy.signed)
    yield from (f"  signature missing here: {why}" for why in copy.unsigned)
    if not copy.signed and not copy.unsigned:
        yield "  would not be signed: no DKIM key signs for this From"
    yield f"  {copy.size} octets"
