"""`postroad outbound` and `postroad preview` beside routing, fan-out and dispatch on a real Apache Kafka."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.runtime.broker import Cluster
from postroad_schemas import event_id
from postroad_schemas.chatter import ChatterPosted
from postroad_schemas.values import Author, Contents, Follower, Post
from tests.dispatch.made import AT, submitted
from tests.support.six import Six, some, until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def cluster(broker: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Six]:
    """Its relay is a port where nobody listens."""
    with some(tmp_path_factory.mktemp("cluster"), broker, "routing", "fanout", "dispatch") as made:
        until("no domain", lambda: "example.com" in made.postroad("show", "domain", "--config", str(made.settings)))
        yield made


def lines(cluster: Six, *words: str) -> list[dict[str, Any]]:
    said = cluster.postroad(*words, "--json", "--config", str(cluster.settings))
    return [json.loads(line) for line in said.splitlines()]


def test_what_waits_is_listed_held_released_retried_and_cancelled(cluster: Six) -> None:
    made = replace(submitted(1, "eve@example.net"), occurred_at=datetime.now(UTC))
    cluster.publish(made)

    def one() -> dict[str, Any] | None:
        return next((line for line in lines(cluster, "outbound", "list") if line["id"] == made.event_id), None)

    first = until("it does not wait", one)
    assert (first["state"], first["attempts"], first["to"]) == ("deferred", 1, "eve@example.net")
    assert lines(cluster, "outbound", "show", made.event_id)[0]["subject"] == "Hello"

    def became(state: str, attempts: int) -> None:
        until(
            f"not {state} after {attempts}",
            lambda: (now := one()) and (now["state"], now["attempts"]) == (state, attempts),
        )

    lines(cluster, "outbound", "retry", made.event_id)
    became("deferred", 2)
    lines(cluster, "outbound", "hold", "--to", "eve@example.net")
    became("held", 2)
    lines(cluster, "outbound", "release", made.event_id)
    became("deferred", 2)
    lines(cluster, "outbound", "cancel", made.event_id, "--yes")
    became("cancelled", 2)


def test_a_post_is_previewed_on_live_state(cluster: Six) -> None:
    new_id = event_id("previewed")
    post = Post(
        author=Author(address="bob@example.org"),
        contents=Contents(text="Hello"),
        notify=(Follower(contact="1"),),
    )
    posted = ChatterPosted(event_id=new_id, occurred_at=AT, trace_id=new_id, thread="crm.lead/9", post=post)
    cluster.publish(posted)
    copy = until("no copy", lambda: [e for e in cluster.events("outbound.submitted") if e.trace_id == new_id])[0]
    (line,) = lines(cluster, "preview", "crm.lead/9")
    assert (line["who"], line["reason"], line["copy"]["server"]) == ("mary@example.com", "addressed", "default")
    assert copy.message_id in line["copy"]["header"].replace("\n ", " ")
