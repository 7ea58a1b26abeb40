"""A message told to its provider, and what that reports of it: the report finds message and recipient (B1)."""

import json
from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from typing import Any

import pytest

from postroad.dispatch.attempt import Plan, as_planned
from postroad.dispatch.plan import plan
from postroad.mail.compose import compose
from postroad_schemas import event_id, notification_id
from postroad_schemas.directory import Provider, Smarthost
from postroad_schemas.outbound import DeliveryReported, OutboundSubmitted
from postroad_schemas.values import Mailbox
from tests.ingest.webhooks.conftest import Hooks
from tests.ingest.webhooks.posting import POSTS
from tests.support.declared import AT, EXAMPLE, views

ADA, OURS = "ada@example.net", "<pr1.aiahk5ghhoxnqgyzs5ubc4lhpubq.q5xj5p3q6h3h5kqq2@example.com>"
THEIRS = "a1b2c3.1@provider.example"  # the Message-ID that a provider gives in its own name
EACH = [pytest.param(provider, id=provider) for provider in Provider]
Fields = Mapping[str, str]


def went_out(provider: Provider | None) -> Fields:
    """The header's fields as the provider reads them: names in lower case, lines unfolded."""
    identity = event_id("submission")
    submission = OutboundSubmitted(
        event_id=identity,
        occurred_at=AT,
        trace_id=identity,
        recipient=ADA,
        from_=Mailbox(address="office@example.com"),
        message_id=OURS,
        null_reverse_path=True,
    )
    server = {"name": "out", "host": "smtp.example.org", **({"provider": provider} if provider else {})}
    planned = plan(submission, views({**EXAMPLE, "smarthost": [server]}), Smarthost(name="default", host="unused"))
    assert isinstance(planned, Plan)
    raw = compose(as_planned(submission, planned), planned.from_after, AT, "Hello\n")
    return {name.lower(): str(value) for name, value in message_from_bytes(raw, policy=policy.default).items()}


def metadata(fields: Fields) -> dict[str, str]:
    start = "x-pm-metadata-"
    return {name.removeprefix(start): value for name, value in fields.items() if name.startswith(start)}


def ses(fields: Fields) -> Any:
    """Event publishing: what stands in the header is not told, the tags are, each with a list of values."""
    tags = [tag.split("=") for tag in fields.get("x-ses-message-tags", "").split(", ") if tag]
    mail = {
        "timestamp": "2026-11-24T09:00:00.000Z",
        "source": "office@example.com",
        "messageId": "0102-ses-1",
        "destination": [ADA],
        "tags": {"ses:configuration-set": ["all"], **{name: [value] for name, value in tags}},
    }
    bounced = [{"emailAddress": ADA, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 x"}]
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": bounced,
        "timestamp": "2026-11-24T09:10:00.000Z",
        "feedbackId": "fb-1",
    }
    return {"eventType": "Bounce", "mail": mail, "bounce": bounce}


def postmark(fields: Fields) -> Any:
    return {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Details": "smtp;550 5.1.1 no such user",
        "Email": ADA,
        "BouncedAt": "2026-11-24T09:10:00Z",
        "Content": f"Message-ID: <{THEIRS}>\r\n\r\n",
        "Metadata": metadata(fields),
    }


def mailgun(fields: Fields) -> Any:
    return {
        "event": "failed",
        "id": "mg-1",
        "timestamp": 1795511400.5,
        "recipient": ADA,
        "severity": "permanent",
        "reason": "bounce",
        "message": {"headers": {"message-id": THEIRS}},
        "envelope": {"sender": "bounce+mg@provider.example", "targets": ADA},
        "delivery-status": {"code": 550, "message": "5.1.1 no such user", "enhanced-code": "5.1.1"},
        "user-variables": json.loads(fields.get("x-mailgun-variables", "{}")),
    }


def sendgrid(fields: Fields) -> Any:
    event = {
        "email": ADA,
        "timestamp": 1795511400,
        "smtp-id": f"<{THEIRS}>",
        "event": "bounce",
        "sg_event_id": "sg-1",
        "sg_message_id": "sgm-1.filter-1",
        "status": "5.1.1",
        "reason": "550 5.1.1 no such user",
    }
    return [{**event, **json.loads(fields.get("x-smtpapi", '{"unique_args": {}}'))["unique_args"]}]


def brevo(fields: Fields) -> Any:
    event = {
        "event": "hard_bounce",
        "email": ADA,
        "id": 26224,
        "message-id": f"<{THEIRS}>",
        "ts_epoch": 1795511400123,
        "reason": "550 5.1.1 no such user",
    }
    custom = fields.get("x-mailin-custom")
    return {**event, "X-Mailin-custom": custom} if custom else event


def mailjet(fields: Fields) -> Any:
    return {
        "event": "bounce",
        "time": 1795511400,
        "MessageID": 19421777835146490,
        "Message_GUID": "guid-1",
        "email": ADA,
        "CustomID": "order 7",
        "Payload": fields.get("x-mj-eventpayload", ""),
        "hard_bounce": True,
        "error": "user unknown",
        "comment": "550 5.1.1 no such user",
    }


def sparkpost(fields: Fields) -> Any:
    event = {
        "type": "bounce",
        "event_id": "92356927693813856",
        "timestamp": "1795511400",
        "rcpt_to": ADA,
        "msg_from": "msprvs1=1@bounces.provider.example",
        "message_id": "sp-1",
        "bounce_class": "10",
        "raw_reason": "550 5.1.1 no such user",
        "rcpt_meta": json.loads(fields.get("x-msys-api", '{"metadata": {}}'))["metadata"],
    }
    return [{"msys": {"message_event": event}}]


# What each reports of a message with this header, as it documents it; nothing but what it was told leads back to us.
REPORTS: dict[Provider, Callable[[Fields], Any]] = {
    Provider.SES: ses,
    Provider.POSTMARK: postmark,
    Provider.MAILGUN: mailgun,
    Provider.SENDGRID: sendgrid,
    Provider.BREVO: brevo,
    Provider.MAILJET: mailjet,
    Provider.SPARKPOST: sparkpost,
}


async def reported(hooks: Hooks, provider: Provider, payload: Any) -> DeliveryReported:
    answer = await hooks.post(provider, POSTS[provider](payload))
    assert (answer.status, str(answer.content["reported"])) == (200, "1")
    event = hooks.world.events[-1]
    assert isinstance(event, DeliveryReported)
    return event


@pytest.mark.parametrize("provider", EACH)
async def test_finds_message_and_recipient(hooks: Hooks, provider: Provider) -> None:
    event = await reported(hooks, provider, REPORTS[provider](went_out(provider)))
    assert (event.notification_id, event.recipient) == (notification_id(OURS, ADA), ADA)
    assert event.message_id == (OURS if provider is not Provider.SES else "")  # no such letters in its tags
    assert (event.proven, event.permanent, event.status) == (True, True, "5.1.1")


@pytest.mark.parametrize("provider", EACH)
async def test_without_having_been_told_it_does_not(hooks: Hooks, provider: Provider) -> None:
    event = await reported(hooks, provider, REPORTS[provider](went_out(None)))
    assert event.notification_id != notification_id(OURS, ADA)


@pytest.mark.parametrize("provider", EACH)
async def test_the_same_report_again_is_the_same_event(hooks: Hooks, provider: Provider) -> None:
    payload = REPORTS[provider](went_out(provider))
    assert await reported(hooks, provider, payload) == await reported(hooks, provider, payload)


@pytest.mark.parametrize("provider", EACH)
def test_tells_it_nobodys_address(provider: Provider) -> None:
    told = {name: value for name, value in went_out(provider).items() if name not in went_out(None)}
    assert told
    assert not any(ADA in value or "office@" in value for value in told.values())
