"""`postroad suppression` beside bounces on a real Apache Kafka: its states come from Faust's changelogs (B3-B6)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroad.runtime.broker import Cluster
from postroad_schemas import notification_id
from postroad_schemas.outbound import Action, DeliveryReported, Source
from postroad_schemas.values import FailureType
from tests.support.six import Six, some, until

pytestmark = pytest.mark.broker
ADA = "ada@example.net"


@pytest.fixture
def cluster(broker: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Six]:
    with some(tmp_path_factory.mktemp("suppression"), broker, "bounces") as made:
        yield made


def failed(days: int) -> DeliveryReported:
    """As a webhook reports it."""
    return DeliveryReported(
        event_id=f"e{days}",
        occurred_at=datetime.now(UTC) - timedelta(days=days),
        trace_id="t",
        notification_id=notification_id(f"<{days}@example.com>", ADA),
        recipient=ADA,
        action=Action.FAILED,
        status="5.1.1",
        source=Source.WEBHOOK,
        proven=True,
        permanent=True,
        hard=True,
        failure=FailureType.REFUSED,
    )


def test_shown_asked_about_added_and_lifted(cluster: Six) -> None:
    where = ("--config", str(cluster.settings), "--json")

    def lines(*words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in cluster.postroad("suppression", *words, *where).splitlines()]

    cluster.publish(*(failed(days) for days in (20, 19, 10)))

    def shown() -> dict[str, Any]:
        return lines("show", ADA)[0]

    known = until("no failures", lambda: len(shown()["failures"]) == 3 and shown())
    assert (known["blacklisted"], known["next"]["more"]) == (None, 5)
    asked = lines("what-if", "--count", "3", "--streams", "bulk", "--streams", "chatter", "--streams", "notice")
    assert [(one["address"], one["would"], len(one["evidence"])) for one in asked] == [(ADA, True, 3)]
    assert lines("list") == []
    assert lines("add", ADA, "--by", "olga")[0]["by"] == "olga"
    assert [row["address"] for row in lines("list")] == [ADA]
    assert lines("lift", ADA)[0]["blacklisted"] is False
    assert (lines("list"), shown()["failures"]) == ([], [])
