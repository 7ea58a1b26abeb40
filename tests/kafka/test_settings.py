"""What goes out of a producer: nothing once its process may have been replaced."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import ProducerFenced

from postroad.runtime.kafka import settings


class Client:
    """What a producer writes through."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, node: int, request: str) -> str:
        self.sent.append((node, request))
        return "acknowledged"


@pytest.mark.parametrize(
    ("stale", "sent"),
    [
        pytest.param(False, [(1, "state")], id="its process is the owner"),
        pytest.param(True, [], id="its process was frozen: what waited is not written"),
    ],
)
def test_what_waits_in_a_stale_producer_is_not_written(stale: bool, sent: list[Any]) -> None:
    producer: Any = SimpleNamespace(client=Client())
    written = producer.client.sent
    settings.guard(producer, lambda: stale)

    if stale:
        with pytest.raises(ProducerFenced):
            asyncio.run(producer.client.send(1, "state"))
    else:
        assert asyncio.run(producer.client.send(1, "state")) == "acknowledged"
    assert written == sent
