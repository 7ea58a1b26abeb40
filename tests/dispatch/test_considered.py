"""O1 in words: why a server was chosen, why each other one was not."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.dispatch.attempt import Plan
from postroad.dispatch.considered import considered
from postroad.dispatch.plan import plan
from postroad_schemas.directory import Smarthost
from postroad_schemas.values import Mailbox, Stream
from tests.dispatch.made import AT, DOMAIN, RELAY, submitted, views_of

CHOSEN = Smarthost(name="chosen", host="mx.test", from_filter=("example.net",), created_at=AT)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        pytest.param({"active": False}, "inactive", id="inactive"),
        pytest.param({"streams": (Stream.BULK,)}, "sends bulk, not chatter", id="another stream"),
        pytest.param({"from_filter": ()}, "it has no filter (no filter): that counts after from domain", id="later"),
        pytest.param({"from_filter": ("x.test",)}, "nothing of this message (priority): that counts", id="no match"),
        pytest.param({"priority": 11}, "its priority 11 comes after 10", id="priority"),
        pytest.param({"created_at": AT + timedelta(days=1)}, "chosen is older", id="younger"),
    ],
)
def test_why_not(other: dict[str, Any], words: str) -> None:
    passed_over = replace(CHOSEN, name="other", **other)
    verdicts = said(CHOSEN, passed_over)
    assert verdicts["chosen"] == "chosen: its filter has the domain of From (from domain)"
    assert words in verdicts["other"]


def test_a_dedicated_server() -> None:
    verdicts = said(CHOSEN, replace(CHOSEN, name="bulk"), server="bulk")
    assert verdicts == {"chosen": "the message names bulk", "bulk": "chosen: the message names it (dedicated)"}


def said(*servers: Smarthost, **fields: Any) -> dict[str, str]:
    message = submitted(from_=Mailbox(address="mary@example.net"), **fields)
    planned = plan(message, views_of(DOMAIN, *servers), RELAY)
    assert isinstance(planned, Plan)
    found = considered(servers, planned, "notifications@example.com", message.stream, "doc")
    return {server.name: verdict for server, verdict in found}
