"""`postroad pipe`: one mail from a mail server, on standard input (I1)."""

import asyncio
import os
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import cyclopts
from cyclopts import Parameter

from postroad.cli.main import complain
from postroad.cli.options import Bootstrap, Settings, settings_of
from postroad.cli.within import within
from postroad.ingest.accept import Origin, accept
from postroad.ingest.doors.envelope import envelope
from postroad.runtime.config import Config
from postroad.runtime.objects import open_store
from postroad.runtime.reach import reach, rows
from postroad.runtime.worker import ObjectStore, Tools, Unavailable
from postroad.stage import Emission
from postroad.views import Views
from postroad_schemas.mail import Door
from postroad_schemas.values import Envelope

R = TypeVar("R")

MailFrom = Annotated[
    str | None,
    Parameter(
        name=["--mail-from", "-f"],
        allow_leading_hyphen=True,  # an address is no option, whatever its sender makes it look like
        help="The reverse-path; empty is the null one. By default Return-Path.",
    ),
]
RcptTo = Annotated[
    tuple[str, ...],
    Parameter(name="--rcpt-to", negative="", allow_leading_hyphen=True, help="A recipient; again for the next."),
]

app = cyclopts.App(
    name="pipe",
    help="""Take one mail in from standard input, as a mail server hands it over.

    Exit codes of sysexits: 0 accepted, 75 not now (the server tries again), 65 empty or too large, 64 wrong usage.
    In master.cf of Postfix: `postroad unix - n n - - pipe flags=q user=postroad argv=postroad pipe --config
    /etc/postroad.toml -f ${sender} -- ${recipient}`. That user must be able to write the log and the objects.""",
)


class NoMail(ValueError):  # noqa: N818  # an answer, not a fault
    """What came on standard input cannot be accepted, now or later."""


@app.default
def pipe(
    *recipients: str, mail_from: MailFrom = None, rcpt_to: RcptTo = (), kafka: Bootstrap = "", config: Settings = None
) -> int:
    """Take one mail in. Whatever is wrong on our side is 75: a mail server returns a mail for any other code.

    Parameters
    ----------
    recipients
        As --rcpt-to. Without any, the mail's own fields say whom it is for.
    """
    try:
        value = envelope(mail_from, (*rcpt_to, *recipients))
    except ValueError as error:
        return complain(str(error), os.EX_USAGE)
    try:
        asyncio.run(_take(settings_of(config, kafka), value))
    except NoMail as error:
        return complain(str(error), os.EX_DATAERR)
    except Exception as error:  # a slip in the settings, too, must not return mails
        words = str(error) if isinstance(error, Unavailable | ValueError) else f"{type(error).__name__}: {error}"
        return complain(f"not accepted now: {words}", os.EX_TEMPFAIL)
    return os.EX_OK


async def _take(settings: Config, value: Envelope) -> None:
    """Returns once it is accepted. Raises NoMail, Unavailable, ValueError for settings that cannot be used."""
    first = sys.stdin.buffer.read(1)
    if not first:
        raise NoMail("there is no mail on standard input")
    store, reached, views, patience = _store(settings), reach(settings), Views(), 2 * settings.kafka.request
    for key, row in (await _within(patience, lambda: rows(reached, "directory"))).items():
        views.apply("directory", key, row)

    async def publish(emissions: Sequence[Emission]) -> None:
        await _within(patience, lambda: reached.publish(emissions))

    tools = Tools(publish, views, store, lambda: datetime.now(UTC), settings)
    raw = _read(first, views.directory.number("mail.smtp.size"))
    await accept(raw, value, Origin(Door.PIPE, session=str(uuid.uuid4()), ordinal="1"), tools)


async def _within(seconds: float, ask: Callable[[], R]) -> R:
    """What the log answers. Raises Unavailable after that time: brokers that lost their others may never answer."""
    try:
        return await within(seconds, ask)
    except TimeoutError:
        raise Unavailable(f"the log does not answer within {seconds:g} seconds") from None


def _store(settings: Config) -> ObjectStore:
    """Where the workers find it too. Raises ValueError: a mail server's command runs in a folder of its own."""
    kind, _, place = settings.store.url.partition(":")
    if kind == "memory":
        raise ValueError("a store in memory ends with this command: name a folder or a bucket in [store]")
    # A log that is found by a relative path shows that this is the folder of `postroad up`.
    elsewhere = bool(settings.kafka.bootstrap) or Path(settings.log.path).is_absolute()
    if kind == "file" and elsewhere and not Path(place.removeprefix("//")).is_absolute():
        raise ValueError(f"{settings.store.url} is another folder for every command: name a whole path in [store]")
    return open_store(settings.store.url)


def _read(first: bytes, limit: int) -> bytes:
    """The whole mail, after its first octet; of a larger one no more than tells so. `limit` in octets."""
    raw = first + sys.stdin.buffer.read(limit)
    if len(raw) > limit:
        raise NoMail(f"the mail is larger than mail.smtp.size allows ({limit} octets)")
    return raw
