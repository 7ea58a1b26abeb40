"""Every provider that is in PROVIDERS, through the real door: what it posts becomes our events (B1, design 7).

`payloads/<provider>.json` holds what it posts, and what must follow. `{token}` stands for a token of our return path.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from postroad.ingest.webhooks import PROVIDERS
from postroad.mail.return_path import return_path_token
from postroad.runtime.worker import Unavailable
from postroad_schemas import notification_id, read, record
from postroad_schemas.outbound import DeliveryReported, FeedbackReported, LeaveAsked
from tests.ingest.webhooks.conftest import Hooks, down, opened
from tests.ingest.webhooks.posting import DECLARED, POSTS, SECRET, Post
from tests.support.declared import AT, views

OURS = "<m1@example.com>"
ADA = "ada@example.net"
TOKEN = return_path_token(views().keys, notification_id(OURS, ADA))
CASES = {
    name: json.loads((Path(__file__).parent / f"payloads/{name}.json").read_text("utf-8").replace("{token}", TOKEN))
    for name in PROVIDERS
}
EVERY = [pytest.param(name, case, id=f"{name}: {case['id']}") for name, cases in CASES.items() for case in cases]
EACH = [pytest.param(name, id=name) for name in PROVIDERS]


def said(event: Any) -> dict[str, Any]:
    """An event as the payload files tell it."""
    match event:
        case DeliveryReported(action="failed"):
            told = {name: getattr(event, name) for name in ("status", "permanent", "hard", "failure", "recipient")}
            return {"action": "failed", **told}
        case DeliveryReported():
            return {"action": event.action, "status": event.status, "recipient": event.recipient}
        case FeedbackReported():
            return {"complaint": event.feedback_type, "recipient": event.recipient}
        case _:
            assert isinstance(event, LeaveAsked)
            return {"leave": True}


def failure(provider: str) -> Post:
    """The first failure of its payloads."""
    case = next(case for case in CASES[provider] if any(event.get("hard") for event in case["events"]))
    return POSTS[provider](case["payload"])


@pytest.mark.parametrize(("provider", "case"), EVERY)
async def test_what_it_posts_becomes_our_events(hooks: Hooks, provider: str, case: dict[str, Any]) -> None:
    answer = await hooks.post(provider, POSTS[provider](case["payload"]))
    assert (answer.status, str(answer.content["reported"])) == (200, str(len(case["events"])))
    for event, wanted in zip(hooks.world.events, map(dict, case["events"]), strict=True):
        extra = {name: wanted.pop(name) for name in ("by", "at", "mta") if name in wanted}
        assert said(event) == wanted
        known = notification_id(OURS, wanted.get("recipient", ADA))
        assert (event.notification_id == known) is (extra["by"] != "address")
        assert getattr(event, "proven", True)
        assert getattr(event, "source", "webhook") == "webhook"
        assert event.occurred_at <= AT
        if "at" in extra:
            assert event.occurred_at.isoformat() == extra["at"]
        if "mta" in extra:
            assert event.reporting_mta == extra["mta"]
        wire = record(event)
        assert (wire.topic, wire.key) == ("delivery.reported", event.notification_id.encode())
        assert wire.value is not None
        assert read(wire.topic, wire.value) == event
    assert {name: number for name, number in hooks.counts.items() if name != "reported"} == case["counts"]


@pytest.mark.parametrize("provider", EACH)
def test_its_payloads_say_all_that_matters(provider: str) -> None:
    """A new provider is asked for the same cases."""
    events = [event for case in CASES[provider] for event in case["events"]]
    assert any(event.get("hard") for event in events), "a dead address"
    assert any(event.get("action") == "failed" and not event["permanent"] for event in events), "a soft failure"
    assert any(event.get("action") == "delayed" for event in events), "a delay"
    assert any("complaint" in event for event in events), "a complaint"
    assert any("ignored" in case["counts"] for case in CASES[provider]), "an open or a click"
    assert any("unknown" in case["counts"] for case in CASES[provider]), "a kind that is new"
    assert any("leave" in event for event in events) or provider == "ses", "a leave; SES's lists are not ours"


@pytest.mark.parametrize("provider", EACH)
async def test_the_same_event_again_is_the_same_event(hooks: Hooks, provider: str) -> None:
    for _ in range(2):
        assert (await hooks.post(provider, failure(provider))).status == 200
    assert len(hooks.world.events) == 2
    assert hooks.world.events[0] == hooks.world.events[1]


@pytest.mark.parametrize("provider", EACH)
async def test_what_is_not_proven_is_refused(hooks: Hooks, provider: str) -> None:
    """Without proof, with another's, and signed but changed on the way."""
    post, refusal = failure(provider), 403 if PROVIDERS[provider].signed else 401
    other = base64.b64encode(b"user:another secret").decode()
    wrong = {name: f"Basic {other}" if name == "Authorization" else "AAAA" for name in post.headers}
    bare = json.loads(post.body)
    if isinstance(bare, dict):
        bare |= {"Signature": "AAAA"} if "Signature" in bare else {}
        bare |= {"signature": {"timestamp": "1", "token": "t", "signature": "00"}} if "signature" in bare else {}
    for tried in (Post(json.dumps(bare).encode()), Post(json.dumps(bare).encode(), wrong)):
        answer = await hooks.post(provider, tried)
        assert answer.status == refusal, answer
        assert f"[http.webhooks.{provider}]" in answer.content["error"]
    assert hooks.world.events == []
    assert hooks.counts == {"unverified": 2}


@pytest.mark.parametrize("provider", EACH)
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("not what it should be", id="text"),
        pytest.param([[]], id="another shape"),
        pytest.param({"event": {}, "RecordType": {}, "msys": 1, "mail": 1}, id="other types"),
    ],
)
async def test_what_is_malformed_is_400_in_one_sentence(hooks: Hooks, provider: str, payload: Any) -> None:
    answer = await hooks.post(provider, POSTS[provider](payload))
    assert (answer.status, "no event of this provider" in answer.content["error"]) == (400, True), answer
    assert "\n" not in answer.content["error"]
    assert hooks.world.events == []


@pytest.mark.parametrize("provider", EACH)
async def test_octets_that_are_no_json_never_fall_through(hooks: Hooks, provider: str) -> None:
    for body in (b"\xff\xfe", b"[" * 100_000, b"{", b'{"a":' * 5_000):
        assert (await hooks.post(provider, Post(body, failure(provider).headers))).status in (400, 403)
    assert hooks.world.events == []


@pytest.mark.parametrize("provider", EACH)
async def test_while_the_broker_is_away_it_posts_again_later(hooks: Hooks, provider: str) -> None:
    hooks.world.raises = Unavailable("no broker")
    answer = await hooks.post(provider, failure(provider))
    assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert hooks.counts == {}


@pytest.mark.parametrize("provider", EACH)
async def test_off_unless_declared(provider: str) -> None:
    other = "postmark" if provider != "postmark" else "brevo"
    async with opened(**{other: DECLARED[other]}) as hooks:
        answer = await hooks.post(provider, failure(provider))
    assert (answer.status, f"no webhook {provider} is declared" in answer.content["error"]) == (404, True)


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if not PROVIDERS[name].signed])
@pytest.mark.parametrize(
    ("headers", "end"),
    [
        pytest.param({"Authorization": f"Bearer {SECRET}"}, "", id="as a token"),
        pytest.param({"authorization": f"bearer {SECRET}"}, "", id="in lower case"),
        pytest.param(
            {"Authorization": f"Basic {base64.b64encode(f'x:{SECRET}'.encode()).decode()}"}, "", id="password"
        ),
        pytest.param({}, "/user:a%20secret%20of%20the%20tests", id="at the end of the path"),
    ],
)
async def test_where_a_secret_may_stand(hooks: Hooks, provider: str, headers: dict[str, str], end: str) -> None:
    post = failure(provider)
    answer = await hooks.post(provider, Post(post.body, headers), f"/webhooks/{provider}{end}")
    assert (answer.status, len(hooks.world.events)) == (200, 1)


async def test_a_certificate_that_cannot_be_had_is_asked_for_again(hooks: Hooks) -> None:
    hooks.answers = down
    assert (await hooks.post("ses", failure("ses"))).status == 503
    assert hooks.world.events == []
