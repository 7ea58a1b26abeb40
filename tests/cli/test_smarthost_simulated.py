"""`postroad simulate`: a test of a pretended server, step by step (O12)."""

from typing import Any

import pytest

from tests.support.scenario import Story

RELAY = {"name": "relay", "host": "relay.example", "from_filter": ["example.net"]}
LOGIN = {"username": "postroad", "secret": "env:RELAY"}


def outcome_of(story: Story, name: str = "relay", tester: str = "") -> dict[str, Any]:
    return next(it["tested"] for it in story.play(test={"smarthost": name, "tester": tester}) if "tested" in it)


def test_every_step_in_its_order() -> None:
    story = Story()
    story.apply(smarthost=[{**RELAY, "security": "starttls", "credentials": LOGIN}])
    found = outcome_of(story)
    assert (found["passed"], found["step"], found["reply"]["code"]) == (True, "data", 354)
    assert [step["step"] for step in found["steps"]] == ["connect", "tls", "auth", "mail", "rcpt", "data"]
    assert (found["mail_from"], found["rcpt_to"]) == ("noreply@example.net", "noreply@example.net")
    assert story.sent() == []


@pytest.mark.parametrize(
    ("script", "step", "code"),
    [
        pytest.param({"connect": "refused"}, "connect", 0, id="no connection"),
        pytest.param({"tls": "drop"}, "tls", 0, id="TLS"),
        pytest.param({"auth": "535 5.7.8 no"}, "auth", 535, id="AUTH"),
        pytest.param({"mail": "550 5.7.1 no"}, "mail", 550, id="MAIL"),
        pytest.param({"rcpt": {"*": "252 maybe"}}, "rcpt", 252, id="RCPT takes 250 and 251 alone"),
        pytest.param({"data": "250 what"}, "data", 250, id="DATA gives 354"),
    ],
)
def test_names_the_step_that_failed(script: dict[str, Any], step: str, code: int) -> None:
    story = Story()
    story.apply(smarthost=[{**RELAY, "security": "starttls", "credentials": LOGIN}])
    story.smarthost("relay", **script)
    found = outcome_of(story)
    assert (found["passed"], found["step"], found["reply"]["code"]) == (False, step, code)


def test_251_will_do_and_the_tester_is_asked_for() -> None:
    story = Story()
    story.smarthost("default", rcpt={"tess@example.org": "251 elsewhere"})
    assert outcome_of(story, "default", "tess@example.org")["passed"]


def test_without_a_sender_there_is_no_connection() -> None:
    story = Story()
    story.smarthost("default", connect="refused", times=1)
    found = outcome_of(story, "default")
    assert (found["passed"], found["step"]) == (False, "configuration")
    assert "no from_filter" in found["reply"]["text"]
    assert outcome_of(story, "default", "tess@example.org")["step"] == "connect", "the script was not used up"
