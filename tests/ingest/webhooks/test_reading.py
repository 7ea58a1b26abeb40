"""What a provider says back of that which it was told of a message."""

from typing import Any

import pytest

from postroad.ingest.webhooks.reading import Echo, echoed

OURS = "<m1@example.com>"


@pytest.mark.parametrize(
    ("told", "echo"),
    [
        pytest.param({"postroad": "t", "message_id": OURS}, Echo("t", OURS), id="an object"),
        pytest.param('{"postroad": "t",\r\n "message_id": "<m1@example.com>"}', Echo("t", OURS), id="its text, folded"),
        pytest.param({"Postroad": "t", "MESSAGE_ID": OURS}, Echo("t", OURS), id="names in other letters"),
        pytest.param({"postroad": ["t"], "message_id": [OURS]}, Echo("t", OURS), id="lists of one"),
        pytest.param({"message_id": "m1@example.com"}, Echo("", OURS), id="brackets left out"),
        pytest.param({"postroad": 7, "message_id": 7}, Echo("", ""), id="an app's numbers"),
        pytest.param({"message_id": "order 7"}, Echo("", ""), id="an app's own id"),
        pytest.param({"postroad": ["a", "b"]}, Echo("", ""), id="lists of several"),
        pytest.param("order 7", Echo("", ""), id="an app's text"),
        pytest.param('"t"', Echo("", ""), id="a text in JSON"),
        pytest.param("[" * 100_000, Echo("", ""), id="deeper than anybody writes"),
        pytest.param([], Echo("", ""), id="an empty list"),
        pytest.param(None, Echo("", ""), id="null"),
        pytest.param(7, Echo("", ""), id="a number"),
    ],
)
def test_echoed(told: Any, echo: Echo) -> None:
    assert echoed(told) == echo
