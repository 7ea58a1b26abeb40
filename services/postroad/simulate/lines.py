"""The lines of a scenario: what may stand in one, as types that say where a line is wrong."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from postroad_schemas.mail import Door


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class MailLine(_Line, frozen=True, kw_only=True):
    """A mail at a door. Exactly one of raw, raw_base64 and path. What the door does not know is left out."""

    raw: str | None = None
    raw_base64: str | None = None
    path: str | None = None
    mail_from: str | None = None  # "" is the null reverse-path
    rcpt_to: tuple[str, ...] | None = None
    door: Door = Door.PIPE
    mailbox: str = ""


Behaviour = str | int | dict[str, Any]  # "450 4.2.0 later", 450, {"code": 450, "text": "..."}, "refused", "drop"


class SmarthostLine(_Line, frozen=True, kw_only=True):
    """What a pretended server answers from now on; without further keys it accepts all."""

    name: str  # "default" is the built-in one
    ehlo: tuple[str, ...] = ("SIZE 26214400", "8BITMIME", "SMTPUTF8", "STARTTLS", "AUTH PLAIN LOGIN")
    connect: Behaviour | None = None
    tls: Behaviour | None = None
    auth: Behaviour | None = None
    mail: Behaviour | None = None
    rcpt: dict[str, Behaviour] = {}
    data: Behaviour | None = None
    body: Behaviour | None = None
    drop: Literal["before 250", "after 250"] | None = None
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None  # so many attempts, then it accepts all again


class FetchedMessage(_Line, frozen=True, kw_only=True):
    """A mail as it stands on the server. `fault`: what is away while it is taken."""

    uid: int  # of POP3: the unique id
    seen: bool = False
    raw: str
    fault: Literal["store", "broker"] | None = None


class FetchLine(_Line, frozen=True, kw_only=True):
    """One poll. What is not among the messages is gone from the server."""

    mailbox: str
    uidvalidity: int = 1  # of IMAP; another one than before starts anew
    messages: tuple[FetchedMessage, ...] = ()


class TestLine(_Line, frozen=True, kw_only=True):
    smarthost: str
    tester: str = ""


class StateLine(_Line, frozen=True, kw_only=True):
    """Exactly one."""

    address: str | None = None
    thread: str | None = None
    alias: str | None = None
    budget: str | None = None
    message: str | None = None


class Line(_Line, frozen=True, kw_only=True):
    """Exactly one key a line."""

    at: datetime | None = None
    apply: dict[str, Any] | None = None
    event: dict[str, Any] | None = None
    mail: MailLine | None = None
    explain: MailLine | None = None
    smarthost: SmarthostLine | None = None
    fetch: FetchLine | None = None
    test: TestLine | None = None
    release: str | None = None
    drop: str | None = None
    state: StateLine | None = None


class BadLine(ValueError):  # noqa: N818  # the line is what is bad
    """A line that cannot be played; the message says what to write."""


def parse(text: str | bytes) -> tuple[str, Any]:
    """The line's kind and what it holds. Raises BadLine."""
    try:
        line = msgspec.json.decode(text, type=Line)
    except UnicodeDecodeError as error:
        raise BadLine(f"a line is JSON in UTF-8; a mail of other bytes goes into raw_base64: {error}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine(str(error)) from error
    found = [(name, value) for name in Line.__struct_fields__ if (value := getattr(line, name)) is not None]
    if len(found) != 1:
        raise BadLine(f"one of {', '.join(Line.__struct_fields__)} is needed, found {len(found)}")
    return found[0]
