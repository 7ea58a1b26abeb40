"""What dispatch asks of the world, and what the world answers: one transaction for one recipient (O8)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from postroad_schemas.directory import Smarthost
from postroad_schemas.outbound import Header, OutboundSubmitted
from postroad_schemas.values import FailureType, Mailbox, Reply


@dataclass(frozen=True, slots=True)
class Plan:
    """How a submission goes out: everything that O1-O5 decide, nothing done yet."""

    server: Smarthost
    rule: str  # the step of O1
    from_before: Mailbox
    from_after: Mailbox  # O2
    envelope_from: str  # O4; empty: the null reverse-path
    recipient: str  # bare, domain in IDNA form, local part as written
    smtputf8: bool = False  # RFC 6531: an address of it has a non-ASCII local part
    built_in: bool = False  # O5
    told: tuple[Header, ...] = ()  # what the server's provider says back in its webhooks (B1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to a server. Repeated after a crash it is the same message, octet for octet."""

    submission: OutboundSubmitted
    plan: Plan
    number: int  # from 1
    first_attempt_at: datetime | None = None  # None: this is the first


def as_planned(submission: OutboundSubmitted, plan: Plan) -> OutboundSubmitted:
    """The message with the fields of its header that go to this server alone: at another it may have others."""
    if not plan.told:
        return submission
    return msgspec.structs.replace(submission, headers=(*submission.headers, *plan.told))


class Step(StrEnum):
    """Where in a transaction an answer came."""

    CONTENTS = "contents"  # the object store was asked for the words and attachments
    CONNECT = "connect"  # up to the greeting
    TLS = "tls"
    HELO = "helo"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # the answer to DATA itself
    BODY = "body"  # the answer to the final dot: 2yz here means sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt. Reply code 0: no reply came, its text says why."""

    reply: Reply
    step: Step
    at: datetime
    failure: FailureType | None = None  # set: a fault that no repeat mends, found on our side
    status: str = ""  # RFC 3463; empty: as the reply says
