"""What proves a webhook, provider by provider: certificates of SNS, times of Mailgun, keys of SendGrid."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.doors.http import HttpDoor
from postroad.ingest.webhooks.notice import Posted, Trust
from postroad.ingest.webhooks.sendgrid import SIGNATURE, TIMESTAMP
from postroad.ingest.webhooks.sendgrid import verify as verify_sendgrid
from postroad.runtime.config import Config, ConfigError, Webhook, load
from tests.ingest.acceptance import HTTP, World
from tests.ingest.webhooks.conftest import Hooks
from tests.ingest.webhooks.posting import (
    CERTIFICATE,
    SECRET,
    TOPIC,
    Post,
    certificate,
    post_mailgun,
    post_sendgrid,
    post_ses,
    sns,
    verification_key,
)
from tests.support.declared import AT

DELIVERY: dict[str, Any] = {
    "notificationType": "Delivery",
    "mail": {"messageId": "1", "source": "a@example.com", "destination": ["ada@example.net"]},
    "delivery": {"recipients": ["ada@example.net"]},
}
CONFIRM = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
OPENED = {"event": "opened", "id": "1"}


def as_post(message: dict[str, str]) -> Post:
    return Post(json.dumps(message).encode())


def changed(message: dict[str, str], **fields: str) -> Post:
    """After it was signed."""
    return as_post(message | fields)


@pytest.mark.parametrize(
    ("post", "status"),
    [
        pytest.param(lambda: as_post(sns(DELIVERY)), 200, id="version 1"),
        pytest.param(lambda: as_post(sns(DELIVERY, "2")), 200, id="version 2"),
        pytest.param(lambda: as_post(sns(DELIVERY, Subject="Amazon SES Email Event")), 200, id="with a subject"),
        pytest.param(lambda: changed(sns(DELIVERY), SignatureVersion="2"), 403, id="another version than signed"),
        pytest.param(lambda: changed(sns(DELIVERY), SignatureVersion="3"), 403, id="a version that there is not"),
        pytest.param(lambda: changed(sns(DELIVERY), Message=json.dumps(DELIVERY) + " "), 403, id="another message"),
        pytest.param(lambda: changed(sns(DELIVERY), Timestamp="2026-11-24T09:10:02.000Z"), 403, id="another time"),
        pytest.param(lambda: as_post(sns(DELIVERY, TopicArn=TOPIC + "x")), 403, id="somebody else's topic"),
    ],
)
async def test_ses_is_proven_by_its_certificate(hooks: Hooks, post: Callable[[], Post], status: int) -> None:
    assert (await hooks.post("ses", post())).status == status
    assert len(hooks.world.events) == (status == 200)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://sns.eu-west-1.amazonaws.com/a.pem", id="not https"),
        pytest.param("https://sns.eu-west-1.amazonaws.com.evil.example/a.pem", id="another host"),
        pytest.param("https://evil.example/sns.eu-west-1.amazonaws.com/a.pem", id="in the path"),
        pytest.param("https://sns.eu-west-1.amazonaws.com@evil.example/a.pem", id="as a user"),
        pytest.param("https://sns.eu-west-1.amazonaws.com:8443/a.pem", id="another port"),
        pytest.param("https://s3.eu-west-1.amazonaws.com/a.pem", id="another service"),
        pytest.param("https://sns.eu-west-1.amazonaws.com/a.txt", id="no certificate"),
        pytest.param("", id="nothing"),
    ],
)
async def test_certificates_come_from_sns_alone(hooks: Hooks, url: str) -> None:
    assert (await hooks.post("ses", as_post(sns(DELIVERY, SigningCertURL=url)))).status == 403
    assert hooks.fetched == []


async def test_a_certificate_is_fetched_once(hooks: Hooks) -> None:
    for _ in range(3):
        assert (await hooks.post("ses", post_ses(DELIVERY))).status == 200
    assert hooks.fetched == [CERTIFICATE]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(lambda: certificate(expired=True), id="expired"),
        pytest.param(lambda: b"<html>", id="none at all"),
        pytest.param(lambda: b"", id="empty"),
    ],
)
async def test_a_certificate_that_proves_nothing(hooks: Hooks, answers: Callable[[], bytes]) -> None:
    hooks.answers = answers
    assert (await hooks.post("ses", post_ses(DELIVERY))).status == 403


@pytest.mark.parametrize(
    ("fields", "fetched"),
    [
        pytest.param({"SubscribeURL": CONFIRM}, [CERTIFICATE, CONFIRM], id="confirmed, once"),
        pytest.param({"SubscribeURL": "https://evil.example/"}, [CERTIFICATE], id="an address that is not of SNS"),
        pytest.param({"SubscribeURL": CONFIRM, "TopicArn": "arn:other"}, [], id="a topic that is not declared"),
    ],
)
async def test_a_subscription_is_confirmed(hooks: Hooks, fields: dict[str, str], fetched: list[str]) -> None:
    message = sns("You have chosen to subscribe", Type="SubscriptionConfirmation", Token="t", **fields)
    answer = await hooks.post("ses", as_post(message))
    assert (answer.status, hooks.fetched, hooks.world.events) == (200 if fetched else 403, fetched, [])


async def test_the_end_of_a_subscription_asks_for_nothing(hooks: Hooks) -> None:
    message = sns("You have chosen to end it", Type="UnsubscribeConfirmation", Token="t", SubscribeURL=CONFIRM)
    assert (await hooks.post("ses", as_post(message))).status == 200
    assert (hooks.fetched, hooks.counts) == ([CERTIFICATE], {"ignored": 1})


@pytest.mark.parametrize(
    ("post", "status"),
    [
        pytest.param(lambda: post_mailgun(OPENED), 200, id="now"),
        pytest.param(lambda: post_mailgun(OPENED, timedelta(hours=23)), 200, id="tried again"),
        pytest.param(lambda: post_mailgun(OPENED, timedelta(days=1, seconds=2)), 403, id="too old"),
        pytest.param(lambda: post_mailgun(OPENED, timedelta(minutes=-4)), 200, id="a little ahead"),
        pytest.param(lambda: post_mailgun(OPENED, timedelta(minutes=-6)), 403, id="of the future"),
        pytest.param(lambda: post_mailgun(OPENED, key="other"), 403, id="by another key"),
    ],
)
async def test_mailgun_is_proven_by_a_fresh_signature(hooks: Hooks, post: Callable[[], Post], status: int) -> None:
    assert (await hooks.post("mailgun", post())).status == status


async def test_sendgrid_signs_time_and_body(hooks: Hooks) -> None:
    post = post_sendgrid([{"event": "open"}])
    for tried in (
        Post(post.body + b" ", post.headers),
        Post(post.body, post.headers | {TIMESTAMP: "1795511401"}),
        Post(post.body, {TIMESTAMP: "1795511400"}),
    ):
        assert (await hooks.post("sendgrid", tried)).status == 403
    assert (await hooks.post("sendgrid", post)).status == 200


@pytest.mark.parametrize(
    ("key", "proven"),
    [
        pytest.param(lambda: verification_key(), True, id="as it is shown"),
        pytest.param(
            lambda: f"-----BEGIN PUBLIC KEY-----\n{verification_key()}\n-----END PUBLIC KEY-----\n", True, id="as PEM"
        ),
        pytest.param(lambda: "", False, id="none"),
        pytest.param(lambda: "a secret", False, id="no key"),
        pytest.param(lambda: certificate().decode(), False, id="a certificate"),
    ],
)
def test_sendgrids_verification_key(key: Callable[[], str], proven: bool) -> None:
    post = post_sendgrid([])
    posted = Posted(body=post.body, headers={name.lower(): value for name, value in post.headers.items()}, at=AT)
    assert SIGNATURE in posted.headers
    assert verify_sendgrid(posted, Trust(key().encode())) is proven


@pytest.mark.parametrize(
    ("name", "declared", "words"),
    [
        pytest.param("postmrak", Webhook(secret="env:HOOK"), "did you mean 'postmark'", id="a slip"),
        pytest.param("acme", Webhook(secret="env:HOOK"), "there are: ses, postmark", id="none of ours"),
        pytest.param("brevo", Webhook(), '"env:NAME" or "file:PATH"', id="no secret"),
        pytest.param("brevo", Webhook(secret=SECRET), "secret cannot be had", id="a secret as it is"),
        pytest.param("ses", Webhook(secret="env:HOOK"), "needs its topics", id="SES without topics"),
    ],
)
async def test_no_door_with_a_webhook_that_proves_nothing(name: str, declared: Webhook, words: str) -> None:
    settings = Config(http=HTTP.__class__(token=HTTP.token, webhooks={name: declared}))
    with pytest.raises(ConfigError, match=rf"\[http.webhooks.{name}\]") as raised:
        await HttpDoor(World().tools(settings)).start()
    assert words in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_slip_in_a_webhooks_settings_is_told(tmp_path: Path) -> None:
    file = tmp_path / "postroad.toml"
    file.write_text('[http.webhooks.postmark]\nsecrte = "env:HOOK"\n')
    with pytest.raises(ConfigError, match=r"unknown key 'secrte' .* did you mean 'secret'"):
        load(file)
